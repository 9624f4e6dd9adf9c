"""`doctor` in situations that are really broken: each check sees its own, says what to do, and hurts no other."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sqlite3
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from desgw_daemon.config.loading import load
from desgw_daemon.config.model import Config
from desgw_daemon.daemon.doctor.check import CHECKS, Answer, Case
from desgw_daemon.daemon.doctor.examine import checks, examine
from desgw_daemon.daemon.doctor.trees import Trees
from desgw_daemon.daemon.lock import ActLock
from desgw_daemon.domain.checkup import Finding, Outcome
from desgw_daemon.store.database import create_or_check
from tests.cli.program import program
from tests.hanging import slow_mount
from tests.night.credentials import place, token
from tests.tools import left_out, needed

TOML = """\
[paths]
state = "state"
pnfs = "pnfs"
workflow = "workflow"
postprocessing = "postproc"
[poll]
answer_within = "2 s"
[dagmaker]
setup_timeout = "10 s"
[submit]
engine = "local"
[alerts]
channels = { mail = "warning" }
heartbeat = "heartbeat"
[postproc]
host_lock = "locks/host.lock"
"""


class Place:
    """A configuration and all that it names, as a night needs it."""

    def __init__(self, root: Path, database: Path) -> None:
        self.root = root
        self.state, self.pnfs = root / "state", root / "pnfs"
        self.workflow, self.postproc = root / "workflow", root / "postproc"
        for folder in (self.state / "inbox", self.state / "backups", self.pnfs / "exp", self.workflow, self.postproc):
            folder.mkdir(parents=True)
        for folder in (self.state, self.state / "inbox"):
            folder.chmod(0o2775)
        for path in (self.workflow / "DAGMaker.sh", self.postproc / "update_forcephoto_links.sh"):
            path.write_text("#!/bin/bash\n")
            path.chmod(0o755)
        (self.workflow / "setup_img_proc.sh").write_text("export SET_UP=yes\n")
        for name in ("run_postproc.py", "diffimg_setup.sh", "template_postproc.ini"):
            (self.postproc / name).write_text("# here\n")
        (self.workflow / "dagmaker.rc").write_text("SEASON=2206\n")
        (self.workflow / "exposures.list").write_text("938524 20200303\n")
        (self.state / "credentials").mkdir(mode=0o700)
        place(self.state / "credentials" / "alert-mail", "mailto://user:secret@example.org\n")
        for copy in (self.state / "desgw.db", self.state / "backups" / "desgw-1.db"):
            shutil.copyfile(database, copy)
        self.file = root / "daemon.toml"
        self.file.write_text(TOML)

    def set(self, section: str, line: str) -> None:
        """Another line in a section of daemon.toml; one for the same key is taken out."""
        key = line.split(" = ")[0]
        kept = [old for old in self.file.read_text().splitlines() if not old.startswith(f"{key} = ")]
        text = "\n".join(kept)
        head = f"[{section}]"
        self.file.write_text(
            text.replace(head, f"{head}\n{line}") + "\n" if head in text else f"{text}\n{head}\n{line}\n"
        )

    @property
    def config(self) -> Config:
        """What daemon.toml says."""
        return load(self.file).config

    def check(self, name: str, **environment: str) -> Answer:
        """What one check finds."""
        config = self.config
        paths = config.paths
        trees = Trees(
            {"pnfs": paths.pnfs, "workflow": paths.workflow, "postprocessing": paths.postprocessing},
            patience=config.poll.answer_within,
        )
        case = Case(config=config, now=datetime.now(UTC), environment={**os.environ, **environment}, trees=trees)
        return CHECKS[name].run(case)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new database, that the tests' copies are made of."""
    path = tmp_path_factory.mktemp("new") / "desgw.db"
    create_or_check(path).dispose()
    return path


@pytest.fixture
def good(database: Path, tmp_path: Path) -> Place:
    """A place at which nothing is wrong."""
    return Place(tmp_path / "place", database)


@contextmanager
def as_nobody(*folders: Path) -> Iterator[None]:
    """Root may do everything. folders: become readable for who comes."""
    if os.geteuid():
        yield
        return
    for folder in folders:
        for parent in folder.parents:
            if str(parent).startswith(("/tmp/", "/var/tmp/")):
                parent.chmod(parent.stat().st_mode | 0o055)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def age_of(path: Path, span: timedelta) -> None:
    """Make a file so old."""
    moment = (datetime.now(UTC) - span).timestamp()
    os.utime(path, (moment, moment))


