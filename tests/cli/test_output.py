"""Tables, JSON, times and ages as they are printed."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from desgw_daemon.cli.output import age, print_json, print_table, utc

HEADERS = ("EXPNUM", "BAND", "CCDS", "REASON")
REASON = "waits for 12 CCDs since 2026-11-22T02:14:05Z; lost at 03:10 unless they come; nobody is wanted"
ROWS = (("941225", "i", "47", REASON), ("1000001", "r", "5", "done"))
SCRIPT = f"""
from desgw_daemon.cli.output import print_table
print_table({HEADERS!r}, {ROWS!r}, right=("CCDS",), styles=("red", None))
"""


def on_terminal(columns: int, **env: str) -> str:
    """What the table looks like on a real (pseudo) terminal of so many columns."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        stdout=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": str(columns), **env},
    )
    os.close(theirs)
    said = b""
    with child, os.fdopen(ours, "rb", buffering=0) as reading:
        while True:
            try:
                piece = reading.read(4096)
            except OSError:  # a terminal without a writer ends like this
                break
            if not piece:
                break
            said += piece
    assert child.returncode == 0
    return said.decode().replace("\r\n", "\n")


def plain(text: str) -> str:
    """The text without the terminal's codes."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


class TestTableInAPipe:
    """In a pipe each row is one line, nothing is cut and there are no colours."""

    def test_lines(self, capsys: pytest.CaptureFixture[str]) -> None:
        print_table(HEADERS, ROWS, right=("CCDS",), styles=("red", None))
        assert capsys.readouterr().out.splitlines() == [
            "EXPNUM   BAND  CCDS  REASON",
            f"941225   i       47  {REASON}",
            "1000001  r        5  done",
        ]

    def test_odd_names_keep_to_their_line(self, capsys: pytest.CaptureFixture[str]) -> None:
        print_table(("NAME",), (("a\nb\x1b[31m\udce9",),))
        assert capsys.readouterr().out.splitlines() == ["NAME", "a\\nb\\x1b[31m\\udce9"]

    def test_no_rows(self, capsys: pytest.CaptureFixture[str]) -> None:
        print_table(HEADERS, ())
        assert capsys.readouterr().out == "EXPNUM  BAND  CCDS  REASON\n"


class TestTableOnATerminal:
    """On a terminal no line is longer than the terminal is wide, and no word of a reason is lost."""

    @pytest.mark.parametrize("columns", [40, 80, 120, 200])
    def test_width(self, columns: int) -> None:
        shown = plain(on_terminal(columns))
        assert max(len(line) for line in shown.splitlines()) <= columns
        assert REASON.split() == [word for word in shown.split() if word in REASON.split()]

    def test_wrapped_below_its_column(self) -> None:
        assert plain(on_terminal(80)).splitlines()[1:4] == [
            "941225   i       47  waits for 12 CCDs since 2026-11-22T02:14:05Z; lost at 03:10",
            "                     unless they come; nobody is wanted",
            "1000001  r        5  done",
        ]

    def test_narrow(self) -> None:
        lines = plain(on_terminal(50)).splitlines()
        assert lines[1:3] == ["941225   i       47", "    waits for 12 CCDs since 2026-11-22T02:14:05Z;"]

    def test_colours(self) -> None:
        assert "\x1b[31m941225" in on_terminal(80)
        assert "\x1b[31m" not in on_terminal(80, NO_COLOR="1")


class TestTimes:
    """Times are UTC to the second; ages are rounded down to what a person would say."""

    def test_utc(self) -> None:
        time = datetime(2026, 11, 21, 20, 14, 5, 999, tzinfo=timezone(timedelta(hours=-6)))
        assert utc(time) == "2026-11-22T02:14:05Z"

    def test_no_zone(self) -> None:
        with pytest.raises(ValueError, match="no time zone"):
            utc(datetime(2026, 11, 22))  # noqa: DTZ001 - that it is refused is the test

    @pytest.mark.parametrize(
        ("seconds", "said"),
        [
            (-5, "0 s"),
            (0, "0 s"),
            (59.9, "59 s"),
            (60, "1 min"),
            (3599, "59 min"),
            (3600, "1 h 00 min"),
            (11100, "3 h 05 min"),
            (86399, "23 h 59 min"),
            (86400, "1 d 0 h"),
            (187200, "2 d 4 h"),
        ],
    )
    def test_age(self, seconds: float, said: str) -> None:
        assert age(timedelta(seconds=seconds)) == said


@dataclass
class Thing:
    """Something with fields."""

    path: Path
    names: frozenset[str]


class TestJson:
    """Everything that the daemon knows can be printed as JSON, odd names too."""

    def test_values(self, capsys: pytest.CaptureFixture[str]) -> None:
        time = datetime(2026, 11, 22, 2, 14, 5, tzinfo=UTC)
        thing = Thing(Path("/a"), frozenset({"c", "b"}))
        print_json({"at": time, "day": time.date(), "age": timedelta(minutes=2), "thing": thing, "odd": "\udce9"})
        assert json.loads(capsys.readouterr().out) == {
            "at": "2026-11-22T02:14:05Z",
            "day": "2026-11-22",
            "age": 120.0,
            "thing": {"path": "/a", "names": ["b", "c"]},
            "odd": "\udce9",
        }

    def test_unknown(self) -> None:
        with pytest.raises(TypeError, match="cannot write object as JSON"):
            print_json({"x": object()})
