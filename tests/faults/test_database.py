"""A database that is damaged or locked: nothing is done, people are told once, and it heals by itself where it can."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from desgw_daemon.daemon.trouble import DatabaseTrouble, refuse_damaged
from desgw_daemon.errors import Refused
from desgw_daemon.store.database import SchemaError, backup, create_or_check
from desgw_daemon.store.restoring import damage_of, newest_good_copy, restore

from .place import Place


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path / "place")
    place.queue(938524)
    yield place
    place.remove()


def copy_of(place: Place, name: str, age: int) -> Path:
    folder = place.loaded.config.backups
    folder.mkdir(exist_ok=True)
    backup(place.loaded.config.database, folder / name)
    os.utime(folder / name, (1_700_000_000 - age, 1_700_000_000 - age))
    return folder / name


def damage(path: Path) -> None:
    """Overwrite pages in the middle of the file, as a bad disk does."""
    with path.open("r+b") as file:
        file.seek(4096 * 2)
        file.write(b"\x55" * 4096 * 6)


class TestDamage:
    """A damaged file is refused with the newest copy that is whole, and the command that brings it back."""

    def test_it_is_seen(self, place: Place) -> None:
        path = place.loaded.config.database
        good, newer = copy_of(place, "old.db", 20), copy_of(place, "new.db", 10)
        damage(newer)
        place.database.dispose()
        assert damage_of(path) is None
        damage(path)
        assert newest_good_copy(place.loaded.config.backups) == good
        with place.log() as log, pytest.raises(SchemaError, match=f"desgw-daemon db restore {good}"):
            refuse_damaged(place.loaded.config, log, lambda: place.now)

    def test_run_refuses_it(self, place: Place) -> None:
        copy = copy_of(place, "old.db", 20)
        place.database.dispose()
        damage(place.loaded.config.database)
        command = [sys.executable, "-m", "desgw_daemon", "--config", str(place.root / "daemon.toml"), "run"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 2
        assert f"db restore {copy}" in done.stderr.splitlines()[-1]
        assert (place.state / "database_error.told").exists()

    def test_the_way_back_pauses(self, place: Place) -> None:
        path = place.loaded.config.database
        copy = copy_of(place, "old.db", 20)
        place.queue(938525)
        place.database.dispose()
        damage(path)
        aside = restore(path, copy, who="me", at=place.now)
        assert aside is not None and damage_of(aside) is not None
        place.database = create_or_check(path)
        place.house = place.built()
        done = place.tick()
        assert place.rows("SELECT expnum FROM exposure") == [(938524,)]
        assert all(str(action).startswith("wait") for action in done.actions)
        assert "brought back from old.db" in place.rows("SELECT reason FROM exposure")[0][0]

    def test_a_bad_copy_changes_nothing(self, place: Place) -> None:
        path = place.loaded.config.database
        copy = copy_of(place, "old.db", 20)
        damage(copy)
        place.database.dispose()
        before = path.read_bytes()
        with pytest.raises(Refused, match="no good copy"):
            restore(path, copy, who="me", at=place.now)
        assert path.read_bytes() == before


class TestTelling:
    """An episode is told once without the database, also across a restart, and its end once."""

    def test_once_each(self, place: Place) -> None:
        sent: list[str] = []
        with place.log() as log:

            def trouble() -> DatabaseTrouble:
                return DatabaseTrouble(
                    state=place.state,
                    backups=place.loaded.config.backups,
                    log=log,
                    send=lambda title, body, severity: sent.append(f"{severity}: {title}: {body}"),
                    clock=lambda: place.now,
                )

            first = trouble()
            for _ in range(3):
                first.began("database is locked")
            trouble().began("database is locked")
            trouble().is_over()
            trouble().is_over()
        told, over = sent
        assert told.startswith("critical: ") and "goes on by itself" in told
        assert over.startswith("info: ") and "2026-11-22T02:00:00Z" in over

    def test_damage_names_the_copy(self, place: Place) -> None:
        copy = copy_of(place, "old.db", 20)
        sent: list[str] = []
        with place.log() as log:
            DatabaseTrouble(
                state=place.state,
                backups=copy.parent,
                log=log,
                send=lambda title, body, severity: sent.append(body),
                clock=lambda: place.now,
            ).began("database disk image is malformed")
        assert f"db restore {copy}" in sent[0]


class TestLocked:
    """Another program that holds the file: the cycle is given up, and the next one goes on."""

    def test_recovers(self, place: Place) -> None:
        place.tick()
        with closing(sqlite3.connect(place.loaded.config.database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            place.impatient()
            with pytest.raises(OperationalError, match="locked"):
                place.tick()
            other.execute("ROLLBACK")
        place.tick()
        assert place.rows("SELECT count(*) FROM poll WHERE ended_at IS NOT NULL") == [(2,)]
