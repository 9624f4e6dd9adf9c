"""What is known of the daemon itself: room on its disk, its clock, its pace, its starts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """Read at the beginning of a cycle. boottime: seconds since this boot, in which no setting of the clock shows.

    free: bytes on the disk of the state folder, None when that cannot be told.
    """

    at: datetime
    boot_id: str
    boottime: float
    free: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockJump:
    """The clock of the host was set: by so many seconds, seen in the cycle that began then (by the new clock)."""

    at: datetime
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """As the cycles wrote it down. free: of the newest one, in bytes.

    seconds: how long the newest cycle that was finished took. jumps: within the last hour of this boot, oldest first.
    crashes: starts within the last hour after which nobody had stopped the daemon before the next, oldest first.
    """

    free: int | None = None
    seconds: float | None = None
    jumps: tuple[ClockJump, ...] = ()
    crashes: tuple[datetime, ...] = ()
