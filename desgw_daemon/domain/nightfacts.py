"""What the CCDs of the open exposures come to, in numbers: for alerts, which need no single CCD."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from desgw_daemon.domain.states import CcdState


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    """So many CCDs of one exposure in one state, at one step, on one host of the grid; newest: the last of them.

    over: its exposure is done.
    """

    exposure_id: int
    season: int
    nite: str | None
    expnum: int
    over: bool
    state: CcdState
    step: str | None
    host: str | None
    count: int
    newest: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How the CCDs of one exposure came to their ends.

    submitted_at: of its DAG, where it is ours. first, newest: ends of CCDs, as seen. longest: between two of them, one
    after the other. ended: how many.
    """

    exposure_id: int
    season: int
    nite: str | None
    submitted_at: datetime | None
    first: datetime
    newest: datetime
    longest: timedelta
    ended: int

    @property
    def longest_wait(self) -> timedelta:
        """For a CCD of it, the first one counted from the submission."""
        return self.longest if self.submitted_at is None else max(self.longest, self.first - self.submitted_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """Files of an exposure that should not be there, or not so: how many, since when, one of them."""

    exposure_id: int
    season: int
    nite: str | None
    expnum: int
    kind: Literal["surplus", "forcefile", "tarball"]
    count: int
    since: datetime
    example: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NightFacts:
    """All of these. complete: complete CCDs of the exposures in attention, by exposure id."""

    failures: tuple[Failures, ...] = ()
    complete: Mapping[int, int] = field(default_factory=dict)
    paces: tuple[Pace, ...] = ()
    leftovers: tuple[Leftover, ...] = ()
