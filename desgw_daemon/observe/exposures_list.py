"""exposures.list, the history of the whole camera: 1.2 million lines, read in one pass, remembered until it changes."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposureData:
    """What the file says of one exposure. conflict: another line says something else."""

    expnum: int
    nite: str
    band: str
    conflict: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """The exposures that were found. problem: why the file could not be read; then nothing is known."""

    found: dict[int, ExposureData]
    problem: str | None = None


class ExposuresList:
    """Answers by exact first column. What was asked for is remembered, also what was not found, while the file is
    the same.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._version: tuple[int, int, int] | None = None
        self._known: dict[int, ExposureData | None] = {}

    def lookup(self, expnums: Collection[int]) -> Lookup:
        """Band and nite of these exposures, with at most one pass over the file."""
        try:
            with self._path.open("rb") as file:
                stat = os.fstat(file.fileno())
                version = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
                if version != self._version:
                    self._known.clear()
                    self._version = version
                wanted = {expnum for expnum in expnums if expnum not in self._known}
                if wanted:
                    self._known |= dict.fromkeys(wanted)
                    self._read(file, wanted)
        except OSError as error:
            return Lookup(found={}, problem=f"{self._path} cannot be read: {error.strerror}")
        return Lookup(found={n: data for n in expnums if (data := self._known[n]) is not None})

    def _read(self, file: object, wanted: set[int]) -> None:
        tokens = {str(expnum).encode() for expnum in wanted}
        for line in file:  # type: ignore[attr-defined]  # an open binary file
            first = line[:24].split(None, 1)
            if first and first[0] in tokens:
                self._take(line)

    def _take(self, line: bytes) -> None:
        words = line.split(None, 7)
        # A torn last line: without its end, its band may be half a word.
        if len(words) < 7 or not line.endswith(b"\n"):
            return
        expnum, nite, band = int(words[0]), words[1].decode("ascii", "replace"), words[5].decode("ascii", "replace")
        before = self._known.get(expnum)
        conflict = before is not None and (before.nite, before.band) != (nite, band)
        self._known[expnum] = ExposureData(expnum=expnum, nite=nite, band=band, conflict=conflict)
