"""How the reading commands open the database: lightly, without leaving anything, whatever state it is in."""

from __future__ import annotations

import argparse
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from desgw_daemon.cli.reading import find_place, read
from desgw_daemon.config.loading import load
from desgw_daemon.config.policies import policy_of
from desgw_daemon.errors import Refused
from tests.tools import needed

from . import filled
from .conftest import change
from .program import PROGRAM, program

COMMANDS = (("status",), ("status", "1200200"), ("explain", "1200200"), ("history", "1200200"))
ALL = (*COMMANDS, ("plan",))


class TestLight:
    """The reading commands import neither SQLModel nor pydantic; rich is for terminals only."""

    @pytest.mark.parametrize("words", COMMANDS)
    def test_imports(self, words: tuple[str, ...], night: Path) -> None:
        heavy = {"pydantic", "sqlmodel", "sqlalchemy", "alembic", "structlog", "rich", "watchdog", "apscheduler"}
        code = (
            f"import sys; from desgw_daemon.cli.main import main; code = main({list(words)!r}); "
            f"sys.exit(str({heavy} & set(sys.modules) or '') or code)"
        )
        done = subprocess.run([sys.executable, "-c", code], cwd=night, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


class TestNothingElseIsTouched:
    """The trees of the pipeline are not looked at, and the state folder is left as it was."""

    @pytest.mark.parametrize("words", ALL)
    def test_trees(self, words: tuple[str, ...], night: Path) -> None:
        strace = needed("strace", "strace", "nothing else counts system calls")
        log = night / "calls"
        command = [strace, "-f", "-qq", "-o", str(log), "-e", "trace=%file", *PROGRAM, *words]
        subprocess.run(command, cwd=night, check=True, capture_output=True)
        calls = log.read_text()
        assert str(night / "desgw.db") in calls
        assert str(night / "nowhere") not in calls

    @pytest.mark.parametrize("words", ALL)
    def test_after_a_clean_stop(self, words: tuple[str, ...], night: Path) -> None:
        before = {file.name: file.read_bytes() for file in night.iterdir()}
        assert before.keys() == {"daemon.toml", "desgw.db"}
        assert program(*words, cwd=night).returncode == 0
        assert {file.name: file.read_bytes() for file in night.iterdir()} == before

    @pytest.mark.parametrize("words", [("status",), ("plan",)])
    def test_account_that_may_not_write(self, words: tuple[str, ...], night: Path) -> None:
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            for name in ("daemon.toml", "desgw.db"):
                shutil.copy(night / name, place / name)
                (place / name).chmod(0o444)
            place.chmod(0o555)
            # Root may write anywhere: it becomes nobody, once it has imported (by a run in another folder) what nobody
            # might not be able to read.
            code = (
                f"import os, sys; from desgw_daemon.cli.main import main; os.chdir({str(night)!r}); "
                f"main({list(words)!r}); print('---', flush=True); os.chdir({folder!r}); "
                f"os.geteuid() == 0 and os.setuid(65534); sys.exit(main({list(words)!r}))"
            )
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
            place.chmod(0o755)
        assert (done.returncode, done.stderr) == (0, "")
        assert str(filled.FULL) in done.stdout.partition("---")[2]


class TestBesideAWriter:
    """A writer blocks nobody, and what it has committed is seen, also after a kill -9."""

    def test_open_transaction(self, night: Path) -> None:
        writer = sqlite3.connect(night / "desgw.db", isolation_level=None)
        writer.execute("UPDATE exposure SET reason = 'committed' WHERE expnum = ?", [filled.FULL])
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE exposure SET reason = 'not committed' WHERE expnum = ?", [filled.FULL])
        for words in ALL[:3]:
            done = program(*words, cwd=night)
            assert (done.returncode, done.stderr) == (0, "")
            assert "  committed" in done.stdout
        writer.close()

    @pytest.mark.parametrize("words", [("status",), ("plan",)])
    def test_killed_writer(self, words: tuple[str, ...], night: Path) -> None:
        code = (
            "import os, signal, sqlite3; db = sqlite3.connect('desgw.db', isolation_level=None); "
            f"db.execute('UPDATE exposure SET held = 1 WHERE expnum = {filled.FULL}'); "
            "os.kill(os.getpid(), signal.SIGKILL)"
        )
        subprocess.run([sys.executable, "-c", code], cwd=night, check=False)
        assert (night / "desgw.db-wal").stat().st_size
        done = program(*words, cwd=night)
        assert (done.returncode, done.stderr) == (0, "")
        assert ("ready held" if words == ("status",) else f"queue release {filled.FULL}`") in done.stdout

    def test_change_under_a_reader_that_could_not_know(self, night: Path) -> None:
        path = night / "desgw.db"
        seen: list[str] = []

        def ask(db: sqlite3.Connection) -> str:
            (reason,) = db.execute("SELECT reason FROM v_exposure WHERE expnum = ?", [filled.FULL]).fetchone()
            seen.append(reason)
            if len(seen) == 1:
                # As a `tick` would: opened, written and closed while somebody reads.
                change(night, "UPDATE exposure SET reason = 'new' WHERE expnum = ?", filled.FULL)
            return str(reason)

        assert read(path, ask) == "new"
        assert len(seen) == 2


class TestNoDatabase:
    """Without a database that fits, one line says what is wrong and what to do."""

    def missing(self, path: Path) -> None:
        path.unlink()

    def empty(self, path: Path) -> None:
        path.write_bytes(b"")

    def no_database(self, path: Path) -> None:
        path.write_bytes(b"something else\n" * 1000)

    def broken(self, path: Path) -> None:
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * 400_000)

    def newer(self, path: Path) -> None:
        change(path.parent, "UPDATE alembic_version SET version_num = '9999'")
        change(path.parent, "DROP VIEW v_exposure")

    def foreign(self, path: Path) -> None:
        path.unlink()
        change(path.parent, "CREATE TABLE exposure (id INTEGER)")

    def other_views(self, path: Path) -> None:
        change(path.parent, "DROP VIEW v_exposure")

    @pytest.mark.parametrize(
        ("harm", "code", "said"),
        [
            (missing, 1, "there is no database yet"),
            (empty, 1, "there is no database yet"),
            (no_database, 1, "desgw.db cannot be read: file is not a database; the newest copy made by"),
            (broken, 1, "desgw.db cannot be read: "),
            (newer, 2, "was made by a newer desgw-daemon (schema 9999"),
            (foreign, 2, "is a database, but not one of desgw-daemon: move it away"),
            (other_views, 1, "its views are not this program's (no such table: v_exposure); `desgw-daemon db check`"),
        ],
    )
    @pytest.mark.parametrize("words", [("status",), ("history", "1200200")])
    def test_line(
        self,
        words: tuple[str, ...],
        harm: Callable[[TestNoDatabase, Path], None],
        code: int,
        said: str,
        night: Path,
    ) -> None:
        harm(self, night / "desgw.db")
        done = program(*words, cwd=night)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (code, "", 1)
        assert said in done.stderr

    @pytest.mark.parametrize(("harm", "code"), [(missing, 1), (no_database, 2), (newer, 2), (foreign, 2)])
    def test_plan(self, harm: Callable[[TestNoDatabase, Path], None], code: int, night: Path) -> None:
        harm(self, night / "desgw.db")
        done = program("plan", cwd=night)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (code, "", 1)

    def test_older_with_all_that_is_asked_for(self, night: Path) -> None:
        change(night, "UPDATE alembic_version SET version_num = '9999'")
        assert program("status", cwd=night).returncode == 0

    def test_no_state_folder(self, tmp_path: Path) -> None:
        (tmp_path / "daemon.toml").write_text('[paths]\nstate = "gone"\n')
        done = program("status", cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert "paths.state: there is no folder" in done.stderr

    def test_never_ending_changes(self, night: Path) -> None:
        def ask(db: sqlite3.Connection) -> None:
            os.utime(night / "desgw.db")
            raise sqlite3.DatabaseError("database disk image is malformed")

        with pytest.raises(Refused, match="malformed"):
            read(night / "desgw.db", ask)


class TestPolicy:
    """The numbers that the reading commands speak of are those that the daemon takes from the same file."""

    KEYS = (
        '[poll]\ninterval = "90 s"\n[dagmaker]\nmax_at_once = 3\n[submit]\nmax_in_flight = 7\n'
        '[postproc]\nauto = false\nquiet_for = "40 min"\n[readiness]\nmin_complete_ccds = 41\n'
        'min_forcefile_fraction = 0.6\ngrace_after_dag = "20 min"\ndag_deadline = "2 d"\nadopted_deadline = "9 h"\n'
    )

    @pytest.mark.parametrize("text", ["", KEYS])
    def test_same(self, text: str, tmp_path: Path) -> None:
        path = tmp_path / "daemon.toml"
        path.write_text(f'[paths]\nstate = "."\n{text}')
        policy = find_place(argparse.Namespace(config=str(path))).policy
        whole = policy_of(load(path).config)
        for name in (
            "poll_interval",
            "dagmaker_max_at_once",
            "submit_max_in_flight",
            "min_complete_ccds",
            "min_forcefile_fraction",
            "grace_after_dag",
            "dag_deadline",
            "adopted_deadline",
            "postproc_auto",
            "postproc_quiet_for",
        ):
            assert getattr(policy, name) == getattr(whole, name)

    def test_wrong_values_do_not_keep_anybody_from_reading(self, night: Path) -> None:
        with (night / "daemon.toml").open("a") as toml:
            toml.write('[poll]\ninterval = "soon"\n[submit]\nmax_in_flight = "all"\n[readiness]\n')
        assert program("status", cwd=night).returncode == 0
