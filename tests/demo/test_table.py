"""How a night is shown fits the place it is shown in."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console
from rich.live import Live

from desgw_daemon.cli.demo_seen import Line, Progress, Run
from desgw_daemon.cli.demo_table import Caps, Lines, LiveTable, shortened, shown

CAPS = Caps(season=2206, in_flight=4, making=3, ccds=649)
WAITING = (
    "45 of 59 CCDs complete, 14 failed (14 at RUN18_combined+expose_hotpants); waits for 3 CCDs,"
    " newest change 2026-11-22T13:09:51Z; its DAG is running, 48 of 61 jobs done"
)


def night(*, state: str = "processing", step: int | None = 3) -> Progress:
    """Twelve exposures in the same state."""
    line = Line(
        expnum=1_038_524,
        nite="20200304",
        band="i",
        state=state,
        partly=True,
        complete=42,
        bad=14,
        pending=3,
        forcefiles=118,
        reason=WAITING,
    )
    lines = tuple(replace(line, expnum=line.expnum + n) for n in range(12))
    return Progress(lines=lines, in_flight=4, making=3, run=Run(number=1, state="running", step=step))


class TestTerminal:
    """The table fits any terminal of 80 columns and 24 lines, and wider ones show more."""

    @pytest.mark.parametrize("width", [80, 100, 120, 200])
    @pytest.mark.parametrize("state", ["processing", "postprocessing", "attention", "done"])
    def test_it_fits(self, width: int, state: str) -> None:
        out = io.StringIO()
        console = Console(file=out, width=width, height=24, force_terminal=False, highlight=False, markup=False)
        with Live(console=console, auto_refresh=False) as live:
            LiveTable(CAPS, live).seen(night(state=state), "works (process 4194304)")
        lines = out.getvalue().splitlines()
        assert len(lines) <= 18
        assert max(map(len, lines)) <= width
        rows = [line for line in lines if line.startswith("10385")]
        assert len(rows) == 12 and all(row.endswith("…") or width == 200 for row in rows)
        assert ("20200304" in rows[0]) == (width >= 100)
        assert ("━" in rows[0]) == (width >= 140)

    def test_words_between_brackets_stay(self) -> None:
        out = io.StringIO()
        console = Console(file=out, width=80, force_terminal=False, markup=False)
        with Live(console=console, auto_refresh=False) as live:
            LiveTable(CAPS, live).say("the list [red] is queued", loud=True)
        assert "00:00  the list [red] is queued" in out.getvalue()


class TestPipe:
    """In a pipe each change is one line, said once."""

    def test_only_changes(self, capsys: pytest.CaptureFixture[str]) -> None:
        lines = Lines(CAPS)
        lines.seen(night(step=None), "works")
        first = capsys.readouterr().out.splitlines()
        assert len(first) == 13 and first[-1] == "00:00  post-processing: run 1 running"
        assert first[0] == f"00:00  1038524 i  new -> processing: {WAITING}"
        lines.seen(night(step=None), "works")
        assert capsys.readouterr().out == ""
        lines.seen(night(step=2), "works")
        assert capsys.readouterr().out == "00:00  post-processing: run 1, step 2 of 7\n"

    def test_no_terminal_is_a_pipe(self, capsys: pytest.CaptureFixture[str]) -> None:
        with shown(CAPS) as show:
            show.say("the daemon\nis killed", loud=True)
        assert capsys.readouterr().out == "00:00  *** the daemon\\nis killed\n"


class TestShortened:
    """A reason in the table leaves out what stands beside it."""

    def test_counts_and_days_go(self) -> None:
        assert shortened(WAITING) == (
            "waits for 3 CCDs, newest change 13:09:51; its DAG is running, 48 of 61 jobs done"
        )

    def test_other_reasons_stay(self) -> None:
        assert shortened("DAGMaker is started") == "DAGMaker is started"
