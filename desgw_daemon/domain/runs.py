"""What is known of runs of post-processing, of requests for one, and of refreshes of exposures.list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from desgw_daemon.domain.states import (
    RefreshState,
    RunState,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostprocRun:
    """One run of post-processing, with the exposures that are in it."""

    id: int
    season: int
    number: int
    state: RunState
    exposures: tuple[int, ...]  # ids
    expnums: tuple[int, ...]
    bands: tuple[str, ...]
    fingerprint: str
    skipto: int
    folder: str
    intent_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    exit_code: int | None = None
    #: What of its preparation it came to last (RUN_STAGES); the last of them is run_postproc.py itself.
    stage: str | None = None
    #: Highest N of the lines `Run STEP N:` in its output.
    step: int | None = None
    step_at: datetime | None = None
    reason: str | None = None
    #: What it came to, beside its exit code: candidates, or one of the three ways of none; None while it is not known.
    result: str | None = None
    #: Exposures that were ready and did not go in: number and why.
    left_out: Mapping[str, str] = field(default_factory=dict)
    #: Tells whether two runs are of the same forcephoto files (links).
    files_fingerprint: str = ""
    #: It was started by itself after the failure of this run.
    retry_of: int | None = None
    #: What a person should know of its preparation.
    notes: tuple[str, ...] = ()
    #: A person has ordered its end: who, and when.
    stopped_by: str | None = None
    stopped_at: datetime | None = None
    stop_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refresh:
    """A time that exposures.list was written anew, or should have been.

    folder: of its process, when the daemon started it; None for a person's. exposures: in the new file.
    """

    id: int
    state: RefreshState
    started_at: datetime
    ended_at: datetime | None = None
    who: str
    why: str = ""
    folder: str | None = None
    exposures: int | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PostprocRequest:
    """A person's wish to start post-processing of a season."""

    id: int
    season: int
    asked_at: datetime
    by: str
    skipto: int | None = None
