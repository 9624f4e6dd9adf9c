"""Faults of the database and of the disk it is on: real ones, under the running daemon.

People are told of them without the database, so that what counts is what has come in by a channel.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Final

from desgw_daemon.store.restoring import damage_of
from tests.disks import ImageDisk, SmallDisk

from .fault import Fault
from .night import DrillNight

#: A cycle waits for 15 s for a database that somebody has locked.
_LOCKED: Final = 60.0
_DISK: Final = {"alerts.min_free": '"1 MiB"'}


def _given_up(night: DrillNight, cycles: int = 3, *, within: float = _LOCKED) -> bool:
    """Wait until people have been told, and so many cycles were given up."""
    return night.waits(lambda: night.said("[database_error]") >= cycles and bool(night.heard()), within)


def _locked(night: DrillNight) -> None:
    night.middle()
    night.breaks()
    with closing(sqlite3.connect(night.database, isolation_level=None, timeout=60)) as other:
        other.execute("BEGIN EXCLUSIVE")
        _given_up(night, 2)
        night.heals()
        other.execute("ROLLBACK")


def _on_a_small_disk(night: DrillNight) -> None:
    night.listen()
    night.disk = SmallDisk(night.house.state, "24m")
    night.undo.append(night.disk.remove)


def _full(night: DrillNight) -> None:
    assert isinstance(night.disk, SmallDisk)
    night.middle()
    night.breaks()
    night.disk.fill()
    _given_up(night)
    night.heals()
    night.disk.make_room()


def _fills_up(night: DrillNight) -> None:
    assert isinstance(night.disk, SmallDisk)
    night.middle()
    night.breaks()
    # Below a tenth of alerts.min_free nothing new is begun.
    night.disk.fill(leave=512 << 10)
    night.told("disk_nearly_full")
    night.disk.fill()
    # The database may find room within its own file for a while.
    night.waits(lambda: night.said("[database_error]") > 0, 5)
    night.heals()
    night.disk.make_room()


def _on_an_image(night: DrillNight) -> None:
    night.listen()
    night.disk = ImageDisk(night.house.state, night.house.root.parent / "state.img")
    night.undo.append(night.disk.remove)


def _read_only(night: DrillNight) -> None:
    assert isinstance(night.disk, ImageDisk)
    night.middle()
    night.breaks()
    night.disk.fails()
    _given_up(night)
    # Whoever mends such a disk must have it to himself.
    night.house.stop()
    night.disk.mend()
    night.heals()
    night.house.start()


def _stop_between_transactions(pid: int, database: Path) -> None:
    """SIGSTOP, where the process keeps nobody else from writing."""
    for _ in range(200):
        os.kill(pid, signal.SIGSTOP)
        with closing(sqlite3.connect(database, isolation_level=None, timeout=0.2)) as other:
            try:
                other.execute("BEGIN IMMEDIATE")
                other.execute("ROLLBACK")
                return
            except sqlite3.OperationalError:
                os.kill(pid, signal.SIGCONT)
        time.sleep(0.05)
    raise AssertionError("it writes all the time")


def _damaged(night: DrillNight) -> None:
    house = night.house
    assert house.daemon is not None
    # Before anything is submitted: what is submitted since is in no copy.
    house.ok("db", "backup", "early.db")
    (house.state / "backups").mkdir()
    (house.root / "early.db").rename(house.state / "backups" / "early.db")
    night.middle()
    _stop_between_transactions(house.daemon.pid, night.database)
    with closing(sqlite3.connect(night.database, isolation_level=None, timeout=60)) as other:
        # What the daemon has in its memory is out of date by that: it must read the file.
        other.execute("UPDATE setting SET key = key")
        other.execute("CREATE TABLE aside (a)")
        other.execute("DROP TABLE aside")
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with night.database.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(4096)
        file.write(b"\x55" * (size - 4096))
    night.breaks()
    os.kill(house.daemon.pid, signal.SIGCONT)
    _given_up(night)
    house.stop()
    assert damage_of(night.database) is not None
    # As the message says.
    (message,) = night.heard()
    command = message.split("desgw-daemon db restore ")[1].split()[0].rstrip("`.;")
    house.ok("db", "restore", command)
    night.heals()
    house.start()
    house.ok("resume")


def _gone(night: DrillNight) -> None:
    house = night.house
    night.middle()
    night.database.rename(night.database.with_name("moved.db"))
    night.breaks()
    _given_up(night)
    house.stop()
    (message,) = night.heard()
    house.ok("db", "restore", message.split("desgw-daemon db restore ")[1].split()[0].rstrip("`.;"))
    night.heals()
    house.start()
    house.ok("resume")


def _listening(night: DrillNight) -> None:
    night.listen()


FAULTS: Final = (
    Fault(
        name="database-locked",
        what="another program keeps the database locked (BEGIN EXCLUSIVE, two cycles of 15 s)",
        alert="database_error",
        happens=_locked,
        before=_listening,
    ),
    Fault(
        name="disk-full",
        what="the disk of the state folder is full at once, to the last byte",
        alert="database_error",
        happens=_full,
        before=_on_a_small_disk,
        settings={"alerts.min_free": '"0.0001 MiB"'},
        # The jobs of the grid are not on that disk.
        queue="paper",
    ),
    Fault(
        name="disk-fills-up",
        what="the disk of the state folder is nearly full, and then full to the last byte",
        alert="disk_nearly_full",
        happens=_fills_up,
        before=_on_a_small_disk,
        settings={"alerts.min_free": '"8 MiB"'},
        queue="paper",
    ),
    Fault(
        name="disk-read-only",
        what="the disk of the state folder has an error: its file system (ext4) is read-only from then on",
        alert="database_error",
        happens=_read_only,
        before=_on_an_image,
        settings=_DISK,
        queue="paper",
    ),
    Fault(
        name="database-damaged",
        what="the file of the database is overwritten; a copy from before the first submission is brought back",
        alert="database_error",
        happens=_damaged,
        before=_listening,
    ),
    Fault(
        name="database-gone",
        what="somebody takes the file of the database away; what the daemon has saved of it is brought back",
        alert="database_error",
        happens=_gone,
        before=_listening,
    ),
)
