"""Writing dagmaker.rc: the calls on its disk, made in the process behind a door where that disk may hang.

Must stay cheap to import: that process loads it with the first question.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from desgw_daemon.errors import Refused


def check_writable(path: Path) -> None:
    """Raises Refused."""
    target = _target(path)
    if not os.access(target, os.W_OK):
        raise Refused(f"{path} is read-only for this account: the season and other keys cannot be set in it")
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise Refused(f"{target.parent} cannot be written to: {target.name} cannot be changed")


def prepared(path: Path, before: bytes, after: bytes) -> Path:
    """The old file beside it as .bak, and the new one under another name.

    Raises Refused: nothing is changed then.
    """
    target = _target(path)
    backup = target.with_name(f"{target.name}.bak")
    first, second = target.with_name(f".{target.name}.bak.new"), target.with_name(f".{target.name}.new")
    try:
        like = target.stat()
        _write(first, before, like)
        _write(second, after, like)
        first.rename(backup)
    except OSError as error:
        for left in (first, second):
            with suppress(OSError):
                left.unlink()
        raise Refused(
            f"{target} cannot be changed: {error.strerror}: {error.filename2 or error.filename or target.parent};"
            f" it is as it was (is there room? see `df {target.parent}`)"
        ) from error
    return second


def put(path: Path, new: Path) -> None:
    """The new file in the place of the old one. May be repeated after a crash, with a new one."""
    new.rename(_target(path))
    _sync_folder(new.parent)


def _target(path: Path) -> Path:
    """The file itself: where a link stands, the link stays."""
    return Path(os.path.realpath(path))


def _write(path: Path, data: bytes, like: os.stat_result) -> None:
    """A new file, on the disk, with the rights and the group of the one that it replaces. Raises OSError."""
    with suppress(FileNotFoundError):
        path.unlink()  # left by one that was killed
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        made = os.fstat(descriptor)
        if made.st_gid != like.st_gid:
            os.fchown(descriptor, -1, like.st_gid)
        if made.st_uid != like.st_uid:
            # Only root can give files away. Whoever may change it goes by its group then, which has been kept.
            with suppress(PermissionError):
                os.fchown(descriptor, like.st_uid, -1)
        os.fchmod(descriptor, stat.S_IMODE(like.st_mode))
        os.fsync(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