Break = Callable[[Place], object]

#: (check, what is done to a good place, outcome, words of its text, words of what to do)
BROKEN: tuple[tuple[str, Break, Outcome, str, str], ...] = (
    ("state_folder", lambda p: p.state.chmod(0o755), Outcome.WARN, "not shared with its group", "chmod 2775"),
    ("state_space", lambda p: p.set("alerts", 'min_free = "900 TiB"'), Outcome.FAIL, "alerts.min_free wants", "room"),
    ("inbox", lambda p: (p.state / "inbox").chmod(0o755), Outcome.WARN, "cannot drop lists", "chmod g+w"),
    ("pnfs", lambda p: shutil.rmtree(p.pnfs), Outcome.FAIL, "it is not there", "mount it"),
    ("pnfs", lambda p: (p.pnfs / "exp").rmdir(), Outcome.FAIL, "is empty: it is not mounted", "mount it"),
    ("pnfs", lambda p: (p.pnfs / "exp").rename(p.pnfs / "other"), Outcome.WARN, "exp cannot be seen", "paths.pnfs"),
    ("pnfs", lambda p: age_of(p.pnfs, -timedelta(hours=1)), Outcome.WARN, "in the future", "timedatectl"),
    ("workflow", lambda p: p.workflow.rename(p.root / "gone"), Outcome.FAIL, "it is not there", "mount it"),
    ("postprocessing", lambda p: _replaced(p.postproc), Outcome.FAIL, "is no folder", "[paths]"),
    ("dagmaker", lambda p: (p.workflow / "DAGMaker.sh").unlink(), Outcome.FAIL, "DAGMaker.sh is not in", "copy it"),
    ("dagmaker", lambda p: (p.workflow / "DAGMaker.sh").chmod(0o644), Outcome.FAIL, "not executable", "chmod +x"),
    ("dagmaker", lambda p: (p.workflow / "dagmaker.rc").write_text(""), Outcome.FAIL, "is empty", "copy it"),
    ("dagmaker", lambda p: _pipe(p.workflow / "setup_img_proc.sh"), Outcome.FAIL, "is no file", "copy it"),
    ("postproc_files", lambda p: (p.postproc / "template_postproc.ini").unlink(), Outcome.FAIL, "is not in", "copy"),
    (
        "postproc_files",
        lambda p: (p.postproc / "update_forcephoto_links.sh").chmod(0o644),
        Outcome.FAIL,
        "is not executable",
        "chmod +x",
    ),
    ("setup", lambda p: _setup(p, "echo no such product; return 3\n"), Outcome.FAIL, "3: no such product", "by hand"),
    ("setup", lambda p: _slow_setup(p), Outcome.FAIL, "longer than dagmaker.setup_timeout", "by hand"),
    ("programs", lambda p: p.set("dagmaker", 'prefix = ["apptaaainer"]'), Outcome.FAIL, "apptaaainer", "install"),
    ("host_lock", lambda p: p.set("postproc", 'host_lock = "/no/where"'), Outcome.FAIL, "is not there", "mkdir /no"),
    ("credential", lambda p: _token(p, None), Outcome.FAIL, "there is no bearer token", "htgettoken"),
    ("credential", lambda p: _token(p, -1), Outcome.FAIL, "has ended at 20", "htgettoken"),
    ("credential", lambda p: _token(p, 2), Outcome.WARN, "before the night is over", "renew it"),
    ("credential", lambda p: _token(p, 20, 0o644), Outcome.FAIL, "is open to others", "chmod 600"),
    ("queue", lambda p: _condor(p), Outcome.FAIL, "htcondor gives no answer", "condor_q"),
    ("schedds", lambda p: p.set("submit", 'engine = "jobsub"'), Outcome.FAIL, "jobsub.schedds is empty", "name every"),
    ("database", lambda p: _schema(p, "0099"), Outcome.FAIL, "made by a newer desgw-daemon", "install the newer"),
    ("database", lambda p: _damaged(p), Outcome.FAIL, "desgw.db", "backups"),
    ("backup", lambda p: shutil.rmtree(p.state / "backups"), Outcome.WARN, "no copy of the database", "db backup"),
    (
        "backup",
        lambda p: age_of(p.state / "backups" / "desgw-1.db", timedelta(days=3)),
        Outcome.WARN,
        "is 3 d 0 h old",
        "db backup",
    ),
    ("season", lambda p: _season(p, 5000), Outcome.WARN, "season 5000 is open", "status --season 5000"),
    ("exposures_list", lambda p: (p.workflow / "exposures.list").unlink(), Outcome.FAIL, "not there", "refresh"),
    (
        "exposures_list",
        lambda p: age_of(p.workflow / "exposures.list", timedelta(days=9)),
        Outcome.WARN,
        "9 d 0 h old",
        "exposures refresh",
    ),
    ("channels", lambda p: p.set("alerts", "channels = {}"), Outcome.WARN, "in the log", "name a channel"),
    ("channels", lambda p: shutil.rmtree(p.state / "credentials"), Outcome.FAIL, "mail has no address", "mode 600"),
    (
        "channels",
        lambda p: (p.state / "credentials" / "alert-mail").chmod(0o640),
        Outcome.FAIL,
        "may be read by others (mode 640)",
        "chmod 600",
    ),
    ("heartbeat", lambda p: p.set("alerts", 'heartbeat = ""'), Outcome.WARN, "nobody is told", "alerts.heartbeat"),
    ("heartbeat", lambda p: p.set("alerts", 'heartbeat = "no/where"'), Outcome.FAIL, "cannot be touched", "folder"),
    ("metrics", lambda p: p.set("metrics", 'textfile = "/no/where.prom"'), Outcome.FAIL, "cannot be replaced", "make"),
    ("metrics", lambda p: p.set("metrics", 'textfile = "numbers.txt"'), Outcome.WARN, "not read by", "end in .prom"),
    ("log", lambda p: p.set("log", 'file = "/no/where.log"'), Outcome.FAIL, "cannot be written", "log.file"),
)


