"""Drives the real program on a sandbox: commands, the daemon as a process of its own, the database as people read it.

Nothing of the daemon's own code is used here, but `children`, to end what a test has left running.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from desgw_daemon import children
from desgw_daemon.sandbox.build import Sandbox, build
from desgw_daemon.sandbox.evidence import ProgramRun, program_runs
from desgw_daemon.sandbox.nights import small_scenario
from desgw_daemon.sandbox.scenario import PlannedExposure, Postproc, Scenario
from tests.warm import WarmProcess, run_warm

T = TypeVar("T")

PROGRAM = (sys.executable, "-m", "desgw_daemon")
#: Nothing here takes a tenth of it on an idle machine.
DEADLINE = 60.0
SEASON = 2206
NITE = "20200304"
#: By key of daemon.toml: where the trees are in a sandbox.
TREES = {"pnfs": "pnfs", "workflow": "gw_workflow", "postprocessing": "Post-Processing"}


def planned(expnum: int, band: str = "i", **habits: Any) -> PlannedExposure:
    """An exposure of the night 20200304; habits as PlannedExposure has them."""
    return PlannedExposure(expnum=expnum, band=band, **{"nite": NITE, **habits})


def night_of(*exposures: PlannedExposure, postproc: Postproc | None = None, **pace: int) -> Scenario:
    """A quick night of these exposures; pace in milliseconds (dagmaker, job, step...)."""
    small = small_scenario(1)
    slower = {name: timedelta(milliseconds=value) for name, value in pace.items()}
    return replace(small, exposures=exposures, pace=replace(small.pace, **slower), postproc=postproc or small.postproc)


class House:
    """One sandbox, and the program at work in it."""

    def __init__(
        self,
        root: Path,
        scenario: Scenario,
        settings: Mapping[str, str],
        *,
        deadline: float = DEADLINE,
        cold: bool = False,
    ) -> None:
        """settings: values of daemon.toml by `section.key`, as they stand in the file. deadline: for what is waited
        for (seconds). cold: the daemon is started as people start it, and not forked from a process that has imported
        it already (tests/warm.py).
        """
        self._cold = cold
        self.sandbox: Sandbox = build(root, scenario)
        self.season = scenario.season
        #: Where the program looks for its configuration by itself.
        self.config = self.sandbox.config
        self._deadline = deadline
        self.root = self.sandbox.root
        self.state = self.sandbox.state
        self.daemon: subprocess.Popen[str] | WarmProcess | None = None
        self._said = root / "daemon.err"
        for key, value in settings.items():
            self.configure(key, value)

    # -- daemon.toml ----------------------------------------------------------------------------

    def configure(self, key: str, value: str) -> None:
        """Write one value into daemon.toml, in place, as an editor that saves does."""
        self.sandbox.config.write_text(self.config_with(key, value))

    def config_with(self, key: str, value: str) -> str:
        """The text of daemon.toml with one value changed or added."""
        section, name = key.split(".")
        text = self.sandbox.config.read_text()
        text = re.sub(rf"(?ms)(^\[{section}\]$.*?)^{name} = [^\n]*\n", r"\1", text, count=1)
        if f"[{section}]\n" not in text:
            text += f"\n[{section}]\n"
        return text.replace(f"[{section}]\n", f"[{section}]\n{name} = {value}\n")

    def find_trees_by_links(self) -> None:
        """Have the daemon find its trees by links, which `lead` can lead elsewhere; programs at work there go on."""
        (self.root / "doors").mkdir()
        for key, tree in TREES.items():
            self.lead(tree, self.root / tree)
            self.configure(f"paths.{key}", f'"doors/{tree}"')
        # Its set-up script finds /pnfs beside the folder that it was started in.
        template = self.sandbox.postprocessing / "template_postproc.ini"
        template.write_text(template.read_text().replace(str(self.sandbox.pnfs), f"{self.root}/doors/pnfs"))

    def lead(self, tree: str, to: Path) -> None:
        """From now on, in one step, the daemon finds the tree there."""
        new = self.root / "doors" / ".new"
        new.symlink_to(to)
        new.replace(self.root / "doors" / tree)

    def order_postproc(self, **habits: Any) -> None:
        """Change how the stand-in of run_postproc.py behaves from its next run on; habits as Postproc has them."""
        path = self.root / "scenario.json"
        plan = json.loads(path.read_text())
        plan["postproc"] |= habits
        # Whole at any moment: a run that stays where it was told to reads it again and again.
        whole = path.with_suffix(".new")
        whole.write_text(json.dumps(plan))
        whole.replace(path)

    # -- commands -------------------------------------------------------------------------------

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `desgw-daemon WORDS` to its end, as somebody without a terminal."""
        words = ("--config", str(self.config), *words)
        return run_warm(words, cwd=self.root, env=_environment(), timeout=DEADLINE)

    def ok(self, *words: str) -> str:
        """Run a command that must succeed; what it printed."""
        done = self.command(*words)
        assert done.returncode == 0, f"{words}: {done.returncode} {done.stdout} {done.stderr}"
        return done.stdout

    def refused(self, *words: str, code: int) -> str:
        """Run a command that must be refused with this exit code; the one line that it says."""
        done = self.command(*words)
        assert done.returncode == code, f"{words}: {done.returncode} {done.stdout} {done.stderr}"
        assert done.stderr.startswith("desgw-daemon: ") and done.stderr.count("\n") == 1, done.stderr
        return done.stderr

    def tick(self) -> dict[str, Any]:
        """One cycle; what it did."""
        done: dict[str, Any] = json.loads(self.ok("tick", "--json"))
        return done

    # -- the daemon -----------------------------------------------------------------------------

    def program(self) -> tuple[str, ...]:
        """How the daemon is started."""
        return PROGRAM

    def start(self) -> None:
        """Start the daemon. Its terminal's words go to a file."""
        assert self.daemon is None or self.daemon.poll() is not None
        with self._said.open("a") as said:
            words = ["--config", str(self.config), "run"]
            program = self.program()
            if program == PROGRAM and not self._cold:
                number = said.fileno()
                self.daemon = WarmProcess(words, cwd=self.root, env=_environment(), out=number, err=number)
                return
            self.daemon = subprocess.Popen(
                [*program, *words],
                cwd=self.root,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                text=True,
            )

    def stop(self, number: int = signal.SIGTERM) -> float:
        """Send the daemon a signal and wait for its end; how long that took, in seconds."""
        assert self.daemon is not None
        begun = time.monotonic()
        self.daemon.send_signal(number)
        code = self.daemon.wait(DEADLINE)
        self.daemon = None
        assert code == (-number if number == signal.SIGKILL else 0), self._said.read_text()
        return time.monotonic() - begun

    def kill_child(self, folder: Path) -> None:
        """End a child and its keeper at once, as a power cut does: nobody writes down an end."""
        started, command = folder / "started", folder / "command"
        self.until(lambda: started.exists() and command.exists(), f"{folder} has a child")
        for record in (started, command):
            os.kill(json.loads(record.read_text())["pid"], signal.SIGKILL)

    def close(self) -> None:
        """End everything that this test has started."""
        if self.daemon is not None and self.daemon.poll() is None:
            self.daemon.kill()
            self.daemon.wait()
        # The jobs of a DAG do not see that their sandbox is being deleted, until they look for it.
        (self.root / ".sandbox" / "never").unlink(missing_ok=True)
        for started in [*self.state.glob("**/started")]:
            children.stop(started.parent)

    # -- waiting --------------------------------------------------------------------------------

    def until(self, condition: Callable[[], T], what: str) -> T:
        """Wait until the condition gives something true, and return it. The daemon must not end meanwhile."""
        end = time.monotonic() + self._deadline
        while not (found := condition()):
            assert self.daemon is None or self.daemon.poll() is None, f"the daemon ended: {self._said.read_text()}"
            assert time.monotonic() < end, f"not within {self._deadline} s: {what}\n{self._shown()}"
            time.sleep(0.03)
        return found

    def wait_for(self, state: str, *expnums: int) -> None:
        """Wait until these exposures are in this state."""
        self.until(lambda: all(self.exposure(expnum)["state"] == state for expnum in expnums), f"{expnums} are {state}")

    def cycles(self, count: int) -> None:
        """Wait until the daemon has come to the end of so many cycles more."""
        query = "SELECT id FROM v_poll WHERE ended_at IS NOT NULL"
        before = len(self.rows(query))
        self.until(lambda: len(self.rows(query)) >= before + count, f"{count} cycles")

    def _shown(self) -> str:
        shown = [f"{row['expnum']} {row['state']}: {row['reason']}" for row in self.rows("SELECT * FROM v_exposure")]
        return "\n".join([*shown, *self._said.read_text().splitlines()[-15:]] if self._said.exists() else shown)

    # -- what is known --------------------------------------------------------------------------

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """Rows of the database, read as people read it; none before there is one."""
        path = self.state / "desgw.db"
        if not path.exists():
            return []
        connection = sqlite3.connect(path, timeout=DEADLINE)
        connection.row_factory = sqlite3.Row
        try:
            if not connection.execute("SELECT 1 FROM sqlite_master").fetchone():
                return []  # it is being made
            return [dict(row) for row in connection.execute(query, values)]
        finally:
            connection.close()

    def exposure(self, expnum: int, season: int | None = None) -> dict[str, Any]:
        """An exposure's row of v_exposure."""
        season = season or self.season
        (row,) = self.rows("SELECT * FROM v_exposure WHERE expnum = ? AND season = ?", expnum, season)
        return row

    def history(self, expnum: int, kind: str = "exposure", season: int | None = None) -> list[str]:
        """The states that an exposure went through, or what belongs to it."""
        season = season or self.season
        query = "SELECT after FROM v_history WHERE expnum = ? AND kind = ? AND season = ? ORDER BY id"
        return [row["after"] for row in self.rows(query, expnum, kind, season)]

    def alerts(self, rule: str) -> list[dict[str, Any]]:
        """Every alert of a rule that there ever was."""
        return self.rows("SELECT * FROM v_alert WHERE rule = ?", rule)

    def log(self, event: str) -> list[dict[str, Any]]:
        """The records of the log file with this event."""
        path = self.state / "desgw-daemon.log"
        records = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [record for record in records if record["event"] == event]

    def terminal(self) -> str:
        """All that the daemon has said on its terminal."""
        return self._said.read_text() if self._said.exists() else ""

    def runs(self, who: str) -> list[ProgramRun]:
        """The runs of a stand-in, as it has logged them itself."""
        return [run for run in program_runs(self.sandbox.log) if run.who == who]

    def made(self, expnum: int) -> int:
        """How often DAGMaker ran for an exposure."""
        return sum(run.argv == (str(expnum),) for run in self.runs("DAGMaker.sh"))


def _environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("DESGW_")}
