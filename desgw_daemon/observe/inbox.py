"""The inbox: list files that people drop into inbox/SEASON/, once they have come to rest.

Nothing is remembered between two scans, so that single ticks take lists as the daemon does. Must not move
or change anything: what becomes of a list is decided elsewhere.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from desgw_daemon.domain.seasons import season_problem
from desgw_daemon.observe.lists import MAX_BYTES
from desgw_daemon.observe.text import plain_name

TAKEN: Final = "taken"
REFUSED: Final = "refused"
_ENDING: Final = ".list"
#: Where lists lie that have not been taken yet, below the inbox.
LISTS: Final = f"*/*{_ENDING}"
#: As people write it: without a sign, a prefix or a leading zero.
_SEASON: Final = re.compile(r"[1-9]\d{0,9}", re.ASCII)
#: No file system takes a longer name (bytes); `.why` must still fit behind it.
_LONGEST_NAME: Final = 255 - len(".why")


@dataclass(frozen=True, slots=True, kw_only=True)
class DroppedList:
    """A list that has come to rest: what is in it, cut off behind MAX_BYTES + 1 bytes (parse_list refuses it then)."""

    path: Path
    season: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedFile:
    """Something that can never become a list of a season, and why."""

    path: Path
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxScan:
    """What lies in the inbox.

    unsettled: how many lists still change. ignored: files in a season's folder whose name does not end in
    .list, in words. problems: folders that could not be read.
    """

    lists: tuple[DroppedList, ...]
    refused: tuple[RefusedFile, ...]
    unsettled: int
    ignored: tuple[str, ...]
    problems: tuple[str, ...]


def scan_inbox(folder: Path, *, settle: timedelta, now: datetime) -> InboxScan:
    """Every list below SEASON folders, in the order of their names.

    A list has come to rest when nothing was written to it for the settle time: neither its mtime nor its
    ctime, which no copying program sets, is younger, and it did not change while it was read.
    """
    scan = _Scan(settle=settle, now=now)
    for entry in scan.entries(folder):
        if entry.name in (TAKEN, REFUSED) or entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            scan.season(entry)
        elif entry.name.endswith(_ENDING):
            scan.refuse(entry, f"it lies beside the folders of the seasons: drop it into {folder.name}/SEASON/")
        else:
            scan.ignored.append(f"{plain_name(entry.name)} is neither the folder of a season nor a list")
    return InboxScan(
        lists=tuple(scan.lists),
        refused=tuple(scan.refused),
        unsettled=scan.unsettled,
        ignored=tuple(scan.ignored),
        problems=tuple(scan.problems),
    )


def target_name(name: str, dropped_at: datetime, existing: Collection[str]) -> str:
    """A name for a list in taken/ or refused/ that overwrites none of the existing ones.

    The time goes first, so that they sort by it. A name too long for it is cut at the end of its stem.
    """
    stem = name.removesuffix(_ENDING)
    for number in range(1, len(existing) + 2):
        before = f"{dropped_at.astimezone(UTC):%Y%m%dT%H%M%SZ}_"
        after = _ENDING if number == 1 else f"_{number}{_ENDING}"
        room = _LONGEST_NAME - len(before) - len(after)
        target = before + os.fsdecode(os.fsencode(stem)[:room]) + after
        if target not in existing:
            return target
    raise AssertionError("more names are taken than there are")


class _Scan:
    """One scan under way."""

    def __init__(self, *, settle: timedelta, now: datetime) -> None:
        self._now = now.timestamp()
        self._youngest = (now - settle).timestamp()
        self.lists: list[DroppedList] = []
        self.refused: list[RefusedFile] = []
        self.unsettled = 0
        self.ignored: list[str] = []
        self.problems: list[str] = []

    def entries(self, folder: str | Path) -> Iterator[os.DirEntry[str]]:
        """What is in a folder, by name."""
        try:
            with os.scandir(folder) as found:
                yield from sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            self.problems.append(f"{plain_name(str(folder))} cannot be read: {error.strerror or error}")

    def refuse(self, entry: os.DirEntry[str], problem: str) -> None:
        """This one is no list, and will be none."""
        self.refused.append(RefusedFile(path=Path(entry.path), problem=problem))

    def season(self, folder: os.DirEntry[str]) -> None:
        """The lists of one season."""
        problem = _season_problem(folder.name)
        for entry in self.entries(folder.path):
            if entry.name in (TAKEN, REFUSED) or entry.name.startswith("."):
                continue
            if not entry.name.endswith(_ENDING):
                shown = f"{plain_name(folder.name)}/{plain_name(entry.name)}"
                self.ignored.append(f"{shown} is not taken: its name does not end in {_ENDING}")
            elif problem is not None:
                self.refuse(entry, problem)
            else:
                self._list(entry, int(folder.name))

    def _list(self, entry: os.DirEntry[str], season: int) -> None:
        try:
            if entry.is_symlink():
                self.refuse(entry, "it is a link: copy the list itself")
            elif not entry.is_file(follow_symlinks=False):
                self.refuse(entry, "it is no file")
            elif (data := self._settled(entry.path)) is None:
                self.unsettled += 1
            else:
                self.lists.append(DroppedList(path=Path(entry.path), season=season, data=data))
        except FileNotFoundError:
            pass  # taken away again
        except OSError as error:
            self.refuse(entry, f"it cannot be read: {error.strerror or error}")

    def _settled(self, path: str) -> bytes | None:
        """Its bytes, or None while it changes. Raises OSError."""
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(file, "rb") as opened:
            before = os.fstat(file)
            # An mtime of tomorrow was set by somebody, and says nothing; the ctime is this machine's.
            changed = before.st_ctime if before.st_mtime > self._now else max(before.st_mtime, before.st_ctime)
            if not stat.S_ISREG(before.st_mode) or changed > self._youngest:
                return None
            data = opened.read(MAX_BYTES + 1)
            after = os.fstat(file)
        unchanged = (before.st_size, before.st_mtime_ns, before.st_ctime_ns) == (
            after.st_size,
            after.st_mtime_ns,
            after.st_ctime_ns,
        )
        return data if unchanged else None


def _season_problem(name: str) -> str | None:
    if not _SEASON.fullmatch(name):
        return f"it lies in {plain_name(name)!r}: the folder's name must be a season, such as 2206"
    return season_problem(int(name))
