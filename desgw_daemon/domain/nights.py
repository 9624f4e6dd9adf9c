"""A night of work, as its report speaks of it: values only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What is known of the daemon's nights.

    first_cycle: the oldest that is known. reported: the nite of the last report. open: exposures that still go on by
    themselves. last_change: of any exposure, DAG or run.
    """

    first_cycle: datetime | None
    reported: str | None
    open: int
    last_change: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """A night of work: the nite by which it is called, and the time of which its report speaks."""

    nite: str
    since: datetime
    until: datetime
