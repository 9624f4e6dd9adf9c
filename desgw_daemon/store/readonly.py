"""How the database is opened for reading by whoever may not, or need not, write. Standard library only.

A reader must leave no file behind. Opening a WAL database for reading makes a -wal and a -shm file when there are
none, which would belong to the reader's account: the daemon could not write to them any more.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

#: How long a program waits for another one that has locked the file (seconds).
BUSY_TIMEOUT: Final = 15.0


def reading_uri(path: Path) -> str:
    """The file as a URI for sqlite3: read-only, and `immutable` (no other files are looked for) when no -wal file
    is there, as after a clean stop, or an empty one: a start on a full disk leaves that, and no room for a -shm file.

    With `immutable` a change that is made while reading may be missed, or half seen: see `is_immutable`.
    """
    return f"{path.absolute().as_uri()}?mode=ro{'' if wal_size(path) else '&immutable=1'}"


def wal_size(path: Path) -> int:
    """What the -wal file holds (bytes): changes that are not in the file itself yet; 0 without one."""
    try:
        return path.with_name(f"{path.name}-wal").stat().st_size
    except FileNotFoundError:
        return 0


def is_immutable(uri: str) -> bool:
    """Whether a reader that uses this URI must look afterwards whether the file has changed meanwhile."""
    return uri.endswith("&immutable=1")


def why_not_read(path: Path, cause: str) -> str:
    """A line for a person from SQLite's words (`cause`) for why it cannot read the file."""
    if "locked" in cause:
        return f"{path} is locked by another program for more than {BUSY_TIMEOUT:.0f} s: see `fuser {path}`"
    if "unable to open" in cause or "readonly" in cause:
        return f"{path} may not be opened by this account ({cause}): ask for membership of the group that owns it"
    if "disk I/O" in cause:
        return f"{path} cannot be used: {cause}. Is the disk full? See `df {path.parent}`"
    return f"{path} cannot be read: {cause}; the newest copy made by `desgw-daemon db backup` is the way back"