def _replaced(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("a file")


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _setup(p: Place, text: str) -> None:
    (p.workflow / "setup_img_proc.sh").write_text(text)


def _slow_setup(p: Place) -> None:
    p.set("dagmaker", 'setup_timeout = "200 ms"')
    _setup(p, "sleep 60\n")


def _token(p: Place, hours: int | None, mode: int = 0o600) -> None:
    p.set("credential", 'kind = "token"')
    p.set("credential", f'path = "{p.root}/bt"')
    if hours is not None:
        place(p.root / "bt", token(timedelta(hours=hours)), mode)


def _condor(p: Place) -> None:
    p.set("submit", 'engine = "htcondor"')
    p.set("htcondor", 'prefix = ["false"]')


def _schema(p: Place, number: str) -> None:
    with sqlite3.connect(p.state / "desgw.db") as db:
        db.execute("UPDATE alembic_version SET version_num = ?", (number,))
    db.close()


def _damaged(p: Place) -> None:
    with (p.state / "desgw.db").open("r+b") as file:
        file.seek(8192)
        file.write(b"\xa5" * 60000)


def _season(p: Place, season: int) -> None:
    with sqlite3.connect(p.state / "desgw.db") as db:
        db.execute(
            "INSERT INTO exposure (season, expnum, state, reason, since, queued_at, added_by, held, watch_only,"
            " priority, attempt, ready, news_at, forcefiles_expected, forcefiles_found, forcefiles_missing,"
            " forcefiles_surplus) VALUES (?, 938524, 'queued', '', ?, ?, 'me', 0, 0, 0, 1, 'no', ?, 0, 0, '[]', '[]')",
            (season, *["2026-11-22 02:00:00.000000"] * 3),
        )
    db.close()


class TestEachCheck:
    """It sees what is broken, says it, and says what to do."""

    @pytest.mark.parametrize(
        ("name", "broken", "outcome", "text", "todo"), BROKEN, ids=[f"{row[0]}: {row[3]}" for row in BROKEN]
    )
    def test_broken(self, good: Place, name: str, broken: Break, outcome: Outcome, text: str, todo: str) -> None:
        broken(good)
        found = good.check(name)
        assert (found.outcome, text in found.text, todo in (found.todo or "")) == (outcome, True, True), found

    def test_a_good_place(self, good: Place) -> None:
        """... and finds nothing where nothing is broken; what depends on this machine is left out."""
        found = {finding.name: finding for finding in examine(good.config, now=datetime.now(UTC))}
        assert [*found] == [check.name for check in checks()]
        machine = {"state_space", "workflow", "postprocessing", "clock", "service", "daemon", "open_files"}
        assert {name: f for name, f in found.items() if f.outcome is not Outcome.OK and name not in machine} == {}

    def test_not_allowed(self, good: Place) -> None:
        good.state.chmod(0o755)
        for folder in (good.workflow, good.state / "inbox"):
            folder.chmod(0o755)
        with as_nobody(good.state / "x"):
            found = good.check("state_folder")
            assert found.outcome is Outcome.FAIL and "cannot be written by this account" in found.text
            assert good.check("inbox").outcome is Outcome.FAIL

    def test_a_full_disk(self, good: Place) -> None:
        """A tmpfs of 64 kB as the state folder."""
        if os.geteuid():
            left_out("only root may mount a small disk")
        mount = needed("mount", "mount", "mounts a small disk")
        shutil.rmtree(good.state)
        good.state.mkdir()
        done = subprocess.run(
            [mount, "-t", "tmpfs", "-o", "size=64k,mode=2775", "none", good.state], capture_output=True, text=True
        )
        if done.returncode:
            left_out(f"nothing can be mounted here: {done.stderr.strip()}")
        try:
            found = good.check("state_space")
            assert found.outcome is Outcome.FAIL and "alerts.min_free wants 5.0 GiB" in found.text
            with suppress(OSError):
                (good.state / "fill").write_bytes(b"x" * 100_000)
            found = good.check("state_folder")
            assert found.outcome is Outcome.FAIL and "No space left" in found.text, found
        finally:
            subprocess.run(["umount", good.state], check=True)

    def test_credentials_of_systemd(self, good: Place, tmp_path: Path) -> None:
        """An address that systemd hands over is enough, whatever its mode."""
        shutil.rmtree(good.state / "credentials")
        (tmp_path / "alert-mail").write_text("mailto://x\n")
        (tmp_path / "alert-mail").chmod(0o440)
        assert good.check("channels", CREDENTIALS_DIRECTORY=str(tmp_path)).outcome is Outcome.OK

    def test_an_address_for_the_daemon_alone(self, good: Place) -> None:
        """An observer may not read it; a daemon that is at work may. The daemon itself must see it."""
        shutil.rmtree(good.state / "credentials")
        (good.state / "locks").mkdir(exist_ok=True)
        with ActLock(good.state):
            holder = good.state / "locks" / "act.holder"
            holder.write_text("process 1\n")
            assert good.check("channels").outcome is Outcome.WARN
            holder.write_text(f"process {os.getppid()}\n")
            assert good.check("channels").outcome is Outcome.FAIL

    def test_a_busy_port(self, good: Place) -> None:
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            good.set("metrics", f'listen = "127.0.0.1:{other.getsockname()[1]}"')
            with ActLock(good.state):
                found = good.check("metrics")
            assert found.outcome is Outcome.FAIL and "no numbers of the daemon" in found.text
        # Nobody has it now, and no daemon is to show anything there.
        assert good.check("metrics").outcome is Outcome.OK

    def test_a_daemon_that_writes_nothing_down(self, good: Place) -> None:
        assert good.check("daemon").outcome is Outcome.WARN
        with sqlite3.connect(good.state / "desgw.db") as db:
            db.execute(
                "INSERT INTO poll (started_at, ended_at, exposures, listings, stats, reads, unseen, actions)"
                " VALUES ('2026-11-22 02:14:05.000000', '2026-11-22 02:14:06.000000', 0, 0, 0, 0, 0, 0)"
            )
        db.close()
        with ActLock(good.state):
            found = good.check("daemon")
        assert found.outcome is Outcome.FAIL and "since 2026-11-22T02:14:06Z" in found.text

    def test_a_time_zone_that_is_none(self, good: Place) -> None:
        if not Path("/usr/share/zoneinfo").is_dir():
            left_out("no time zones are installed: apt-get install tzdata")
        assert good.check("time_zone", TZ="America/Sntiago").outcome is Outcome.WARN
        assert good.check("time_zone", TZ="America/Santiago").outcome is Outcome.OK

    def test_nobody_lingers(self, good: Place, tmp_path: Path) -> None:
        good.set("service", 'children = "unit"')
        found = good.check("linger", XDG_RUNTIME_DIR=str(tmp_path))
        assert found.outcome is Outcome.FAIL and "enable-linger" in (found.todo or "")


class TestHanging:
    """A tree that gives no answer, and a check that raises, hurt no other check and keep nobody waiting."""

    def test_a_silent_tree(self, good: Place, tmp_path: Path) -> None:
        """All three lie on a mount that hangs."""
        paths = good.config.paths
        good.set("poll", 'answer_within = "1 s"')
        with slow_mount(good.file.parent, tmp_path / "mount") as mount:
            for name in ("pnfs", "workflow", "postprocessing"):
                good.set("paths", f'{name} = "{mount.root / getattr(paths, name).relative_to(good.file.parent)}"')
            mount.hang()
            found = {finding.name: finding for finding in examine(good.config, now=datetime.now(UTC), quick=True)}
        for name in ("pnfs", "workflow", "postprocessing", "dagmaker", "postproc_files", "exposures_list"):
            assert found[name].outcome is Outcome.FAIL and "no answer within 1 s" in found[name].text, found[name]
        assert found["database"].outcome is Outcome.OK and "setup" not in found

    def test_a_check_that_raises_or_hangs(self, good: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        def raises(case: Case) -> Answer:
            raise OSError("Stale file handle")

        pipe = good.root / "pipe"
        os.mkfifo(pipe)

        def hangs(case: Case) -> Answer:
            with pipe.open() as never:
                return Answer(Outcome.OK, never.read())

        within = timedelta(milliseconds=300)
        monkeypatch.setitem(CHECKS, "log", replace(CHECKS["log"], run=raises_like(raises)))
        monkeypatch.setitem(CHECKS, "inbox", replace(CHECKS["inbox"], run=raises_like(hangs), within=lambda _: within))
        try:
            found = {finding.name: finding for finding in examine(good.config, now=datetime.now(UTC), quick=True)}
        finally:
            os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))  # it reads an end now
        assert "Stale file handle" in found["log"].text and found["log"].outcome is Outcome.FAIL
        assert "has come to no end within 0 s" in found["inbox"].text
        assert found["database"].outcome is Outcome.OK and found["season"].outcome is Outcome.OK


