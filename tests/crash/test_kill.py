"""`desgw-daemon run`, killed with -9 at random moments."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from desgw_daemon.sandbox.build import Sandbox, build
from desgw_daemon.sandbox.nights import small_scenario
from tests.crash.launcher import is_over
from tests.crash.nights import CHECKOUT, OUTPUT, environment, told_by, troubles

#: How long it lives at most after its first cycle has begun; some are killed before that.
_LIFE: Final = 1.5
_WITHIN: Final = 300.0


class Runs:
    """The daemon of one sandbox, started and killed."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self._command = [sys.executable, "-m", "desgw_daemon", "--config", str(sandbox.config)]
        lists = [str(path) for path in sandbox.lists]
        self._said = (sandbox.root / OUTPUT).open("ab")
        subprocess.run(
            [*self._command, "queue", "add", *lists, "--season", str(sandbox.season)],
            cwd=CHECKOUT,
            env=environment(),
            stdout=self._said,
            check=True,
        )

    def live(self, life: float | None) -> bool:
        """Start it; kill it so many seconds after its first cycle has begun (negative: after its start), or let it
        bring the night to its end. Returns whether it was killed before that.
        """
        process = subprocess.Popen(
            [*self._command, "run"], cwd=CHECKOUT, env=environment(), stdout=self._said, stderr=self._said
        )
        try:
            deadline = time.monotonic() + _WITHIN
            if life is not None and life < 0:
                deadline = time.monotonic() - life
            before = self._cycles()
            began = None
            while not is_over(self.sandbox.root) and time.monotonic() < deadline:
                if began is None and life is not None and life >= 0 and self._cycles() > before:
                    began, deadline = time.monotonic(), time.monotonic() + life
                time.sleep(0.005)
            if life is None:
                assert is_over(self.sandbox.root), f"the night is not over\n{told_by(self.sandbox)}"
                process.send_signal(signal.SIGTERM)
                assert process.wait(30) == 0, told_by(self.sandbox)
                return False
            return not is_over(self.sandbox.root)
        finally:
            process.kill()
            process.wait()

    def _cycles(self) -> int:
        with closing(sqlite3.connect(f"file:{self.sandbox.state / 'desgw.db'}?mode=ro", uri=True)) as connection:
            return int(connection.execute("SELECT coalesce(max(id), 0) FROM poll").fetchone()[0])

    def close(self) -> None:
        """Nothing more is said."""
        self._said.close()


@pytest.mark.slow
@pytest.mark.soak
class TestKilledAtRandom:
    """However often it is killed, and wherever, each DAG is submitted once, each run started once, and nothing lost."""

    def test_kill_9(self, tmp_path: Path, long_form: bool, counted: Callable[[str], None]) -> None:
        wanted, kills, nights = 50 if long_form else 4, 0, 0
        chance = random.Random(20200304)
        while kills < wanted:
            nights += 1
            runs = Runs(build(tmp_path / str(nights), small_scenario(3)))
            while kills < wanted and runs.live(chance.uniform(-_LIFE / 8, _LIFE)):
                kills += 1
            if not is_over(runs.sandbox.root):
                runs.live(None)
            runs.close()
            assert troubles(runs.sandbox) == [], told_by(runs.sandbox)
        counted(f"{kills} times killed in {nights} nights of 3 exposures")
