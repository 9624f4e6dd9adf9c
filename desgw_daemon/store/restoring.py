"""Whether the file of the database is whole, which copy is the newest that is, and the way back to a copy.

Works without SQLAlchemy's engine on the file: that would make a broken file's -wal and -shm anew.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import NullPool

from desgw_daemon.errors import Refused
from desgw_daemon.store.readonly import BUSY_TIMEOUT, reading_uri
from desgw_daemon.store.wishes import pause

#: What SQLite says of a file that is broken for good; anything else may be over by itself.
_BROKEN: Final = ("malformed", "not a database", "corrupt", "damaged")
#: What the program says of a file that somebody has taken away under it (store/onefile.py), or before it was started.
_GONE: Final = ("was removed", "was replaced", "is gone")
#: A damaged file can have thousands of complaints: the first says enough.
_CHECK: Final = "PRAGMA quick_check(1)"


def is_broken(words: str) -> bool:
    """Whether these words mean that the file itself is damaged, or gone: nothing but a copy helps."""
    return any(word in words for word in (*_BROKEN, *_GONE))


def is_taken_away(words: str) -> bool:
    """Whether these words mean that the file is no more where it was: the program still has it in hand."""
    return any(word in words for word in _GONE)


def work_without_database(state: Path) -> str:
    """The folders in which a daemon has worked before, in words; empty for a new state folder."""
    return " and ".join(f"{name}/" for name in ("attempts", "local", "runs") if any(state.glob(f"{name}/*")))


def damage_of(path: Path) -> str | None:
    """What is wrong with the file; None when SQLite finds it whole. One that cannot be opened now is not damaged."""
    try:
        with closing(sqlite3.connect(reading_uri(path), uri=True, timeout=BUSY_TIMEOUT)) as connection:
            (answer,) = connection.execute(_CHECK).fetchone()
    except sqlite3.Error as error:
        return str(error) if is_broken(str(error)) else None
    return None if answer == "ok" else " ".join(str(answer).split())


def newest_good_copy(folder: Path) -> Path | None:
    """The newest copy in the folder of backups that is whole."""
    try:
        copies = sorted(folder.glob("*.db"), key=lambda copy: copy.stat().st_mtime, reverse=True)
    except OSError:
        return None
    return next((copy for copy in copies if damage_of(copy) is None), None)


def way_back(folder: Path) -> str:
    """What a person does about a broken database, in words."""
    copy = newest_good_copy(folder)
    if copy is None:
        return f"there is no good copy in {folder}: see docs/database.md"
    made = datetime.fromtimestamp(copy.stat().st_mtime).astimezone()
    return (
        f"the newest good copy is {copy} (of {made:%Y-%m-%dT%H:%M:%S%z}): stop the daemon, then"
        f" `desgw-daemon db restore {copy}`"
    )


def save_what_is_open(engine: Engine, folder: Path, *, at: datetime) -> Path | None:
    """Copy the database that the engine has open, though its file was taken away: all of it is still there, until the
    program ends. None when that is not possible.
    """
    target = folder / f"desgw-{at:%Y%m%dT%H%M%S}Z.db"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with closing(engine.raw_connection()) as held, closing(sqlite3.connect(target)) as copy:
            held.backup(copy)
    except (sqlite3.Error, DatabaseError, OSError):
        target.unlink(missing_ok=True)
        return None
    return target


def restore(path: Path, copy: Path, *, who: str, at: datetime) -> Path | None:
    """Put a copy in the place of the database, paused: what has happened since it was made, it does not know.

    Returns where the database from before is; None when there was none. Raises Refused when the copy is not whole. The
    caller holds the act lock. Cut off anywhere, either the old file or the new one is in place, or none: then nothing
    starts, since the state folder holds work.
    """
    if not copy.is_file():
        raise Refused(f"{copy} is no file")
    if damage := damage_of(copy):
        raise Refused(f"{copy} is no good copy: {damage}; nothing was changed")
    new = path.with_name(f"{path.name}.restoring")
    new.unlink(missing_ok=True)
    with (
        closing(sqlite3.connect(reading_uri(copy), uri=True, timeout=BUSY_TIMEOUT)) as old,
        closing(sqlite3.connect(new)) as target,
    ):
        old.backup(target)
        target.execute("PRAGMA journal_mode = DELETE")
    _pause(new, copy, who, at)
    if path.exists():
        shutil.copymode(path, new)
    else:
        new.chmod(0o664)
    aside = None
    for end in ("-wal", "-shm", ""):
        file = path.with_name(path.name + end)
        if file.exists():
            aside = path.with_name(f"{path.name}.replaced-{at:%Y%m%dT%H%M%S}Z{end}")
            file.rename(aside)
    new.rename(path)
    return aside


def _pause(new: Path, copy: Path, who: str, at: datetime) -> None:
    engine = create_engine(f"sqlite:///{new}", poolclass=NullPool, connect_args={"check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _connect(connection: sqlite3.Connection, record: object) -> None:
        connection.execute("PRAGMA synchronous = FULL")

    why = (
        f"the database was brought back from {copy.name}: what was done since that copy is found again in the queue and"
        " on /pnfs. Look at `desgw-daemon status`, take out or hold what is wrong"
    )
    with engine.begin() as connection:
        pause(connection, who=who, why=why, at=at)
    engine.dispose()
