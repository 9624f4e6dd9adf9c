"""A line of exposures.list as the pipeline's programs expect it: columns between blanks, right-aligned.

Must not judge an exposure: what the database has is written down, in whatever band.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Final, SupportsFloat

HEADER: Final = (
    f"{'EXPNUM':>8} {'NITE':>9} {'MJD_OBS':>13} {'RADEG':>11} {'DECDEG':>10} {'BAND':>6} {'EXPTIME':>8}"
    f" {'PROPID':>12} {'OBSTYPE':>7} {'TEFF':>7} {'OBJECT':>50}\n"
)
#: The bands that have a list of their own: DAGMaker wants all of these.
LISTED_BANDS: Final = ("u", "g", "r", "i", "z", "Y", "VR")
#: An exposure belongs to the evening before it: a nite begins at noon UTC.
_NOON: Final = timedelta(hours=12)
_DAY: Final = timedelta(days=1)
#: Day 0 of the modified Julian date.
_MJD_0: Final = datetime(1858, 11, 17, tzinfo=UTC)


def exposure_line(
    expnum: int,
    taken: datetime,
    ra: SupportsFloat | None,
    dec: SupportsFloat | None,
    band: str,
    exptime: SupportsFloat | None,
    propid: str | None,
    obstype: str | None,
    teff: SupportsFloat | None,
    name: str | None,
) -> str:
    """The line, with its end. taken: aware. ra and dec in degrees, exptime in seconds. What is unknown is ``NaN``."""
    utc = taken.astimezone(UTC)
    evening = utc - _NOON
    return (
        f"{expnum:>8}  {evening.year:04}{evening.month:02}{evening.day:02} {(utc - _MJD_0) / _DAY:>13.6f}"
        f" {_number(ra, 6):>11} {_number(dec, 6):>10} {_word(band):>6} {_number(exptime, 2):>8} {_word(propid):>12}"
        f" {_word(obstype):>7} {_number(teff, 2):>7} {_text(name):>50}\n"
    )


def _number(value: SupportsFloat | None, digits: int) -> str:
    if value is None or not math.isfinite(number := float(value)):
        return "NaN"
    return f"{number:.{digits}f}"


def _word(text: str | None) -> str:
    """One word: a blank in it would move every column behind it."""
    return "_".join(_text(text).split())


def _text(text: str | None) -> str:
    """Whatever people have typed, on one line: what would break or disturb it becomes a blank."""
    if text is None:
        return "None"
    plain = text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)
    return plain.strip() or "None"
