"""How times, spans and lists are said in reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta

from desgw_daemon.domain.times import utc


def at(moment: datetime | None) -> str:
    """A moment, UTC, as ``2026-11-22T02:14:05Z``."""
    return "never" if moment is None else utc(moment)


def span(length: timedelta) -> str:
    """A span as people say it: ``45 s``, ``5 min``, ``2 h 10 min``, ``3 d``."""
    seconds = length.total_seconds()
    if seconds < 10 and seconds != int(seconds):
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    if whole < 2 * 3600:
        return f"{whole // 60} min"
    hours, minutes = divmod(whole // 60, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{hours // 24} d {hours % 24} h" if hours % 24 else f"{hours // 24} d"


def some(names: Iterable[str], most: int = 5) -> str:
    """A list of names, the first few of a long one."""
    every = list(names)
    shown = ", ".join(every[:most])
    return f"{shown} and {len(every) - most} more" if len(every) > most else shown


def tally(names: Iterable[str], most: int = 3) -> str:
    """How often each name occurs, the most frequent first: ``30 at RUN18_x, 2 at RUN05_y``."""
    counts = Counter(names).most_common()
    shown = ", ".join(f"{count} at {name.removesuffix('.FAIL')}" for name, count in counts[:most])
    rest = sum(count for _, count in counts[most:])
    return f"{shown}, {rest} elsewhere" if rest else shown


def plural(number: int, one: str) -> str:
    """``1 CCD``, ``2 CCDs``."""
    return f"{number} {one if number == 1 else one + 's'}"
