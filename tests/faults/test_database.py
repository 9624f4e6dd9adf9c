"""A database that is damaged or locked: nothing is done, people are told once, and it heals by itself where it can."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from desgw_daemon.daemon.trouble import DatabaseTrouble, refuse_damaged
from desgw_daemon.domain.actions import AlertWanted
from desgw_daemon.domain.messages import Message
from desgw_daemon.errors import Refused
from desgw_daemon.report.logs import Log
from desgw_daemon.store.database import SchemaError, backup, create_or_check
from desgw_daemon.store.restoring import damage_of, newest_good_copy, restore, save_what_is_open

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
    """A trouble is told once without the database, also across a restart; the alert that it leaves tells its end."""

    def trouble(self, place: Place, log: Log, sent: list[Message], **more: Any) -> DatabaseTrouble:
        return DatabaseTrouble(
            state=place.state,
            backups=place.loaded.config.backups,
            log=log,
            send=sent.append,
            clock=lambda: place.now,
            calm=timedelta(minutes=5),
            **more,
        )

    def test_once(self, place: Place) -> None:
        sent: list[Message] = []
        with place.log() as log:
            first = self.trouble(place, log, sent)
            for _ in range(3):
                first.began("database is locked")
            second = self.trouble(place, log, sent)
            second.began("database is locked")
            assert second.told() is not None
            second.is_over()
            assert second.told() is None
            second.began("database is locked")  # at once again: the same trouble
        (message,) = sent
        assert message.title.startswith("CRITICAL: database error")
        assert "goes on by itself" in message.body and "2026-11-22T02:00:00Z" in message.body

    def test_damage_names_the_copy(self, place: Place) -> None:
        copy = copy_of(place, "old.db", 20)
        sent: list[Message] = []
        with place.log() as log:
            self.trouble(place, log, sent).began("database disk image is malformed")
        assert f"db restore {copy}" in sent[0].body

    def test_a_disk_that_was_told_as_nearly_full(self, place: Place) -> None:
        sent: list[Message] = []
        with place.log() as log:
            trouble = self.trouble(place, log, sent, cause=lambda: "disk_nearly_full")
            trouble.began("database or disk is full")
            assert not sent and trouble.told() is None
            trouble.began("database is locked")
        assert len(sent) == 1


class TestTheAlertThatItLeaves:
    """The first cycle that is written down leaves an alert, told already and over; its end is told like any other's."""

    def told(self, place: Place) -> AlertWanted:
        return AlertWanted(key="database_error", rule="database_error", text="locked", since=place.now)

    def test_it_is_over_at_once_and_its_end_told_once(self, place: Place) -> None:
        place.tick()
        told = self.told(place)
        place.tick(told=told)
        query = "SELECT times_told, cleared_at IS NULL, cleared_told_at IS NULL, told_at = raised_at FROM alert"
        assert place.rows(f"{query} WHERE rule = 'database_error'") == [(1, 0, 1, 1)]
        for _ in range(7):
            place.tick()
        assert place.rows(f"{query} WHERE rule = 'database_error'") == [(1, 0, 0, 1)]
        assert place.said.getvalue().count("alert=database_error") == 1

    def test_one_that_comes_back_soon_is_the_same(self, place: Place) -> None:
        place.tick(told=self.told(place))
        place.tick()
        place.tick(told=self.told(place))
        assert place.rows("SELECT count(*) FROM alert WHERE rule = 'database_error'") == [(1,)]
        place.tick(later=timedelta(minutes=20))
        place.tick(told=self.told(place))
        assert place.rows("SELECT count(*) FROM alert WHERE rule = 'database_error'") == [(2,)]


class TestTakenAway:
    """A file that was removed, or has another in its place, is used no more, and what was in it is saved."""

    @pytest.mark.parametrize("another", [False, True])
    def test_nothing_is_done(self, place: Place, another: bool) -> None:
        place.tick()
        path = place.loaded.config.database
        kept = path.with_name("kept")
        if another:
            backup(path, path.with_name("other"))
        path.rename(kept)
        if another:
            path.with_name("other").rename(path)
        with pytest.raises(OperationalError, match="replaced" if another else "removed"):
            place.tick()
        assert path.exists() is another, "no empty one is made in its place"
        saved = save_what_is_open(place.database, place.loaded.config.backups, at=place.now)
        assert saved is not None and damage_of(saved) is None
        kept.replace(path)
        place.tick()
        assert place.rows("SELECT count(*) FROM poll WHERE ended_at IS NOT NULL") == [(2,)]

    def test_a_start_without_it_is_refused_and_told(self, place: Place) -> None:
        copy = copy_of(place, "old.db", 20)
        place.database.dispose()
        (place.state / "attempts" / "dp2206_20200304_938524_a1").mkdir(parents=True)
        place.loaded.config.database.unlink()
        with place.log() as log, pytest.raises(SchemaError, match=f"is gone.*db restore {copy}"):
            refuse_damaged(place.loaded.config, log, lambda: place.now)
        assert (place.state / "database_error.told").exists()


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
