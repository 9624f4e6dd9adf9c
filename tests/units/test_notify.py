"""What systemd hears of the daemon, with a socket in systemd's place."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from desgw_daemon.daemon.service import status_line
from desgw_daemon.domain.states import ExposureState
from desgw_daemon.report.sdnotify import Notifier
from desgw_daemon.store.goings_on import GoingsOn
from tests.units.listening import Manager, listening


class TestTheProtocol:
    """Fields are one datagram of lines; a manager that is not there is no error."""

    @pytest.mark.parametrize("abstract", [False, True])
    def test_fields_arrive(self, tmp_path: Path, abstract: bool) -> None:
        address = f"@desgw-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
        with listening(address) as manager:
            assert Notifier(address=address).tell(READY=1, STATUS="a\nb")
            assert manager.until_field("STATUS") == "a b"
            assert manager.heard == [(os.getpid(), {"READY": "1", "STATUS": "a b"})]

    @pytest.mark.parametrize("address", [None, "/nowhere/at/all", "@nobody-listens", "/with\0nul", "/" + "x" * 200])
    def test_nobody_listens(self, address: str | None) -> None:
        assert not Notifier(address=address).tell(READY=1)

    def test_a_manager_that_reads_nothing_holds_nobody_up(self, tmp_path: Path) -> None:
        address = str(tmp_path / "notify")
        with listening(address):
            notifier = Notifier(address=address)
            assert not all(notifier.tell(STATUS="x" * 1000) for _ in range(2000))

    def test_watchdog(self) -> None:
        """A watchdog for another process (a wrapper that has started us) is not ours."""
        assert Notifier.of({"WATCHDOG_USEC": "90000000"}).watchdog == timedelta(seconds=90)
        assert Notifier.of({"WATCHDOG_USEC": "5", "WATCHDOG_PID": str(os.getpid())}).watchdog is not None
        for other in ({}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "x"}, {"WATCHDOG_USEC": "5", "WATCHDOG_PID": "1"}):
            assert Notifier.of(other).watchdog is None


class TestTheStatusLine:
    """One line says what goes on: exposures by state, what is silent, how many alerts."""

    def test_words(self) -> None:
        at = datetime(2026, 11, 22, 2, 14, 5, tzinfo=UTC)
        states = {ExposureState.PROCESSING: 12, ExposureState.READY: 3, ExposureState.ATTENTION: 1}
        states[ExposureState.DONE] = 40
        seen = GoingsOn(exposures=states, silent={"/pnfs": at - timedelta(minutes=6)}, alerts=2, paused=True)
        assert status_line(412, at, seen) == (
            "cycle 412 at 02:14:05Z: 12 processing, 3 ready, 1 needs a person; paused; /pnfs silent for 6 min;"
            " 2 alerts up"
        )
        nothing = GoingsOn(exposures={}, silent={}, alerts=0, paused=False)
        assert status_line(1, at, nothing) == "cycle 1 at 02:14:05Z: nothing to do"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration of a small house: empty trees, a cycle each half second."""
    for name in ("state", "pnfs/exp", "workflow", "postproc"):
        (tmp_path / name).mkdir(parents=True)
    file = tmp_path / "daemon.toml"
    file.write_text(
        '[paths]\nstate = "state"\npnfs = "pnfs"\nworkflow = "workflow"\npostprocessing = "postproc"\n'
        '[poll]\ninterval = "500 ms"\nlook_deadline = "5 s"\n[submit]\nengine = "local"\nquery_timeout = "1 s"\n'
    )
    return file


@contextmanager
def daemon(config: Path, manager: Manager, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """The daemon as a child, with the environment that systemd gives."""
    process = subprocess.Popen(
        [sys.executable, "-m", "desgw_daemon", "--config", str(config), "run"],
        env={**os.environ, "NOTIFY_SOCKET": manager.address, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


class TestADaemonTellsHowItIs:
    """Ready after the first cycle that was written down, a ping for each, and the end when it comes."""

    def test_a_life(self, config: Path, tmp_path: Path) -> None:
        with listening(str(tmp_path / "notify")) as manager, daemon(config, manager) as process:
            ready = manager.until(lambda heard: "READY" in heard.fields)
            assert {heard.pid for heard in manager.heard} == {process.pid}, "NotifyAccess=main"
            assert re.fullmatch(r"cycle 1 at \d\d:\d\d:\d\dZ: nothing to do.*", ready.fields["STATUS"]), "at once"
            for _ in range(3):
                assert manager.until_field("WATCHDOG") == "1"
            config.write_text(config.read_text().replace('"500 ms"', '"500 ms"\nrecheck = "2 h"'))
            process.send_signal(signal.SIGHUP)
            manager.until_field("RELOADING")
            manager.until_field("READY")
            process.send_signal(signal.SIGTERM)
            manager.until_field("STOPPING")
            assert process.wait(10) == 0
            assert all(heard.pid == process.pid for heard in manager.heard)

    def test_a_wrong_configuration_is_never_ready(self, config: Path, tmp_path: Path) -> None:
        config.write_text(config.read_text() + "[polll]\n")
        with listening(str(tmp_path / "notify")) as manager, daemon(config, manager) as process:
            assert process.wait(20) == 2, "the unit's RestartPreventExitStatus"
            with pytest.raises(AssertionError):
                manager.until_field("READY", 0.3)

    def test_a_watchdog_that_is_too_short_is_widened(self, config: Path, tmp_path: Path) -> None:
        with (
            listening(str(tmp_path / "notify")) as manager,
            daemon(config, manager, WATCHDOG_USEC="2000000") as process,
        ):
            assert int(manager.until_field("WATCHDOG_USEC")) == 15_500_000  # 3 x 0.5 s + 2 x 5 s + 4 x 1 s
            process.send_signal(signal.SIGTERM)
            assert "WatchdogSec is 2 s" in process.communicate(timeout=10)[1]

    def test_a_cycle_that_cannot_be_written_down_sends_no_ping(self, config: Path, tmp_path: Path) -> None:
        with listening(str(tmp_path / "notify")) as manager, daemon(config, manager):
            manager.until_field("READY")
            with closing(sqlite3.connect(config.parent / "state" / "desgw.db")) as people:
                people.execute("ALTER TABLE poll RENAME TO away")
            manager.until(lambda heard: "failed" in heard.fields.get("STATUS", ""))
            before = len(manager.heard)
            manager.until(lambda heard: "failed" in heard.fields.get("STATUS", ""))
            assert not any("WATCHDOG" in heard.fields for heard in manager.heard[before:])
