"""Short nights for the demo's tests, and what they need to look at them."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from desgw_daemon.cli.demo_seen import Progress
from desgw_daemon.sandbox.moves import FAILS_AT_28, NO_FORCEFILES, SE_FAILS, fails_at
from desgw_daemon.sandbox.nights import small_scenario
from desgw_daemon.sandbox.scenario import Scenario

PARTLY, HOPELESS, NO_TEMPLATES = 938524, 938525, 938526


def short_night() -> Scenario:
    """Three exposures: one goes on partly ready, one fails on too many CCDs, one has no templates. Its DAGs take
    long enough to be caught in the middle.
    """
    small = small_scenario(3)
    partly, hopeless, unmade = small.exposures
    return replace(
        small,
        exposures=(
            replace(partly, ccds={3: SE_FAILS, 7: FAILS_AT_28, 9: NO_FORCEFILES, 10: fails_at(4)}, ready="partial"),
            replace(hopeless, ccds=dict.fromkeys(range(20, 34), fails_at(18)), end="attention", ready="no"),
            replace(unmade, making="no-templates", end="attention", ready="no"),
        ),
        pace=replace(small.pace, job=timedelta(milliseconds=200)),
        watch=replace(
            small.watch,
            interval=timedelta(milliseconds=500),
            settle=timedelta(seconds=2),
            grace_after_dag=timedelta(seconds=2),
        ),
    )


class Heard:
    """A Show that keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.states: set[tuple[int, str]] = set()
        self.most_in_flight = 0

    def say(self, text: str, *, loud: bool = False) -> None:
        """Something has happened."""
        self.said.append(("*** " if loud else "") + text)

    def seen(self, progress: Progress, daemon: str) -> None:
        """How far it has come."""
        self.states |= {(line.expnum, line.state) for line in progress.lines}
        self.most_in_flight = max(self.most_in_flight, progress.in_flight)


def processes_in(folder: Path) -> list[str]:
    """The living processes that were started with a path in this folder, or work in it: pid and command line."""
    found = []
    for proc in Path("/proc").iterdir():
        if not proc.name.isdigit() or int(proc.name) == os.getpid():
            continue
        try:
            words = (proc / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            cwd = str((proc / "cwd").readlink())
        except OSError:
            continue  # it has ended meanwhile, or is somebody else's
        if str(folder) in words or cwd.startswith(str(folder)):
            found.append(f"{proc.name} {words}")
    return found
