"""List files for the queue: lines ``EXPNUM [BAND [NITE]]``, ``#`` comments. Taken whole or not at all.

Reading one never fails: what is wrong with it is a value, each line named by its number. Must not look
anything up: what a line does not say is filled in elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from desgw_daemon.domain.decam import BANDS, EXPNUM_MAX, EXPNUM_MIN
from desgw_daemon.domain.names import is_nite
from desgw_daemon.observe.text import plain_name

#: Far above any real list (bytes): 3,600 exposures of a season of events are 36 kB.
MAX_BYTES: Final = 2_000_000
#: A list of another kind has as many problems as lines: the first ones tell enough.
_MOST_PROBLEMS: Final = 10
_NUMBER: Final = re.compile(r"[1-9]\d{5,6}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One wanted exposure; band and nite are None where the line does not say them. line: its number in the file."""

    expnum: int
    band: str | None
    nite: str | None
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedList:
    """A good list. duplicates: exposures that stand in it twice, in words; harmless."""

    entries: tuple[Entry, ...]
    duplicates: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedList:
    """A list that is not taken, and why, a line each."""

    problems: tuple[str, ...]


def read_list(path: Path) -> ParsedList | RefusedList:
    """The list in a file."""
    try:
        if not path.is_file():
            return RefusedList(problems=("no such file" if not path.exists() else "no regular file",))
        with path.open("rb") as file:
            return parse_list(file.read(MAX_BYTES + 1))
    except OSError as error:
        return RefusedList(problems=(f"cannot be read: {error.strerror or error}",))


def parse_list(data: bytes) -> ParsedList | RefusedList:
    """The list in these bytes."""
    if len(data) > MAX_BYTES:
        return RefusedList(problems=(f"it is longer than {MAX_BYTES} bytes",))
    if b"\0" in data:
        return RefusedList(problems=("it is no text: it holds NUL bytes",))
    # A comment may be in any encoding; a word that is no ASCII is refused with its line.
    text = data.decode("utf-8-sig", "backslashreplace")
    return _parse(enumerate(text.replace("\r\n", "\n").split("\n"), start=1))


def parse_words(words: Iterable[str]) -> tuple[Entry, ...]:
    """Exposure numbers from a command line, checked before."""
    return tuple(Entry(expnum=int(word), band=None, nite=None, line=0) for word in words)


def _parse(lines: Iterable[tuple[int, str]]) -> ParsedList | RefusedList:
    wanted: dict[int, list[Entry]] = {}
    problems: list[str] = []
    duplicates: list[str] = []
    for number, line in lines:
        words = line.partition("#")[0].split()
        if not words:
            continue
        if problem := _problem(words):
            problems.append(f"line {number}: {problem}")
            continue
        expnum, band, nite = (*words, None, None)[:3]
        assert expnum is not None
        entry = Entry(expnum=int(expnum), band=band, nite=nite, line=number)
        problem, duplicate = _join(wanted.setdefault(entry.expnum, []), entry)
        if problem:
            problems.append(f"line {number}: {problem}")
        if duplicate:
            duplicates.append(duplicate)
    if problems:
        more = [f"and {len(problems) - _MOST_PROBLEMS} more"] if len(problems) > _MOST_PROBLEMS else []
        return RefusedList(problems=(*problems[:_MOST_PROBLEMS], *more))
    if not wanted:
        return RefusedList(problems=("it names no exposure",))
    entries = sorted((entry for same in wanted.values() for entry in same), key=lambda entry: entry.line)
    return ParsedList(entries=tuple(entries), duplicates=tuple(duplicates))


def _join(same: list[Entry], entry: Entry) -> tuple[str | None, str | None]:
    """Add an entry to those of its number. Returns what is wrong with it, and whether it stood there before.

    One number in two nites are two exposures. A line that says less than another is about the same one.
    """
    for index, before in enumerate(same):
        if before.band and entry.band and before.band != entry.band:
            return f"{entry.expnum} is {entry.band} here and {before.band} in line {before.line}", None
        if before.nite is None or entry.nite is None or before.nite == entry.nite:
            same[index] = replace(before, band=before.band or entry.band, nite=before.nite or entry.nite)
            words = f"{entry.expnum} stands in line {before.line} and again in line {entry.line}: taken once"
            return None, words
    same.append(entry)
    return None, None


def _problem(words: list[str]) -> str | None:
    if len(words) > 3:
        return f"{len(words)} words, at most three (EXPNUM BAND NITE)"
    expnum = words[0]
    if not _NUMBER.fullmatch(expnum) or not EXPNUM_MIN <= int(expnum) <= EXPNUM_MAX:
        return f"{_quoted(expnum)} is no exposure number (6 or 7 digits)"
    if len(words) > 1 and words[1] == "VR":
        return "band VR: SEdiff does not process it"
    if len(words) > 1 and words[1] not in BANDS:
        return f"{_quoted(words[1])} is no band ({', '.join(BANDS)})"
    if len(words) > 2 and not is_nite(words[2]):
        return f"{_quoted(words[2])} is no nite (YYYYMMDD)"
    return None


def _quoted(word: str) -> str:
    return f"'{plain_name(word[:40])}'"