def raises_like(run: Callable[[Case], Answer]) -> Callable[[Case], Answer]:
    """A check of the module that the one in its place is of."""
    run.__module__ = CHECKS["log"].run.__module__
    return run


class TestTheCommand:
    """Exit code 1 when something fails, 2 for a wrong daemon.toml, else 0; what fails stands last, with what to do."""

    def test_all_is_well(self, good: Place) -> None:
        good.set("alerts", "min_free = 0")
        done = program("doctor", cwd=good.root)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "FAIL" not in done.stdout and done.stderr == ""
        assert "OK    database        " in done.stdout

    def test_something_fails(self, good: Place) -> None:
        good.set("alerts", "min_free = 0")
        (good.workflow / "DAGMaker.sh").unlink()
        done = program("doctor", cwd=good.root)
        assert done.returncode == 1
        lines = done.stdout.splitlines()
        assert lines[-4].startswith("FAIL  dagmaker        DAGMaker.sh is not in")
        assert lines[-3].strip().startswith("-> copy it from the group's repository")
        assert "1 FAIL: a night needs what fails" in lines[-1]
        told = json.loads(program("doctor", "--quick", "--json", cwd=good.root).stdout)
        assert told["outcome"] == "fail" and told["counts"]["fail"] == 1
        (found,) = (Finding(**one) for one in told["checks"] if one["outcome"] == "fail")
        assert found.name == "dagmaker"
        assert "setup" not in [one["name"] for one in told["checks"]]

    def test_a_wrong_configuration(self, good: Place) -> None:
        good.file.write_text(good.file.read_text() + "[polll]\nx = 1\n[log]\nlevel = 3\n")
        done = program("doctor", cwd=good.root)
        assert done.returncode == 2 and "2 problems in" in done.stderr and done.stdout == ""

    def test_it_leaves_nothing(self, good: Place) -> None:
        """Nothing is made, changed or sent by it."""

        def all_of_it() -> dict[str, tuple[int, int]]:
            found = ((path, path.lstat()) for path in good.root.rglob("*"))
            return {
                str(path): (info.st_mtime_ns, info.st_size)
                for path, info in found
                # A lock file that only says that nobody has it.
                if not stat.S_ISDIR(info.st_mode) and path.parent.name != "locks"
            }

        before = all_of_it()
        program("doctor", cwd=good.root)
        assert all_of_it() == before
