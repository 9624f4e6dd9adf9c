"""The log: lines for people, JSON for programs, and nothing that stops the daemon."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import resource
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from desgw_daemon.report.events import Event
from desgw_daemon.report.logs import Log, bind_exposure


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the log goes."""
    return tmp_path / "desgw-daemon.log"


@pytest.fixture
def terminal() -> io.StringIO:
    """What a person sees."""
    return io.StringIO()


@pytest.fixture
def log(file: Path, terminal: io.StringIO) -> Iterator[Log]:
    """A log to both."""
    with Log(level="INFO", file=file, terminal=terminal) as log:
        yield log


def records(file: Path) -> list[dict[str, Any]]:
    """The records in the file."""
    return [json.loads(line) for line in file.read_text().splitlines() if line]


class TestRecord:
    """A record has a time, a level, an event, a sentence, the exposure that is bound, and its fields."""

    def test_json(self, log: Log, file: Path) -> None:
        with bind_exposure(expnum=941225, nite="20191130", season=2206):
            log.info(
                Event.DAG_SUBMITTED,
                "Its DAG is in the queue.",
                job="163.0",
                took=timedelta(seconds=3),
                at=datetime(2026, 11, 22, 2, 14, 5, tzinfo=UTC),
                dag=Path("/x.dag"),
                ccds=(1, 3),
                host=None,
            )
        log.info(Event.CYCLE_DONE, "A cycle has ended.")
        first, second = records(file)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", first.pop("time"))
        assert first == {
            "level": "INFO",
            "event": "dag_submitted",
            "text": "Its DAG is in the queue.",
            "season": 2206,
            "nite": "20191130",
            "expnum": 941225,
            "job": "163.0",
            "took": 3.0,
            "at": "2026-11-22T02:14:05Z",
            "dag": "/x.dag",
            "ccds": [1, 3],
        }
        assert "expnum" not in second

    def test_terminal(self, log: Log, terminal: io.StringIO) -> None:
        with bind_exposure(expnum=941225, nite=None, season=2206):
            log.warning(Event.CCD_FAILED, "CCD 7 failed\nat RUN22.", step="RUN22_a b.FAIL", n=3)
        line = terminal.getvalue()
        assert line.count("\n") == 1
        assert line[20:] == (
            ' WARNING 941225 CCD 7 failed\\nat RUN22. [ccd_failed] step="RUN22_a b.FAIL" n=3 season=2206\n'
        )

    def test_time_is_utc(self, log: Log, file: Path) -> None:
        before = datetime.now(UTC).replace(microsecond=0)
        log.info(Event.CYCLE_DONE, "x")
        logged = datetime.strptime(records(file)[0]["time"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        assert before <= logged <= datetime.now(UTC)

    def test_odd_names(self, log: Log, file: Path, terminal: io.StringIO) -> None:
        log.info(Event.LIST_REFUSED, "odd", name="a\udce9\n\x1b[2J")
        assert records(file)[0]["name"] == "a\udce9\n\x1b[2J"
        assert terminal.getvalue().encode("utf-8").count(b"\n") == 1
        assert "\x1b" not in terminal.getvalue()


class TestErrors:
    """An exception is one line on the terminal; the file has its traceback too."""

    def test_cause(self, log: Log, file: Path, terminal: io.StringIO) -> None:
        try:
            raise OSError(28, "No space left on device")
        except OSError as error:
            log.error(Event.DATABASE_ERROR, "The cycle was given up.", cause=error)
        record = records(file)[0]
        assert (record["level"], record["error"]) == ("ERROR", "OSError: [Errno 28] No space left on device")
        assert record["traceback"].startswith("Traceback")
        assert terminal.getvalue().count("\n") == 1
        assert 'error="OSError: [Errno 28] No space left on device"' in terminal.getvalue()


class TestLevel:
    """Records below the level are left out; the level can be changed while the daemon runs."""

    def test_level(self, log: Log, file: Path) -> None:
        log.debug(Event.CYCLE_DONE, "one")
        log.set_level("DEBUG")
        log.debug(Event.CYCLE_DONE, "two")
        log.set_level("ERROR")
        log.warning(Event.CYCLE_DONE, "three")
        assert [record["text"] for record in records(file)] == ["two"]


class TestLibraries:
    """What APScheduler and watchdog log themselves comes through, from WARNING on, under one event."""

    @pytest.mark.parametrize("name", ["apscheduler.executors.default", "watchdog.observers"])
    def test_library(self, name: str, log: Log, file: Path) -> None:
        library = logging.getLogger(name)
        library.info("not heard")
        library.warning("Run time of %s was missed", "tick")
        record = records(file)[0]
        assert len(records(file)) == 1
        assert (record["event"], record["level"], record["library"]) == ("library_warning", "WARNING", name)
        assert record["text"] == "Run time of tick was missed"

    def test_traceback(self, log: Log, file: Path) -> None:
        try:
            raise KeyError("x")
        except KeyError:
            logging.getLogger("apscheduler").exception("Job raised")
        assert records(file)[0]["error"] == "KeyError: 'x'"

    def test_nothing_is_left_after_the_end(self, file: Path, terminal: io.StringIO) -> None:
        with Log(level="INFO", file=file, terminal=terminal):
            pass
        logging.getLogger("apscheduler").warning("later")
        assert terminal.getvalue() == ""
        assert not file.exists()


class TestSharedFile:
    """The group may write the file, whoever made it and whatever the umask."""

    def test_mode(self, log: Log, file: Path) -> None:
        before = os.umask(0o077)
        try:
            log.info(Event.CYCLE_DONE, "x")
        finally:
            os.umask(before)
        assert file.stat().st_mode & 0o777 == 0o664

    def test_mode_of_a_file_that_is_there_stays(self, log: Log, file: Path) -> None:
        file.touch(0o600)
        log.info(Event.CYCLE_DONE, "x")
        assert file.stat().st_mode & 0o777 == 0o600


class TestLogrotate:
    """A file that was moved away is left alone, and a new one is begun."""

    def test_moved(self, log: Log, file: Path) -> None:
        log.info(Event.CYCLE_DONE, "one")
        old = file.rename(file.with_name("desgw-daemon.log.1"))
        log.info(Event.CYCLE_DONE, "two")
        assert [record["text"] for record in records(old)] == ["one"]
        assert [record["text"] for record in records(file)] == ["two"]


class TestFullDisk:
    """Lines that cannot be written are lost, counted, and never raise."""

    def test_full(self, log: Log, file: Path, terminal: io.StringIO) -> None:
        file.symlink_to("/dev/full")
        log.info(Event.CYCLE_DONE, "one")
        log.info(Event.CYCLE_DONE, "two")
        assert terminal.getvalue().count("\n") == 2
        file.unlink()
        log.info(Event.CYCLE_DONE, "three")
        log.info(Event.CYCLE_DONE, "four")
        lost, *others = records(file)
        assert (lost["event"], lost["count"]) == ("log_lines_lost", 2)
        assert [record["text"] for record in others] == ["three", "four"]

    def test_folder_away(self, file: Path, terminal: io.StringIO) -> None:
        later = file.parent / "later"
        with Log(level="INFO", file=later / "x.log", terminal=terminal) as log:
            log.info(Event.CYCLE_DONE, "one")
            later.mkdir()
            log.info(Event.CYCLE_DONE, "two")
        assert [record["event"] for record in records(later / "x.log")] == ["log_lines_lost", "cycle_done"]

    CUT = """
import resource, signal, sys
from pathlib import Path
from desgw_daemon.report.events import Event
from desgw_daemon.report.logs import Log
with Log(level="INFO", file=Path(sys.argv[1])) as log:
    log.info(Event.CYCLE_DONE, "one")
    full = Path(sys.argv[1]).stat().st_size + 20
    resource.setrlimit(resource.RLIMIT_FSIZE, (full, resource.RLIM_INFINITY))
    log.info(Event.CYCLE_DONE, "two")
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    log.info(Event.CYCLE_DONE, "three")
"""

    @pytest.mark.skipif(
        resource.getrlimit(resource.RLIMIT_FSIZE)[1] != resource.RLIM_INFINITY,
        reason="the size of files is limited here, so the limit could not be lifted again",
    )
    def test_line_that_was_cut(self, file: Path) -> None:
        subprocess.run([sys.executable, "-c", self.CUT, str(file)], check=True, capture_output=True)
        one, cut, lost, three = (line for line in file.read_text().splitlines() if line)
        assert json.loads(one)["text"] == "one"
        assert len(cut) == 20
        assert json.loads(lost)["count"] == 1
        assert json.loads(three)["text"] == "three"


class TestCatalogue:
    """Only events of the catalogue can be logged, and each has a meaning in one line."""

    @pytest.mark.parametrize("event", list(Event))
    def test_meaning(self, event: Event) -> None:
        assert event.value == event.name.lower()
        assert event.meaning.endswith(".")
        assert event.meaning.isprintable()

    def test_type(self, tmp_path: Path) -> None:
        (tmp_path / "wrong.py").write_text(
            "from desgw_daemon.report.events import Event\n"
            "from desgw_daemon.report.logs import Log\n"
            "def speak(log: Log) -> None:\n"
            "    log.info(Event.CYCLE_DONE, 'right')\n"
            "    log.info('cycle_done', 'wrong')\n"
        )
        settings = ("--follow-imports=silent", "--config-file=", f"--cache-dir={tmp_path}")
        done = subprocess.run(
            [sys.executable, "-m", "mypy", *settings, str(tmp_path / "wrong.py")],
            capture_output=True,
            text=True,
            check=False,
        )
        assert re.findall(r"wrong\.py:(\d+): error", done.stdout) == ["5"]
        assert 'incompatible type "str"; expected "Event"' in done.stdout
