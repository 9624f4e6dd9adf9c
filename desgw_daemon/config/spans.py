"""Time spans as people write them: "300 ms", "90 s", "5 min", "2 h", "3 d", or a number of seconds."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import Final

_UNITS: Final = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "min": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
_TEXT: Final = re.compile(r"(?P<number>-?\d+(?:\.\d+)?) ?(?P<unit>[A-Za-z]*)", re.ASCII)
#: A clock is not read more finely than this.
SHORTEST: Final = timedelta(milliseconds=1)
#: Longer spans are slips of the pen, and a time so far back may be no date at all.
LONGEST: Final = timedelta(days=3650)
_HOW: Final = 'write "300 ms", "90 s", "5 min", "2 h", "3 d", or a number of seconds'


def parse_span(value: object, *, zero: bool = False) -> timedelta:
    """The time span that a value of daemon.toml means. zero: whether 0 is allowed.

    Raises ValueError with words for a person: no time span, without a unit, negative, too short, too long.
    """
    if isinstance(value, timedelta):
        span = value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        span = _times(float(value), "s")
    elif isinstance(value, str):
        match = _TEXT.fullmatch(value)
        if match is None:
            raise ValueError(f"is no time span: {_HOW}")
        if match["unit"] not in _UNITS:
            unit = f"has the unknown unit {match['unit']!r}" if match["unit"] else "has no unit"
            raise ValueError(f"{unit}: {_HOW}")
        span = _times(float(match["number"]), match["unit"])
    else:
        raise ValueError(f"is no time span: {_HOW}")
    if span < timedelta(0):
        raise ValueError("must not be negative")
    if zero and not span:
        return span
    if span < SHORTEST:
        raise ValueError(f"must be {format_span(SHORTEST)} or longer{' (or 0)' if zero else ''}")
    if span > LONGEST:
        raise ValueError(f"must be {format_span(LONGEST)} or shorter")
    return span


def format_span(span: timedelta) -> str:
    """The span as daemon.toml would say it, in the largest unit that needs no fraction (else in ms)."""
    for unit, one in reversed(_UNITS.items()):
        if span and not span % one:
            return f"{span // one} {unit}"
    if not span:
        return "0 s"
    whole, rest = divmod(span // timedelta(microseconds=1), 1000)
    return f"{whole}.{rest:03d} ms"


def _times(number: float, unit: str) -> timedelta:
    if not math.isfinite(number):
        raise ValueError(f"is no time span: {_HOW}")
    try:
        return number * _UNITS[unit]
    except OverflowError:
        raise ValueError(f"must be {format_span(LONGEST)} or shorter") from None
