"""The gravitational-wave event that a season is for: four values for the ini of post-processing.

The names are those of template_postproc.ini. run_postproc.py takes triggermjd for a number; the others it does not read
today, but its web pages may.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

#: Keys of the ini, in its order, with what a person is asked for.
EVENT_KEYS: Final[Mapping[str, str]] = {
    "ligoid": "name of the event, such as GW170814",
    "triggerid": "id of the trigger, such as G298048",
    "propid": "proposal of the observations, such as 2017B-0110",
    "triggermjd": "time of the trigger, MJD in days, such as 57979.437",
}
#: What both readers of the ini read back as it was written.
_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}")
#: Days of MJD that can be a trigger's: the first is before any detector, the last in the year 2132.
_MJD_FROM: Final = 45_000.0
_MJD_TO: Final = 100_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What is known of it; None where nobody said. triggermjd: days."""

    ligoid: str | None = None
    triggerid: str | None = None
    propid: str | None = None
    triggermjd: float | None = None

    def for_ini(self) -> dict[str, str]:
        """The values that are known, as they are written."""
        texts = {
            "ligoid": self.ligoid,
            "triggerid": self.triggerid,
            "propid": self.propid,
            "triggermjd": None if self.triggermjd is None else repr(self.triggermjd),
        }
        return {key: text for key, text in texts.items() if text is not None}

    def with_value(self, key: str, text: str) -> Event:
        """The event with one value more, as a person gave it. Raises ValueError, with words for a person."""
        value = triggermjd_of(text) if key == "triggermjd" else word_of_event(key, text)
        return replace(self, **{key: value})  # type: ignore[arg-type]  # of the key's own type

    def unknown(self) -> tuple[str, ...]:
        """The keys of which nobody has said anything."""
        known = self.for_ini()
        return tuple(key for key in EVENT_KEYS if key not in known)


def word_of_event(key: str, text: str) -> str:
    """A checked ligoid, triggerid or propid. Raises ValueError, with words for a person."""
    if not _WORD.fullmatch(text):
        raise ValueError(f"{key} {text[:80]!r}: letters, digits and . _ + - only, up to 64 ({EVENT_KEYS[key]})")
    return text


def triggermjd_of(text: str) -> float:
    """A checked time of a trigger, in days (MJD). Raises ValueError, with words for a person."""
    try:
        mjd = float(text)
    except ValueError:
        mjd = math.nan
    if not _MJD_FROM <= mjd <= _MJD_TO:
        raise ValueError(f"triggermjd {text[:80]!r}: a number of days, MJD, such as 57979.437")
    return mjd
