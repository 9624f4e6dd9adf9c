"""The grammar of output.txt, with which image processing hands its exposures on.

Written as the pipeline's own document has it: ``[941225 i, 941226 i]``, then the nite, then the season. Read in every
form that there has been: with quotes round the items, the season on the second line and no nite, a PROPID on the third.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from desgw_daemon.domain.decam import BANDS, EXPNUM_MAX, EXPNUM_MIN
from desgw_daemon.domain.names import is_nite

_ITEM: Final = re.compile(r"(?P<quote>['\"]?)\s*(?P<expnum>\d+)(?:\s+(?P<band>\w+))?\s*(?P=quote)", re.ASCII)
_SEASON: Final = re.compile(r"\d{1,6}", re.ASCII)
_PROPID: Final = re.compile(r"\d{4}[AB]-\d{4}", re.ASCII)
#: A file of another kind has as many problems as words: the first ones tell enough.
_MOST_PROBLEMS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What such a file says: exposures with their bands, and None for what it does not say."""

    exposures: tuple[tuple[int, str | None], ...]
    nite: str | None
    season: int | None
    propid: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoOutput:
    """Why a text is none, a line each."""

    problems: tuple[str, ...]


def output_text(exposures: Iterable[tuple[int, str]], *, nite: str, season: int) -> str:
    """The three lines for these exposures (number, band) of one nite."""
    items = ", ".join(f"{expnum} {band}" for expnum, band in exposures)
    return f"[{items}]\n{nite}\n{season}\n"


def parse_output(text: str) -> Output | NoOutput:
    """What the text says, or why it is no output.txt."""
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    if not lines:
        return NoOutput(problems=("it is empty",))
    (first, listed), rest = lines[0], lines[1:]
    if not (listed.startswith("[") and listed.endswith("]")):
        return NoOutput(problems=(f"line {first} is no list such as [941225 i, 941226 i]",))
    exposures: list[tuple[int, str | None]] = []
    problems: list[str] = []
    for item in listed[1:-1].split(","):
        found = _ITEM.fullmatch(item.strip())
        if found is None or not EXPNUM_MIN <= int(found["expnum"]) <= EXPNUM_MAX:
            problems.append(f"line {first}: {_shown(item.strip())} is no exposure with its band")
        elif found["band"] is not None and found["band"] not in BANDS:
            problems.append(f"line {first}: {found['band']} of {found['expnum']} is no band ({', '.join(BANDS)})")
        else:
            exposures.append((int(found["expnum"]), found["band"]))
    said: dict[str, str] = {}
    for number, line in rest:
        word = line.strip("'\"")
        what = _kind(word)
        if what is None:
            problems.append(f"line {number}: {_shown(word)} is no nite (YYYYMMDD), season or PROPID")
        elif what in said:
            problems.append(f"line {number}: {_shown(word)} is another {what} than {said[what]} before it")
        else:
            said[what] = word
    if problems:
        more = [f"and {len(problems) - _MOST_PROBLEMS} more"] if len(problems) > _MOST_PROBLEMS else []
        return NoOutput(problems=(*problems[:_MOST_PROBLEMS], *more))
    season = said.get("season")
    return Output(
        exposures=tuple(exposures),
        nite=said.get("nite"),
        season=None if season is None else int(season),
        propid=said.get("PROPID"),
    )


def _kind(word: str) -> str | None:
    """What a line after the first one says: each of the three looks like no other."""
    if is_nite(word):
        return "nite"
    if _SEASON.fullmatch(word):
        return "season"
    return "PROPID" if _PROPID.fullmatch(word) else None


def _shown(word: str) -> str:
    return repr(word[:40])
