"""Nights of a sandbox that are cut short and started again, and what must be true at their end."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from desgw_daemon.sandbox.build import Sandbox, build
from desgw_daemon.sandbox.evidence import program_runs
from desgw_daemon.sandbox.judge import judge
from desgw_daemon.sandbox.nights import small_scenario
from tests.crash.points import Point

CHECKOUT: Final = Path(__file__).parents[2]
#: The exit code of a process that has killed itself.
KILLED: Final = -9
#: What the processes of a night do, one after the other.
DO: Final = ("queue", "cycles")
#: In a sandbox: what the night's processes have said.
OUTPUT: Final = "program.out"
#: Dropped into the inbox beside the good one.
_BAD_LIST: Final = "bad.list"


def make_night(folder: Path) -> Sandbox:
    """Two exposures, one to be queued by command, the other in the inbox, where a list lies that must be refused."""
    sandbox = build(folder, small_scenario(2))
    sandbox.config.write_text(sandbox.config.read_text().replace('inbox_settle = "500 ms"', 'inbox_settle = "1 ms"'))
    with (sandbox.workflow / "setup_img_proc.sh").open("a") as setup:
        setup.write("sleep 0.3\n")  # whether the first cycle sees its end must not be left to chance
    inbox = sandbox.state / "inbox" / str(sandbox.season)
    inbox.mkdir(parents=True)
    (sandbox.root / "lists" / "night_z.list").rename(inbox / "night_z.list")
    (inbox / _BAD_LIST).write_text("938526 i 20200399\n")
    return sandbox


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a night is cut: at the n-th side effect (from 1) of the process that queues or makes cycles, just before it
    or just after it.
    """

    do: str
    at: int
    after: bool


class Launcher:
    """The process that forks the nights' processes."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.launcher"],
            cwd=CHECKOUT,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:
            assert self._process.stdin is not None
            self._process.stdin.close()

    def points(self, sandbox: Sandbox, log: Path) -> dict[str, list[Point]]:
        """Let a night pass without a cut. Returns its side effects, in their order, for each of its processes."""
        found = {}
        for do in DO:
            log.unlink(missing_ok=True)
            code = self.start(sandbox, do=do, log=str(log))
            assert code == 0, told_by(sandbox)
            found[do] = points_of(log)
        return found

    def cut(self, sandbox: Sandbox, cut: Cut) -> bool:
        """Let a night pass that is cut once, and goes on at once. Returns whether it came to that side effect."""
        done = list(DO)
        while (do := done.pop(0)) != cut.do:
            assert self.start(sandbox, do=do) == 0, told_by(sandbox)
        code = self.start(sandbox, do=do, at=cut.at, after=cut.after)
        if code == KILLED:
            self.go_on(sandbox, DO[DO.index(do) :])
        else:
            assert code == 0, told_by(sandbox)
        return code == KILLED

    def cut_everywhere(self, sandbox: Sandbox, places: Path, *, after: bool) -> int:
        """Let a night pass that is cut once at each place of the program that it comes to; how often that was."""
        places.touch()
        times = 0
        for do in DO:
            while (code := self.start(sandbox, do=do, once=str(places), after=after)) == KILLED:
                times += 1
            assert code == 0, told_by(sandbox)
        return times

    def go_on(self, sandbox: Sandbox, do: Sequence[str] = DO) -> None:
        """Start again and let the night come to its end, cycle after cycle without a pause."""
        for each in do:
            code = self.start(sandbox, do=each, hurry=True)
            assert code == 0, told_by(sandbox)

    def start(self, sandbox: Sandbox, **order: object) -> int:
        """Start a process of the night, and wait for its end; see launcher.carry_out. Returns its exit code."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps({"sandbox": str(sandbox.root), **order}) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


def environment() -> dict[str, str]:
    """For the night's processes: this checkout, whichever is installed, and no files of Python's own."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("DESGW_")}
    return {**inherited, "PYTHONPATH": str(CHECKOUT), "PYTHONDONTWRITEBYTECODE": "1"}


def points_of(log: Path) -> list[Point]:
    """The points that a process has logged."""
    records = (json.loads(line) for line in log.read_text().splitlines())
    return [Point(record["kind"], record["what"], tuple(record["chain"])) for record in records if record["kind"]]


def troubles(sandbox: Sandbox) -> list[str]:
    """What is wrong with a night that is over; nothing, if all is well, and done once."""
    verdict = judge(sandbox.root, said(sandbox))
    found = [line.text for line in verdict.lines if not line.ok]
    makings = Counter(run.argv for run in program_runs(sandbox.log) if run.who == "DAGMaker.sh")
    found += [f"DAGMaker ran {times} times for {expnum}" for (expnum,), times in makings.items() if times > 1]
    with closing(sqlite3.connect(f"file:{sandbox.state / 'desgw.db'}?mode=ro", uri=True)) as connection:
        errors = connection.execute("SELECT error FROM poll WHERE error > ''")
        found += [f"a cycle reports: {error}" for (error,) in errors]
        found += [f"integrity: {word}" for (word,) in connection.execute("PRAGMA integrity_check") if word != "ok"]
    inbox = sandbox.state / "inbox" / str(sandbox.season)
    if inbox.exists():
        left = sorted(str(path.relative_to(inbox)) for path in inbox.rglob("*") if path.is_file())
        wanted = (rf"refused/.*{_BAD_LIST}", rf"refused/.*{_BAD_LIST}\.why", r"taken/.*night_z\.list")
        if len(left) != 3 or not all(map(re.fullmatch, wanted, left)):
            found.append(f"the inbox holds {', '.join(left)}")
    return found


def said(sandbox: Sandbox) -> str:
    """What the program says of each exposure."""
    done = subprocess.run(
        [sys.executable, "-m", "desgw_daemon", "--config", str(sandbox.config), "status", "--json"],
        cwd=CHECKOUT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout if done.returncode == 0 else done.stderr


def told_by(sandbox: Sandbox) -> str:
    """The last lines of the night's processes, for the message of a test that fails."""
    text = (sandbox.root / OUTPUT).read_text()
    return "\n".join(text.splitlines()[-40:])


def clear(sandbox: Sandbox) -> None:
    """Give the disk space back: a soak makes hundreds of sandboxes."""
    shutil.rmtree(sandbox.root)
