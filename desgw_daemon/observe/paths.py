"""What is at a path, and what this account may do with it.

Must not change anything, and must not open what is no plain file: a pipe would wait.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

Kind = Literal["folder", "file", "other"]
_KINDS: Final[dict[int, Kind]] = {stat.S_IFDIR: "folder", stat.S_IFREG: "file"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What is at a path. kind None: nothing, or nobody knows, and then `problem` says why.

    size, free: bytes. inodes: how many more files the disk takes, None where it has no such limit.
    mtime: seconds since 1970.
    """

    kind: Kind | None = None
    problem: str | None = None
    silent: bool = False
    size: int = 0
    mtime: float = 0.0
    readable: bool = False
    writable: bool = False
    executable: bool = False
    free: int = 0
    inodes: int | None = None
    empty: bool = False


def seen(path: Path) -> Seen:
    """What is there. A path that cannot be seen has a `problem`."""
    try:
        info = path.stat()
    except FileNotFoundError:
        return Seen()
    except OSError as error:
        return Seen(problem=error.strerror)
    found = Seen(
        kind=_KINDS.get(stat.S_IFMT(info.st_mode), "other"),
        size=info.st_size,
        mtime=info.st_mtime,
        readable=os.access(path, os.R_OK, effective_ids=True),
        writable=os.access(path, os.W_OK, effective_ids=True),
        executable=os.access(path, os.X_OK, effective_ids=True),
    )
    if found.kind != "folder":
        return found
    try:
        room = os.statvfs(path)
        found = replace(found, free=room.f_bavail * room.f_frsize, inodes=room.f_favail if room.f_files else None)
        with os.scandir(path) as entries:
            return replace(found, empty=next(entries, None) is None)
    except OSError as error:
        return replace(found, problem=error.strerror)
