"""The keys of dagmaker.rc that DAGMaker knows: which values they take, and which of them do nothing today."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from desgw_daemon.domain.names import is_nite
from desgw_daemon.domain.seasons import FIRST_SEASON, LAST_SEASON, RESERVED, season_problem

SEASON: Final = "SEASON"
#: By the keeper of season numbers, not by taste.
_SEASONS: Final = (
    f"a season from {FIRST_SEASON} to {LAST_SEASON}, not {' nor '.join(str(season) for season in sorted(RESERVED))}"
)


@dataclass(frozen=True, slots=True)
class Key:
    """takes: its values, in words. refuses: whether a value is none of them. without_effect: DAGMaker ignores it."""

    name: str
    takes: str
    refuses: Callable[[str], bool]
    without_effect: bool = False

    def problem(self, value: str) -> str | None:
        """Why it cannot have this value; None when it can."""
        return f"{self.name} takes {self.takes}, not {value!r}" if self.refuses(value) else None


def _text(name: str, takes: str = "options, any text", *, without_effect: bool = False) -> Key:
    return Key(name, takes, lambda value: "\0" in value, without_effect)


def _matching(name: str, takes: str, pattern: str, *, without_effect: bool = False) -> Key:
    return Key(name, takes, lambda value: re.fullmatch(pattern, value, re.ASCII) is None, without_effect)


def _whole(name: str, low: int, high: int) -> Key:
    return Key(
        name,
        f"a whole number from {low} to {high}",
        lambda value: re.fullmatch(r"0|[1-9][0-9]{0,8}", value) is None or not low <= int(value) <= high,
    )


def _number(name: str, low: int, high: int, unit: str = "", *, without_effect: bool = False) -> Key:
    def refuses(value: str) -> bool:
        # As awk and bc write them: no exponent, no sign, no blank.
        if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{0,9})?|\.[0-9]{1,9}", value) is None:
            return True
        return not low <= Decimal(value) <= high

    return Key(name, f"a number from {low} to {high}{unit}", refuses, without_effect)


def _nite(name: str) -> Key:
    return Key(name, "a nite, written YYYYMMDD", lambda value: not is_nite(value))


def _season(value: str) -> bool:
    return re.fullmatch(r"[1-9][0-9]{0,8}", value) is None or season_problem(int(value)) is not None


_BOOLEAN: Final = ("true or false", r"true|false")
_WORD: Final = ("one word", r"[A-Za-z0-9][A-Za-z0-9_.+-]*")

KEYS: Final[Mapping[str, Key]] = {
    key.name: key
    for key in (
        _whole("RNUM", 1, 99),
        _whole("PNUM", 1, 99),
        Key(SEASON, _SEASONS, _season),
        _matching("DIFFIMG_EUPS_VERSION", *_WORD),
        _matching("WRITEDB", "on or off", r"on|off"),
        _matching("RM_MYTEMP", *_BOOLEAN, without_effect=True),
        _text("JOBSUB_OPTS"),
        _text("JOBSUB_OPTS_SE", without_effect=True),
        _text("JOBSUB_TEMP_OPTS"),
        _matching("RESOURCES", "words with commas between them", r"[A-Z_]+(,[A-Z_]+)*", without_effect=True),
        _matching("IGNORECALIB", *_BOOLEAN),
        _matching("DESTCACHE", "persistent or scratch", r"persistent|scratch"),
        _text("SEARCH_OPTS"),
        _text("TEMP_OPTS"),
        _matching("SCHEMA", "gw or wsdiff", r"gw|wsdiff"),
        *(_number(f"TEFF_CUT_{band}", 0, 10) for band in "girYz"),
        _number("TEFF_CUT_u", 0, 10, without_effect=True),
        _number("TWINDOW", 0, 100_000, " (days)"),
        _matching("TWINDOW_DISTINCT", "0 or 1", r"[01]"),
        _number("TWINDOW_BEFORE", 0, 100_000, " (days)"),
        _number("TWINDOW_AFTER", 0, 100_000, " (days)"),
        _matching("TEXP_DEPTH_ON", "0 or 1", r"[01]"),
        _number("TEXP_DEPTH", 0, 1_000_000, " (seconds)"),
        _nite("MIN_NITE"),
        _nite("MAX_NITE"),
        _matching("SKIP_INCOMPLETE_SE", *_BOOLEAN),
        _matching("DO_HEADER_CHECK", "0 or 1", r"[01]"),
        _whole("STASHVER", 0, 999_999_999),
    )
}


def unknown(name: str) -> str:
    """What is said of a key that DAGMaker does not know, with the nearest ones."""
    same = [key for key in KEYS if key.lower() == name.lower()]
    near = same or difflib.get_close_matches(name, KEYS, n=3, cutoff=0.6)
    more = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(KEYS)}"
    return f"DAGMaker knows no key {name!r}; {more}"


def contradiction(values: Mapping[str, str | None]) -> str | None:
    """What does not go together in all of the file's values; None when all is well."""
    low, high = values.get("MIN_NITE"), values.get("MAX_NITE")
    if low and high and low > high:
        return f"MIN_NITE {low} is after MAX_NITE {high}: no template could be used"
    return None
