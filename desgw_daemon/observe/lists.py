"""List files for the queue: lines ``EXPNUM [BAND [NITE]]``. Taken whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from desgw_daemon.domain.decam import BANDS, EXPNUM_MAX, EXPNUM_MIN
from desgw_daemon.domain.names import is_nite
from desgw_daemon.observe.text import plain_name

#: Far above any real list (bytes): 3,600 exposures of a season of events are 36 kB.
MAX_BYTES: Final = 2_000_000
_MOST_PROBLEMS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One wanted exposure; band and nite are None where the line does not say them. line: its number in the file."""

    expnum: int
    band: str | None
    nite: str | None
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedList:
    """A good list. duplicates: lines that stand twice, in words; harmless."""

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
        return RefusedList(problems=(f"cannot be read: {error.strerror}",))


def parse_list(data: bytes) -> ParsedList | RefusedList:
    """The list in these bytes."""
    if len(data) > MAX_BYTES:
        return RefusedList(problems=(f"it is longer than {MAX_BYTES} bytes",))
    if b"\0" in data:
        return RefusedList(problems=("it is no text: it holds NUL bytes",))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return RefusedList(problems=(f"it is no UTF-8 text: byte {error.start}",))
    return _parse(enumerate(text.replace("\r\n", "\n").split("\n"), start=1))


def parse_words(words: Iterable[str]) -> tuple[Entry, ...]:
    """Exposure numbers from a command line, checked before."""
    return tuple(Entry(expnum=int(word), band=None, nite=None, line=0) for word in words)


def _parse(lines: Iterable[tuple[int, str]]) -> ParsedList | RefusedList:
    entries: dict[tuple[int, str | None], Entry] = {}
    problems, duplicates = [], []
    for number, line in lines:
        words = line.partition("#")[0].split()
        if not words:
            continue
        problem = _problem(words)
        if problem:
            problems.append(f"line {number}: {problem}")
            continue
        entry = Entry(
            expnum=int(words[0]),
            band=words[1] if len(words) > 1 else None,
            nite=words[2] if len(words) > 2 else None,
            line=number,
        )
        before = entries.get((entry.expnum, entry.nite))
        if before is None:
            entries[entry.expnum, entry.nite] = entry
        elif before.band != entry.band:
            problems.append(
                f"line {number}: {entry.expnum} is {entry.band} here and {before.band} in line {before.line}"
            )
        else:
            duplicates.append(f"{entry.expnum} stands in line {before.line} and again in line {number}: taken once")
    if problems:
        more = [f"and {len(problems) - _MOST_PROBLEMS} more"] if len(problems) > _MOST_PROBLEMS else []
        return RefusedList(problems=(*problems[:_MOST_PROBLEMS], *more))
    if not entries:
        return RefusedList(problems=("it names no exposure",))
    return ParsedList(entries=tuple(entries.values()), duplicates=tuple(duplicates))


def _problem(words: list[str]) -> str | None:
    if len(words) > 3:
        return f"{len(words)} words, at most three (EXPNUM BAND NITE)"
    expnum = words[0]
    if not (expnum.isascii() and expnum.isdigit() and EXPNUM_MIN <= int(expnum) <= EXPNUM_MAX):
        return f"{plain_name(expnum[:40])!r} is no exposure number (6 or 7 digits)"
    if len(words) > 1 and words[1] == "VR":
        return "band VR: SEdiff does not process it"
    if len(words) > 1 and words[1] not in BANDS:
        return f"{plain_name(words[1][:40])!r} is no band ({', '.join(BANDS)})"
    if len(words) > 2 and not is_nite(words[2]):
        return f"{plain_name(words[2][:40])!r} is no nite (YYYYMMDD)"
    return None
