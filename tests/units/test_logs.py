"""The log in the journal, and `logs`: what was said, from the file."""

from __future__ import annotations

import array
import json
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from desgw_daemon.cli.logs import _time
from desgw_daemon.errors import UsageError
from desgw_daemon.report.journal import Journal, is_for_journal
from desgw_daemon.report.logread import from_journal


class Receiver:
    """What journald would have got: fields by name."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    def entry(self) -> dict[str, str]:
        data, extra, *_ = self._socket.recvmsg(1 << 20, socket.CMSG_SPACE(4))
        if extra:
            (descriptor,) = array.array("i", extra[0][2])
            with os.fdopen(descriptor, "rb") as file:
                file.seek(0)
                data = file.read()
        found = {}
        while data:
            line, _, data = data.partition(b"\n")
            name, equals, value = line.partition(b"=")
            if not equals:
                length = int.from_bytes(data[:8], "little")
                value, data = data[8 : 8 + length], data[9 + length :]
            found[name.decode()] = value.decode()
        return found


@contextmanager
def journald(path: Path) -> Iterator[Receiver]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(path))
        sock.settimeout(5)
        yield Receiver(sock)


def say(handler: Journal, **told: object) -> None:
    """One record, as the log's formatter gives it."""
    text = json.dumps({"level": "WARNING", "event": "ccd_failed", "text": "it failed", **told})
    handler.emit(logging.LogRecord("x", logging.WARNING, "", 0, text.replace("%", "%%"), None, None))


