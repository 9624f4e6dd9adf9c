"""The inbox: list files that people drop into ``inbox/SEASON/``. Seen here, taken by act.

A file is looked at when it has not changed for the settle time: by its mtime, and by its ctime, which no `cp -p` sets
back and which a rename moves on.
"""

from __future__ import annotations

import os
import pwd
import stat
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from desgw_daemon.observe.lists import MAX_BYTES, ParsedList, RefusedList, parse_list

#: Folders of an inbox where lists lie that have been dealt with.
TAKEN: Final = "taken"
REFUSED: Final = "refused"
SUFFIX: Final = ".list"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """A list that has stopped growing. season is None where it does not lie in a season's folder."""

    path: Path
    season: int | None
    owner: str
    content: ParsedList | RefusedList


def scan_inbox(inbox: Path, *, settle: timedelta, now: datetime) -> tuple[Dropped, ...]:
    """The settled lists, oldest first. Raises OSError when the inbox itself cannot be listed."""
    found: list[tuple[float, Dropped]] = []
    for entry in sorted(os.scandir(inbox), key=lambda entry: entry.name):
        if entry.name in (TAKEN, REFUSED):
            continue
        if entry.name.endswith(SUFFIX) and not entry.is_dir(follow_symlinks=False):
            found += _settled(Path(entry.path), None, settle, now)
        elif entry.is_dir(follow_symlinks=False):
            found += _in_folder(Path(entry.path), settle, now)
    return tuple(dropped for _, dropped in sorted(found, key=lambda pair: (pair[0], pair[1].path.name)))


def free_name(folder: Path, name: str) -> Path:
    """A path in the folder that no file has yet: the name, or the name with a number."""
    path = folder / name
    number = 1
    while os.path.lexists(path):
        number += 1
        path = folder / f"{name.removesuffix(SUFFIX)}.{number}{SUFFIX}"
    return path


def _in_folder(folder: Path, settle: timedelta, now: datetime) -> list[tuple[float, Dropped]]:
    season = int(folder.name) if folder.name.isascii() and folder.name.isdigit() else None
    found = []
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return []  # somebody's private folder: not for us
    for entry in entries:
        if entry.name.endswith(SUFFIX) and not entry.is_dir(follow_symlinks=False):
            found += _settled(Path(entry.path), season, settle, now)
    return found


def _settled(path: Path, season: int | None, settle: timedelta, now: datetime) -> list[tuple[float, Dropped]]:
    try:
        info = path.lstat()
    except FileNotFoundError:
        return []
    changed = max(info.st_mtime if info.st_mtime <= now.timestamp() else 0.0, info.st_ctime)
    if now.timestamp() - changed < settle.total_seconds():
        return []
    content: ParsedList | RefusedList
    if not stat.S_ISREG(info.st_mode):
        content = RefusedList(problems=("it is no regular file (a link, a pipe): copy the list itself here",))
    else:
        try:
            with path.open("rb") as file:
                content = parse_list(file.read(MAX_BYTES + 1))
        except FileNotFoundError:
            return []
        except OSError as error:
            content = RefusedList(problems=(f"it cannot be read: {error.strerror}",))
    return [(changed, Dropped(path=path, season=season, owner=_owner(info.st_uid), content=content))]


def _owner(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
