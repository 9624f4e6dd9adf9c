"""How the demo is shown: a live table on a terminal, a line for each change in a pipe. Must not decide anything."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Protocol

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from desgw_daemon.cli.demo_seen import Line, Progress, Run
from desgw_daemon.errors import one_line

#: In a pipe, the counts are told this often, besides the changes.
_TOLD_EVERY: Final = timedelta(seconds=10)
#: Terminals at least so wide have room for the nite, and for a bar of the CCDs (characters).
_WIDE: Final = 100
_VERY_WIDE: Final = 140
_STYLES: Final = {
    "processing": "cyan",
    "ready": "green",
    "postprocessing": "magenta",
    "done": "bold green",
    "attention": "bold yellow",
}
#: What the columns say already.
_COUNTED: Final = re.compile(r"^\d+ of \d+ CCDs complete[^;]*; ")
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\dT(\d\d:\d\d:\d\d)Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """What is shown beside the counts: the caps, and what the night consists of."""

    season: int
    in_flight: int
    making: int
    ccds: int


class Show(Protocol):
    """What is told of a night."""

    def say(self, text: str, *, loud: bool = False) -> None:
        """Something was done or has happened; loud: nobody may miss it."""

    def seen(self, progress: Progress, daemon: str) -> None:
        """How far it has come; daemon: what the daemon does."""


class Lines:
    """For a pipe: a line for each change of state, and the counts now and then."""

    def __init__(self, caps: Caps) -> None:
        self._caps = caps
        self._begun = self._told = time.monotonic()
        self._before: dict[int, str] = {}
        self._run: Run | None = None

    def say(self, text: str, *, loud: bool = False) -> None:
        """One line."""
        print(f"{_clock(self._begun)}  {'*** ' if loud else ''}{one_line(text)}", flush=True)

    def seen(self, progress: Progress, daemon: str) -> None:
        """What has changed since the last time."""
        for line in progress.lines:
            before = self._before.get(line.expnum)
            if before != line.state:
                self.say(f"{line.expnum} {line.band}  {before or 'new'} -> {line.state}: {line.reason}")
                self._before[line.expnum] = line.state
        if progress.run != self._run:
            self._run = progress.run
            self.say(f"post-processing: {_run(progress.run)}")
        if time.monotonic() - self._told >= _TOLD_EVERY.total_seconds():
            self._told = time.monotonic()
            counts = (*_counts(progress, self._caps), f"CCDs {progress.ccds} of {self._caps.ccds}")
            self.say(f"daemon {daemon}; {', '.join(counts)}")


class LiveTable:
    """For a terminal: a table that is drawn anew, under the lines that stay."""

    def __init__(self, caps: Caps, live: Live) -> None:
        self._caps = caps
        self._live = live
        self._begun = time.monotonic()

    def say(self, text: str, *, loud: bool = False) -> None:
        """A line that stays, above the table."""
        self._live.console.print(hanging(_clock(self._begun), Text(one_line(text), style="bold red" if loud else "")))

    def seen(self, progress: Progress, daemon: str) -> None:
        """Draw the table anew."""
        width = self._live.console.width
        head = Text.assemble(
            (f"{_clock(self._begun)}  ", "bold"),
            f"season {self._caps.season} · daemon ",
            (daemon, "bold red" if "killed" in daemon else "green"),
            f" · CCDs {progress.ccds} of {self._caps.ccds}",
        )
        counts = Text(" · ".join((*_counts(progress, self._caps), f"post-processing: {_run(progress.run)}")))
        self._live.update(Group(Text(), head, counts, _table(progress.lines, width)), refresh=True)


@contextmanager
def shown(caps: Caps) -> Iterator[Show]:
    """The right one of the two for where our output goes."""
    console = Console(highlight=False, markup=False)
    if not sys.stdout.isatty() or console.is_dumb_terminal:
        yield Lines(caps)
        return
    with Live(console=console, auto_refresh=False) as live:
        yield LiveTable(caps, live)


def shortened(reason: str) -> str:
    """A reason without the counts that stand beside it, times without their day."""
    return _DAY.sub(r"\1", _COUNTED.sub("", reason))


def hanging(mark: str, text: Text) -> RenderableType:
    """A mark and a text that is wrapped beside it."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column()
    grid.add_row(mark, text)
    return grid


def _table(lines: tuple[Line, ...], width: int) -> RenderableType:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, expand=True, show_edge=False)
    table.add_column("exposure", no_wrap=True)
    if width >= _WIDE:
        table.add_column("nite", no_wrap=True)
    table.add_column("state", no_wrap=True, min_width=len("postprocessing"))
    if width >= _VERY_WIDE:
        table.add_column("CCDs", no_wrap=True)
    for name in ("good", "bad", "left", "files"):
        table.add_column(name, justify="right", no_wrap=True, min_width=len(name))
    table.add_column("reason", no_wrap=True, overflow="ellipsis", ratio=1)
    for line in lines:
        cells: list[RenderableType] = [f"{line.expnum} {line.band}"]
        if width >= _WIDE:
            cells.append(line.nite)
        cells.append(Text(line.label, style=_STYLES.get(line.state, "")))
        if width >= _VERY_WIDE:
            cells.append(_bar(line))
        cells += [
            str(line.complete),
            Text(str(line.bad), style="red" if line.bad else "dim"),
            str(line.pending),
            str(line.forcefiles),
            Text(shortened(line.reason), style="dim" if line.state == "done" else ""),
        ]
        table.add_row(*cells)
    return table


def _bar(line: Line) -> Text:
    """Three CCDs a character."""
    good, bad = round(line.complete / 3), -(-line.bad // 3)
    left = max(0, 20 - good - bad)
    return Text.assemble(("━" * good, "green"), ("━" * bad, "red"), ("╌" * left, "dim"))


def _counts(progress: Progress, caps: Caps) -> tuple[str, ...]:
    return (
        f"DAGs in flight {progress.in_flight} of {caps.in_flight}",
        f"DAGMakers {progress.making} of {caps.making}",
    )


def _run(run: Run | None) -> str:
    if run is None:
        return "waits"
    if run.live and run.step is not None:
        return f"run {run.number}, step {run.step} of 7"
    return f"run {run.number} {run.state}"


def _clock(begun: float) -> str:
    minutes, seconds = divmod(int(time.monotonic() - begun), 60)
    return f"{minutes:02d}:{seconds:02d}"
