"""exposures.list, the history of the whole camera: 1.2 million lines, read in one pass, remembered until it changes.

Columns: EXPNUM NITE MJD_OBS RADEG DECDEG BAND EXPTIME PROPID OBSTYPE TEFF OBJECT. Only the first one tells which
exposure a line is about: a number also occurs in other columns. Must not judge bands: VR is returned as it is.
"""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from desgw_daemon.observe.door import DIRECT, Way
from desgw_daemon.observe.plainfile import open_plain

#: A number longer than this in the first column is none of ours (bytes, blanks in front of it included).
_FIRST_COLUMN = 32
#: A pass over the whole file may take so many times as long as other questions.
_WHOLE_FILE = 3.0
#: Inode, size and mtime.
_Version = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposureData:
    """What the file says of one exposure, unchecked: exptime in seconds, None when it is no number.

    conflict: another line gives another nite or band.
    """

    expnum: int
    nite: str
    band: str
    exptime: float | None = None
    conflict: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """The exposures that were found. problem: why the file could not be read; then nothing is known."""

    found: Mapping[int, ExposureData]
    problem: str | None = None


class ExposuresList:
    """Answers by exact first column.

    What was asked for is remembered while the file is the same (inode, size, mtime), also what was not found:
    an exposure that waits for its data costs no pass in each cycle. Nothing else of the file is kept.
    """

    def __init__(self, path: Path, *, way: Way = DIRECT) -> None:
        """way: to the workflow folder."""
        self._path = path
        self._way = way
        self._version: _Version | None = None
        self._known: dict[int, ExposureData | None] = {}

    def lookup(self, expnums: Collection[int]) -> Lookup:
        """What the file says of these exposures, with at most one pass over it."""
        try:
            news = self._way.ask(_news, self._path, self._version, set(expnums), set(self._known), patience=_WHOLE_FILE)
            if news.version != self._version:
                self._version, self._known = news.version, {}
            self._known |= news.found
            if news.changing:
                self._version = None
        except OSError as error:
            self._version = None
            return Lookup(found={}, problem=f"{self._path} cannot be read: {error.strerror or error}")
        return Lookup(found={n: data for n in expnums if (data := self._known[n]) is not None})


@dataclass(frozen=True, slots=True, kw_only=True)
class _News:
    """What a look at the file has shown. changing: it was written to meanwhile."""

    version: _Version
    found: dict[int, ExposureData | None]
    changing: bool


def _news(path: Path, before: _Version | None, expnums: set[int], known: set[int]) -> _News:
    """What is asked for, as far as it is not known of this very version. Raises OSError."""
    with open_plain(path) as file:
        version = _version(file)
        wanted = expnums - known if version == before else expnums
        found = _read(file, wanted) if wanted else {}
        return _News(version=version, found=found, changing=_version(file) != version)


def _version(file: IO[bytes]) -> _Version:
    """What changes when the file does."""
    status = os.fstat(file.fileno())
    return (status.st_ino, status.st_size, status.st_mtime_ns)


def _read(file: IO[bytes], wanted: Collection[int]) -> dict[int, ExposureData | None]:
    tokens = {str(expnum).encode() for expnum in wanted}
    found: dict[int, ExposureData | None] = dict.fromkeys(wanted)
    for line in file:
        first = line[:_FIRST_COLUMN].split(None, 1)
        if first and first[0] in tokens and (data := _parse(line)) is not None:
            before = found[data.expnum]
            if before is None:
                found[data.expnum] = data
            elif (before.nite, before.band) != (data.nite, data.band):
                found[data.expnum] = ExposureData(
                    expnum=data.expnum, nite=before.nite, band=before.band, exptime=before.exptime, conflict=True
                )
    return found


def _parse(line: bytes) -> ExposureData | None:
    """A line's data; None for a line that was cut off, as the last one of a file that is being written may be.

    With a word behind EXPTIME, the words before it are whole.
    """
    words = line.split(None, 8)
    if len(words) < 8:
        return None
    expnum, nite, band, exptime = (words[n].decode("ascii", "backslashreplace") for n in (0, 1, 5, 6))
    return ExposureData(expnum=int(expnum), nite=nite, band=band, exptime=_seconds(exptime))


def _seconds(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) else None
