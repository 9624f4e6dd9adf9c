"""The ini files of the Post-Processing folder: the set-up script there reads every `postproc_*.ini` that it finds.

While a run lasts its own lies there, and none of ours besides; afterwards it is taken away, since the run's folder
keeps a copy. One of the same name that is not ours is only put aside, and comes back. Those that others have for other
seasons are never touched.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

#: Not among `postproc_*.ini`.
_ASIDE: Final = ".aside"


@dataclass(frozen=True, slots=True, kw_only=True)
class IniPlace:
    """Where an ini lies while its run lasts. folder: Post-Processing."""

    folder: Path
    season: int

    @property
    def path(self) -> Path:
        """Where run_postproc.py looks for it."""
        return self.folder / ini_name(self.season)

    def put(self, data: bytes, ours: Collection[bytes]) -> Path | None:
        """Put our ini there. Where somebody else's went, if there was one.

        ours: what we have written there before. May be repeated after a crash. Raises OSError.
        """
        aside = None
        try:
            there = self.path.read_bytes()
        except FileNotFoundError:
            pass
        else:
            if there == data:
                return None
            if there not in ours:
                aside = self._free_aside()
                self.path.rename(aside)
        write_whole(self.path, data)
        return aside

    def take_away(self, ours: bytes) -> None:
        """Take our ini away, and bring back what was put aside for it. One that somebody has changed stays.

        Raises OSError.
        """
        try:
            if self.path.read_bytes() == ours:
                self.path.unlink()
        except FileNotFoundError:
            pass
        first = self.path.with_name(f"{self.path.name}{_ASIDE}")
        if not first.exists():
            return
        # More than one only where another came while a start was cut off: the last is what stood there last.
        last = max(self.folder.glob(f"{first.name}*"), key=lambda path: path.stat().st_ctime)
        # By link and unlink, so that one that appears meanwhile is not replaced.
        if not self.path.exists():
            os.link(last, self.path)
        if last.samefile(self.path):  # also when it was cut off in between
            last.unlink()

    def others(self) -> tuple[str, ...]:
        """Names of the other ini files there."""
        return tuple(sorted(path.name for path in self.folder.glob("postproc_*.ini") if path != self.path))

    def _free_aside(self) -> Path:
        path = self.path.with_name(f"{self.path.name}{_ASIDE}")
        for number in count(2):
            if not path.exists():
                break
            path = self.path.with_name(f"{self.path.name}{_ASIDE}.{number}")
        return path


def ini_name(season: int) -> str:
    """Name of a season's ini file; run_postproc.py makes it up from --season."""
    return f"postproc_{season}.ini"


def write_whole(path: Path, data: bytes) -> None:
    """A file that appears whole or not at all, and stays after a power cut."""
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