class TestTheJournal:
    """A record is one entry: message, priority, and fields that people look for under their own names."""

    def test_fields(self, tmp_path: Path) -> None:
        with journald(tmp_path / "s") as receiver:
            handler = Journal(str(tmp_path / "s"))
            say(handler, season=2206, nite="20200304", expnum=938524, ccd=7, step="RUN22\nx", odd_é=[1])
            assert receiver.entry() == {
                "MESSAGE": "938524 it failed",
                "PRIORITY": "4",
                "SYSLOG_IDENTIFIER": "desgw-daemon",
                "EVENT": "ccd_failed",
                "EXPNUM": "938524",
                "NITE": "20200304",
                "SEASON": "2206",
                "DESGW_CCD": "7",
                "DESGW_STEP": "RUN22\nx",
                "DESGW_ODD__": "[1]",
            }

    def test_what_is_too_big_for_a_datagram(self, tmp_path: Path) -> None:
        with journald(tmp_path / "s") as receiver:
            say(Journal(str(tmp_path / "s")), traceback="x" * 5_000_000)
            assert len(receiver.entry()["DESGW_TRACEBACK"]) == 5_000_000

    def test_no_journal_there(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        say(Journal(str(tmp_path / "nothing")), text="two\nlines")
        assert capsys.readouterr().err == "<4>two lines [ccd_failed]\n"

    def test_only_where_stderr_is_the_journal(self, tmp_path: Path) -> None:
        with (tmp_path / "err").open("wb") as stream:
            info = os.fstat(stream.fileno())
            assert is_for_journal({"JOURNAL_STREAM": f"{info.st_dev}:{info.st_ino}"}, stream.fileno())
            assert not is_for_journal({"JOURNAL_STREAM": f"{info.st_dev}:1"}, stream.fileno())
            assert not is_for_journal({}, stream.fileno())
        assert not is_for_journal({"JOURNAL_STREAM": "1:1"}, 999)


def record(expnum: int, level: str, at: str) -> str:
    told = {"time": at, "level": level, "event": "ccd_failed", "text": f"of {expnum}", "season": 2206}
    return json.dumps({**told, "nite": "20200304", "expnum": expnum, "ccd": 7}) + "\n"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A configuration with a log of three records, and one that a full disk has cut."""
    (tmp_path / "state").mkdir()
    (tmp_path / "daemon.toml").write_text('[paths]\nstate = "state"\n')
    (tmp_path / "state" / "desgw-daemon.log").write_text(
        record(938524, "INFO", "2026-11-22T02:14:05Z")
        + '{"time": "2026-11-\n'
        + record(938525, "WARNING", "2026-11-22T03:14:05Z")
        + record(938524, "ERROR", "2026-11-22T04:14:05Z")
    )
    return tmp_path


def logs(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "desgw_daemon", "--config", str(place / "daemon.toml"), "logs", "--file", *words],
        capture_output=True,
        text=True,
        timeout=60,
    )


class TestLogs:
    """`logs` shows what is asked for, oldest first, as people or programs read it."""

    @pytest.mark.parametrize(
        ("words", "times"),
        [
            ((), ["02", "03", "04"]),
            (("938524",), ["02", "04"]),
            (("--priority", "warning"), ["03", "04"]),
            (("--since", "2026-11-22T03:00"), ["03", "04"]),
            (("--season", "2207"), []),
            (("--nite", "20200304", "-n", "1"), ["04"]),
        ],
    )
    def test_choice(self, place: Path, words: tuple[str, ...], times: list[str]) -> None:
        done = logs(place, *words, "--json")
        assert done.returncode == 0, done.stderr
        assert [json.loads(line)["time"][11:13] for line in done.stdout.splitlines()] == times

    def test_for_people(self, place: Path) -> None:
        first = logs(place).stdout.splitlines()[0]
        assert first == "2026-11-22T02:14:05Z INFO    938524 of 938524 [ccd_failed] ccd=7 nite=20200304 season=2206"

    @pytest.mark.parametrize("words", [("--priority", "loud"), ("--since", "soon"), ("--nite", "x")])
    def test_wrong_use(self, place: Path, words: tuple[str, ...]) -> None:
        done = logs(place, *words)
        assert done.returncode == 2 and done.stderr.count("\n") == 1

    def test_nothing_logged_yet(self, place: Path) -> None:
        (place / "state" / "desgw-daemon.log").unlink()
        done = logs(place)
        assert done.returncode == 1 and "nothing has been logged yet" in done.stderr

    def test_follow(self, place: Path) -> None:
        """What comes is shown, in a file that logrotate has put there, too."""
        log = place / "state" / "desgw-daemon.log"
        command = [sys.executable, "-m", "desgw_daemon", "--config", str(place / "daemon.toml")]
        with subprocess.Popen([*command, "logs", "--file", "-f", "--json"], stdout=subprocess.PIPE, text=True) as shown:
            assert shown.stdout is not None
            try:
                assert [json.loads(shown.stdout.readline())["expnum"] for _ in range(3)] == [938524, 938525, 938524]
                log.rename(log.with_suffix(".1"))
                log.write_text(record(938526, "INFO", "2026-11-22T05:14:05Z"))
                assert json.loads(shown.stdout.readline())["expnum"] == 938526
                with log.open("a") as file:
                    file.write(record(938527, "INFO", "2026-11-22T05:14:06Z"))
                assert json.loads(shown.stdout.readline())["expnum"] == 938527
            finally:
                shown.send_signal(signal.SIGKILL)

    def test_since(self) -> None:
        now = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
        assert _time("2 h", now) == now - timedelta(hours=2)
        assert _time("00:30", now) == now - timedelta(minutes=30)
        assert _time("23:30", now) == now - timedelta(hours=1, minutes=30)
        assert _time("2026-11-22T02:14:05Z", now) == datetime(2026, 11, 22, 2, 14, 5, tzinfo=UTC)
        with pytest.raises(UsageError):
            _time("yesterday", now)

    def test_a_journal_that_may_not_be_read(self, tmp_path: Path) -> None:
        """Its words are the error; the command then reads the file."""
        fake = tmp_path / "journalctl"
        fake.write_text("#!/bin/sh\necho 'No journal files were opened due to insufficient permissions.' >&2\nexit 1\n")
        fake.chmod(0o755)
        with pytest.raises(OSError, match="insufficient permissions"):
            list(from_journal([str(fake)]))
