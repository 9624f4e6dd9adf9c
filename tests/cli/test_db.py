"""`db upgrade|check|backup`, and what every command says of a database that it cannot use."""

from __future__ import annotations

import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

import desgw_daemon
from desgw_daemon.store.database import SCHEMA
from tests.night.house import House, night_of, planned

#: A table that others refer to, made anew: what SQLite needs for most changes of a column.
_MIGRATION = '''
"""A column of the next version."""
import sqlalchemy as sa
from alembic import op
from desgw_daemon.store.views import create_views, drop_views

revision, down_revision, branch_labels, depends_on = "next", "{before}", None, None


def upgrade() -> None:
    drop_views(op.get_bind())
    with op.batch_alter_table("exposure", recreate="always") as table:
        table.add_column(sa.Column("mood", sa.Text(), nullable=True))
    create_views(op.get_bind())
'''


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path / "sandbox", night_of(planned(938524), planned(938525)), {})
    yield house
    house.close()


@pytest.fixture
def next_version(tmp_path: Path) -> Path:
    """The program with one migration more."""
    root = tmp_path / "next"
    shutil.copytree(Path(desgw_daemon.__file__).parent, root / "desgw_daemon")
    shutil.copytree(Path(desgw_daemon.__file__).parents[1] / "migrations", root / "migrations")
    (root / "migrations" / "versions" / "next.py").write_text(_MIGRATION.format(before=SCHEMA))
    path = root / "desgw_daemon" / "store" / "database.py"
    path.write_text(re.sub(r"^SCHEMA: Final = .*$", 'SCHEMA: Final = "next"', path.read_text(), flags=re.MULTILINE))
    return root


def of_next(version: Path, house: House, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "desgw_daemon", *words],
        cwd=house.root,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(version)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


class TestUpgrade:
    """A database of an older program is refused by all commands but `db upgrade`, which saves a copy first."""

    def test_from_an_older_program(self, house: House, next_version: Path) -> None:
        house.ok("queue", "add", "938524", "938525", "--season", "2206")
        house.ok("queue", "hold", "938524")
        for words in (["queue", "hold", "938524"], ["run"], ["tick"], ["skipto", "--season", "2206"], ["db", "check"]):
            refused = of_next(next_version, house, *words)
            assert refused.returncode == 2, (words, refused)
            assert f"an older desgw-daemon (schema {SCHEMA}, this one needs next)" in refused.stderr
            assert "desgw-daemon db upgrade" in refused.stderr and refused.stderr.count("\n") == 1
        done = of_next(next_version, house, "db", "upgrade")
        assert (done.returncode, done.stderr) == (0, "")
        assert [row["expnum"] for row in house.rows("SELECT expnum FROM exposure WHERE mood IS NULL")] == [
            938524,
            938525,
        ]
        assert len(house.rows('SELECT * FROM "transition"')) >= 2, "the rows that refer to it are still there"
        assert house.rows("PRAGMA foreign_key_check") == []
        (saved,) = (house.state / "backups").iterdir()
        assert str(saved) in done.stdout
        # The program from before is refused by the new file, and takes the copy.
        line = house.refused("queue", "hold", "938524", code=2)
        assert f"a newer desgw-daemon (schema next, this one knows {SCHEMA})" in line
        assert "a newer desgw-daemon" in house.refused("db", "upgrade", code=2)
        saved.replace(house.state / "desgw.db")
        house.ok("queue", "hold", "938524")

    def test_of_one_that_is_up_to_date(self, house: House) -> None:
        assert "does not exist yet" in house.refused("db", "upgrade", code=1)
        house.ok("pause")
        assert f"is up to date (schema {SCHEMA})" in house.ok("db", "upgrade")
        assert not (house.state / "backups").exists()

    def test_of_what_is_not_ours(self, house: House) -> None:
        with sqlite3.connect(house.state / "desgw.db") as db:
            db.execute("CREATE TABLE songs (name TEXT)")
        db.close()
        assert "not one of desgw-daemon" in house.refused("db", "upgrade", code=2)
        assert [row["name"] for row in house.rows("SELECT name FROM sqlite_master")] == ["songs"]


class TestCheck:
    """`db check` finds what is wrong with the file, and exits with 1."""

    def test_of_a_good_one(self, house: House) -> None:
        house.ok("pause")
        assert "is whole, and fits this program" in house.ok("db", "check")

    def test_of_a_view_that_somebody_changed(self, house: House) -> None:
        house.ok("pause")
        with sqlite3.connect(house.state / "desgw.db") as db:
            db.execute("DROP VIEW v_night")
            db.execute("CREATE VIEW v_night AS SELECT 1 AS one")
        db.close()
        done = house.command("db", "check")
        assert done.returncode == 1
        assert "view v_night is not the program's" in done.stdout
        assert "1 problems" in done.stderr


