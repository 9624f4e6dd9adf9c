"""A state folder and a database that cannot be used: one line that says what and where, and nothing is lost."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import pytest

from desgw_daemon.store.readonly import BUSY_TIMEOUT

from .place import PROGRAM, Place
from .privileges import bound_by_permissions

Words = tuple[str, ...]
#: Commands that only read, and those that write (and work).
READING: Final[tuple[Words, ...]] = (("status",), ("queue", "list"))
WRITING: Final[tuple[Words, ...]] = (("tick",), ("run",), ("queue", "add", "941225", "--season", "2206"))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A place that has worked."""
    place = Place(tmp_path / "place")
    place.exposure()
    place.adopt()
    place.ok("tick")
    return place


class TestNoDatabase:
    """What is no database is refused by every command, and stays as it is."""

    @pytest.mark.parametrize(("words", "code"), [(("status",), 1), (("plan",), 2), *((words, 2) for words in WRITING)])
    def test_text(self, tmp_path: Path, words: Words, code: int) -> None:
        place = Place(tmp_path / "place")
        place.database.write_text("EXPNUM NITE\n" * 1000)
        if words == ("run",):
            # It looks for a good copy before it refuses, and tells the log as well.
            done = place.command(*words)
            assert done.returncode == code
            told, said = done.stderr.splitlines()
            assert " ERROR " in told and "[database_error]" in told
            assert said.startswith(f"desgw-daemon: {place.database} is damaged (file is not a database)")
            assert "there is no good copy" in said and "docs/database.md" in said
        else:
            said = place.refused(*words, code=code)
            assert f"{place.database} cannot be read: file is not a database" in said
            assert "desgw-daemon db backup" in said
        assert place.database.read_text() == "EXPNUM NITE\n" * 1000


class TestBroken:
    """A broken page is met in the middle of the work, and said in the same way."""

    def test_a_page_of_ccds(self, place: Place) -> None:
        with closing(sqlite3.connect(place.database)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            (size,) = db.execute("PRAGMA page_size").fetchone()
            (page,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'ccd'").fetchone()
        with place.database.open("r+b") as file:
            file.seek((page - 1) * size)
            file.write(os.urandom(size))
        for words in (("tick",), ("status",), ("plan",), ("db", "check")):
            said = place.refused(*words, code=1)
            assert f"{place.database} cannot be read: database disk image is malformed" in said


class TestLocked:
    """While another program holds the database, it can be read; what would write waits, and then says so."""

    def test_read_and_wait(self, place: Place) -> None:
        with closing(sqlite3.connect(place.database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            waiting = [
                subprocess.Popen(
                    [*PROGRAM, *words], cwd=place.folder, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
                )
                for words in (WRITING[0], WRITING[2])
            ]
            for words in READING:
                place.ok(*words)
            for process in waiting:
                _, said = process.communicate(timeout=4 * BUSY_TIMEOUT)
                assert process.returncode == 1
                assert said == (
                    f"desgw-daemon: {place.database} is locked by another program for more than 15 s: see"
                    f" `fuser {place.database}`\n"
                )
        place.ok("tick")


class TestReadOnly:
    """In a state folder that may not be written everything can be read, and what would write says why it cannot."""

    def test_read_and_refused(self, place: Place) -> None:
        everything = [place.state, *place.state.rglob("*")]
        for path in everything:
            path.chmod(0o555 if path.is_dir() else 0o444)
        try:
            for words in READING:
                place.ok(*words, before=bound_by_permissions())
            for words in WRITING:
                said = place.refused(*words, code=1, before=bound_by_permissions())
                assert "must be writable for this account" in said or "by this account" in said
                assert str(place.state) in said
        finally:
            for path in everything:
                path.chmod(0o755)


class TestFull:
    """On a full disk everything can be read, what would write says so, and with room again it goes on."""

    def test_read_refused_and_on(self, tmp_path: Path) -> None:
        place = Place(tmp_path / "place")
        exposure = place.exposure()
        with small_disk(place.state):
            place.adopt()
            fill(place.state / "fill")
            for words in WRITING:
                said = place.refused(*words, code=1)
                assert "full" in said or "room" in said
                assert f"`df {place.state}`" in said
            for words in READING:
                place.ok(*words)
            (place.state / "fill").unlink()
            place.ok("tick")
            assert place.shown(exposure)["state"] == "ready"
            place.ok("db", "check")


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A disk of one megabyte, mounted on a folder."""
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if os.geteuid() != 0 or mount is None or umount is None:
        pytest.skip("only root can mount a small disk, and a full one cannot be had otherwise")
    done = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=1m,mode=755", "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run([umount, folder], check=True)


def fill(path: Path) -> None:
    """Leave no room, not for a byte."""
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY)
    size = 100_000
    while size:
        try:
            os.write(descriptor, b"x" * size)
        except OSError:
            size //= 10
    os.close(descriptor)
