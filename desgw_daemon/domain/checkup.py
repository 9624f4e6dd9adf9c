"""What `doctor` finds: one finding for each check."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

#: Rules that raise an alert for the same cause as a check, when it matters: then the check's failure is no news.
TOLD_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "state_folder": ("disk_nearly_full", "database_error"),
    "state_space": ("disk_nearly_full",),
    "pnfs": ("pnfs_silent",),
    "workflow": ("workflow_silent",),
    "postprocessing": ("postprocessing_silent",),
    "dagmaker": ("workflow_silent", "making_blocked"),
    "postproc_files": ("postprocessing_silent",),
    "setup": ("workflow_silent", "making_blocked"),
    "credential": ("credential",),
    "queue": ("engine_silent",),
    "database": ("database_error",),
    "exposures_list": ("workflow_silent", "no_data", "refresh_failed"),
    "channels": ("delivery_failed",),
    "clock": ("clock_jumped",),
    "daemon": ("database_error",),
}


class Outcome(StrEnum):
    """What a check came to."""

    OK = "ok"
    WARN = "warn"  # a night can run, and something may go wrong in it
    FAIL = "fail"  # a night needs it, and it is not there


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One check: what it found, and what to do about it (None: nothing)."""

    name: str
    outcome: Outcome
    text: str
    todo: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkup:
    """The last time that the daemon had itself looked at: what failed, when that was, and which rules of the catalogue
    held at that time or later.
    """

    failed: tuple[Finding, ...]
    at: datetime
    rules: frozenset[str]


def worst(findings: Iterable[Finding]) -> Outcome:
    """What they come to as a whole."""
    found = {finding.outcome for finding in findings}
    return next((outcome for outcome in (Outcome.FAIL, Outcome.WARN) if outcome in found), Outcome.OK)


def counts(findings: Iterable[Finding]) -> Mapping[Outcome, int]:
    """How many of each."""
    found = [finding.outcome for finding in findings]
    return {outcome: found.count(outcome) for outcome in Outcome}