class TestBackup:
    """`db backup` saves a whole copy, and overwrites none."""

    def test_while_others_use_it(self, house: House) -> None:
        house.ok("queue", "add", "938524", "--season", "2206")
        with sqlite3.connect(house.state / "desgw.db", isolation_level=None) as writer:
            writer.execute("BEGIN IMMEDIATE")
            writer.execute("UPDATE exposure SET reason = 'not yet true'")
            house.ok("db", "backup", "copy.db")
            writer.execute("ROLLBACK")
        writer.close()
        with sqlite3.connect(house.root / "copy.db") as copy:
            ((expnum, reason),) = copy.execute("SELECT expnum, reason FROM exposure").fetchall()
        copy.close()
        assert (expnum, reason) == (938524, "added from the command line")
        assert "copy.db is there already" in house.refused("db", "backup", "copy.db", code=2)


class TestALockedOne:
    """A database that somebody has locked is one clear line for a command, and a pause for the daemon."""

    def test_for_long(self, house: House) -> None:
        house.ok("queue", "add", "938524", "--season", "2206")
        house.start()
        house.wait_for("processing", 938524)
        with sqlite3.connect(house.state / "desgw.db", isolation_level=None) as db:
            db.execute("PRAGMA busy_timeout = 60000")
            db.execute("BEGIN EXCLUSIVE")
            with ThreadPoolExecutor(3) as pool:
                commands = [
                    pool.submit(house.refused, *words, code=1)
                    for words in (("queue", "hold", "938524"), ("queue", "add", "938525", "--season", "2206"))
                ]
                assert "938524" in house.ok("status", "938524"), "whoever only reads is not kept waiting"
                for line in (command.result() for command in commands):
                    assert "is locked by another program for more than 15 s: see `fuser" in line
            house.until(lambda: house.log("database_error"), "the daemon says so")
            db.execute("ROLLBACK")
        db.close()
        (said, *_) = house.log("database_error")
        assert "database is locked" in said["text"] and "it goes on by itself" in said["text"]
        house.wait_for("done", 938524)


class TestManyAtOnce:
    """Several first commands at the same time make one database between them."""

    def test_first_commands(self, house: House) -> None:
        with ThreadPoolExecutor(4) as pool:
            futures = [
                pool.submit(house.command, "queue", "add", str(expnum), "--season", "2206")
                for expnum in (938524, 938525, 941225, 941226)
            ]
        *others, first = sorted(future.result().stderr for future in futures)
        assert others == [""] * 3
        assert first == "season 2206 is new here; the DES database was not asked: databases.des is not set\n"
        assert len(house.rows("SELECT * FROM exposure")) == 4


class TestTheDaemonInTheMiddle:
    """A command that is killed in the middle of its transaction has changed nothing."""

    def test_nothing_is_half_written(self, house: House) -> None:
        house.ok("pause")
        lines = "".join(f"{expnum} i 20200304\n" for expnum in range(900_000, 903_000))
        (house.root / "long.list").write_text(lines)
        command = subprocess.Popen(
            [sys.executable, "-m", "desgw_daemon", "queue", "add", "long.list", "--season", "2206"], cwd=house.root
        )
        wal = house.state / "desgw.db-wal"
        house.until(lambda: (wal.exists() and wal.stat().st_size > 0) or command.poll() is not None, "it writes")
        command.send_signal(signal.SIGKILL)
        command.wait()
        assert len(house.rows("SELECT * FROM exposure")) in (0, 3000)


class TestCopies:
    """A copy that passes the check is kept; the newest backup.keep of ours stay, and nobody's else is touched."""

    def test_the_oldest_go(self, house: House) -> None:
        house.configure("backup.keep", "3")
        house.ok("queue", "add", "938524", "--season", "2206")
        folder = house.state / "backups"
        folder.mkdir()
        for name in ("desgw-20200101T000000Z.db", "desgw-20200102T000000Z.db", "desgw-20200103T000000Z.db", "mine.db"):
            (folder / name).write_text("")
        said = house.ok("db", "backup")
        kept = sorted(path.name for path in folder.iterdir())
        assert kept[:2] == ["desgw-20200102T000000Z.db", "desgw-20200103T000000Z.db"] and kept[3:] == ["mine.db"]
        with closing(sqlite3.connect(folder / kept[2])) as copy:
            assert copy.execute("SELECT expnum FROM v_exposure").fetchall() == [(938524,)]
        assert f"removed {folder}/desgw-20200101T000000Z.db: backup.keep is 3" in said

    def test_a_broken_database_removes_nothing(self, house: House) -> None:
        house.configure("backup.keep", "1")
        house.ok("queue", "add", "938524", "--season", "2206")
        folder = house.state / "backups"
        folder.mkdir()
        (folder / "desgw-20200101T000000Z.db").write_text("the last good one")
        database = house.state / "desgw.db"
        with database.open("r+b") as file:
            size = file.seek(0, 2)
            file.seek(4096)
            file.write(b"\xff" * (size - 4096))
        done = house.command("db", "backup")
        assert done.returncode != 0 and done.stderr.count("\n") == 1, done
        assert (folder / "desgw-20200101T000000Z.db").exists()
