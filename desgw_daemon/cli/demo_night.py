"""One night of the demo: the lists, the daemon, its death in the middle, the end, and the independent check.

What is judged is judged by the sandbox's own judge; here only what was done to the daemon is told.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from desgw_daemon.cli.demo_pool import end_dags
from desgw_daemon.cli.demo_processes import DaemonProcess, end_children, undisturbed
from desgw_daemon.cli.demo_seen import Progress, read_progress
from desgw_daemon.cli.demo_table import Show
from desgw_daemon.errors import Refused
from desgw_daemon.sandbox.build import Sandbox
from desgw_daemon.sandbox.judge import judge
from desgw_daemon.sandbox.scenario import SEARCH_CCDS, Scenario
from desgw_daemon.sandbox.verdict import Line, Verdict

PROGRAM: Final = (sys.executable, "-m", "desgw_daemon")
#: A night that takes longer has gone wrong ...
LIMIT: Final = {"local": timedelta(minutes=3, seconds=30), "htcondor": timedelta(minutes=10)}
#: ... unless the machine is slow: as long as something happened within this span, it goes on.
_PATIENCE: Final = timedelta(seconds=45)
#: Between two looks at the database.
_LOOK: Final = timedelta(milliseconds=250)
#: The daemon stays dead for so many of its cycles, while its DAGs go on.
_DEAD_CYCLES: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """What became of it."""

    sandbox: Sandbox
    verdict: Verdict


class Watch:
    """Carries one night through. What it has started is ended when `close` is called."""

    def __init__(self, *, sandbox: Sandbox, scenario: Scenario, show: Show, program: Sequence[str]) -> None:
        self._sandbox = sandbox
        self._scenario = scenario
        self._show = show
        self._command = (*program, "--config", str(sandbox.config))
        self._daemon = DaemonProcess((*self._command, "run"), output=sandbox.root / "daemon.out")
        self._search_jobs = sum(len(SEARCH_CCDS) for exposure in scenario.exposures if exposure.submitted)
        self._lines: list[Line] = []

    def night(self) -> Verdict:
        """From the lists to the verdict."""
        first, *others = self._sandbox.lists
        season = str(self._sandbox.season)
        # An exposure of an earlier night of the same season lies on the sandbox's /pnfs.
        self._ask("queue", "add", str(first), "--season", season, "--reuse", season)
        self._show.say(f"{first.name}: queued with `desgw-daemon queue add`")
        self._daemon.start()
        self._show.say(f"the daemon is started (process {self._daemon.pid})")
        self._drop(others)
        progress = self._follow()
        problem = self._daemon.stop()
        self._note(problem, "the daemon was stopped with SIGTERM and ended well")
        self._show.seen(progress, "is stopped")
        self._show.say(problem or "the night is over; the daemon is stopped with SIGTERM")
        return Verdict((*self._lines, *judge(self._sandbox.root, self._ask("status", "--json")).lines))

    def close(self) -> None:
        """End everything that was started."""
        with undisturbed():
            self._daemon.end()
            end_children(self._sandbox.state)
            end_dags(self._sandbox.config)

    def _drop(self, lists: Sequence[Path]) -> None:
        """Into the inbox, as people copy files."""
        inbox = self._sandbox.state / "inbox" / str(self._sandbox.season)
        for path in lists:
            inbox.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, inbox / path.name)
            self._show.say(f"{path.name}: dropped into the folder inbox/{self._sandbox.season}")

    def _follow(self) -> Progress:
        """Watch until nothing more will happen, kill the daemon once on the way. Returns how it stands then."""
        killed = False
        begun = news_at = time.monotonic()
        news: object = None
        while True:
            progress = read_progress(self._sandbox.state / "desgw.db")
            now = time.monotonic()
            if progress is not None:
                self._show.seen(progress, f"works (process {self._daemon.pid})")
                if progress.news != news:
                    news, news_at = progress.news, now
                if len(progress.lines) == len(self._scenario.exposures) and progress.over:
                    break
                if not killed and progress.in_flight and 2 * progress.ccds >= self._search_jobs:
                    killed = True
                    self._kill(progress)
            if problem := self._daemon.ended_by_itself():
                raise Refused(f"{problem} (see {self._daemon.output})")
            if now - begun > LIMIT[self._scenario.engine].total_seconds() and now - news_at > _PATIENCE.total_seconds():
                missing = what_is_missing(progress, self._scenario)
                raise Refused(f"{missing} (what it left is in {self._sandbox.root})")
            time.sleep(_LOOK.total_seconds())
        if not killed:
            self._note("the daemon was not killed: no DAG was in flight when half of the CCDs had a sign", "")
        return progress

    def _kill(self, progress: Progress) -> None:
        """A crash in the middle, and a new start."""
        pid, dags = self._daemon.pid, progress.in_flight
        self._daemon.kill()
        said = f"the daemon (process {pid}) is killed with -9, with {dags} DAGs in flight"
        self._show.say(f"{said}; they go on by themselves", loud=True)
        back = time.monotonic() + _DEAD_CYCLES * self._scenario.watch.interval.total_seconds()
        while time.monotonic() < back:
            self._show.seen(progress, "is killed")
            time.sleep(_LOOK.total_seconds())
        self._daemon.start()
        self._show.say(f"the daemon is started again (process {self._daemon.pid})", loud=True)
        self._note(None, f"{said.replace('is killed', 'was killed')}, and went on when it was started again")

    def _note(self, problem: str | None, good: str) -> None:
        self._lines.append(Line(problem is None, problem or good))

    def _ask(self, *words: str) -> str:
        """Run a command of the program as people do; its output. Raises Refused when it fails."""
        done = subprocess.run(
            [*self._command, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise Refused(f"`{' '.join(words)}` ended with status {done.returncode}: {done.stderr.strip()}")
        return done.stdout


def carry_through(sandbox: Sandbox, scenario: Scenario, *, show: Show, program: Sequence[str]) -> Night:
    """Let the night of the scenario, of which the sandbox was built, go by. Nothing of it runs any more afterwards,
    whatever happens.
    """
    watch = Watch(sandbox=sandbox, scenario=scenario, show=show, program=program)
    try:
        return Night(sandbox=sandbox, verdict=watch.night())
    finally:
        watch.close()


def what_is_missing(progress: Progress | None, scenario: Scenario) -> str:
    """Why a night does not end, in words."""
    if progress is None:
        return "the night does not end: the database of the daemon cannot be read"
    waits = [f"{line.expnum} is {line.state}: {line.reason}" for line in progress.lines if not line.over]
    known = {line.expnum for line in progress.lines}
    waits += [f"{e.expnum} was never queued" for e in scenario.exposures if e.expnum not in known]
    if progress.run is not None and progress.run.live:
        waits.append(f"post-processing run {progress.run.number} is {progress.run.state}")
    return f"the night does not end: {'; '.join(waits)}"
