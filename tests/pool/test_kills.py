"""A night on the pool in which all around a submission goes wrong, again and again: each DAG is submitted once."""

from __future__ import annotations

import random
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from desgw_daemon.sandbox.nights import small_scenario
from desgw_daemon.sandbox.scenario import PlannedExposure, Scenario
from tests.condorpool import Pool
from tests.crash.launcher import is_over
from tests.crash.nights import CHECKOUT, KILLED, Launcher, environment, told_by
from tests.night.house import House

from .submits import Submits

#: The steps around a submission: side effects on whose way one of these modules is.
_AROUND: Final = ("act.submit", "grid.htcondor", "grid.submission", "store.submissions")
#: How long a daemon lives at most before it is killed at random (seconds).
_LIFE: Final = 4.0
_SETTINGS: Final = {
    "submit.timeout": '"4 s"',
    "submit.query_timeout": '"3 s"',
    "submit.confirm_absent": '"3 s"',
    "submit.max_in_flight": "2",
    "submit.retry_after": '"1 s"',
    "submit.breaker_probe": '"2 s"',
    "submit.max_tries": "1000",
}


def night(exposures: int) -> Scenario:
    small = small_scenario(1)
    return replace(
        small,
        exposures=tuple(PlannedExposure(expnum=938000 + i, nite="20200304", band="i") for i in range(exposures)),
        pace=replace(small.pace, step=timedelta(0)),
    )


class Trouble:
    """What happens to the pool and to its submit command, one thing after the other, for a short while each."""

    def __init__(self, pool: Pool, submits: Submits) -> None:
        self._pool = pool
        self._submits = submits
        self.times: Counter[str] = Counter()
        self._next = self._things()

    def go_on(self) -> None:
        """The next one begins, and the last one ends."""
        next(self._next)

    def end(self) -> None:
        """All is well with the pool again."""
        self._next.close()
        self._submits.cancel()

    def enough(self, times: int) -> bool:
        """Whether each of them has happened so often."""
        submits = (self._submits.taken(when) for when in ("before", "after"))
        return min(self.times["frozen"], self.times["stopped"], *submits) >= times

    def _things(self) -> Generator[None]:
        while True:
            if not self._submits.ordered():
                self._submits.order("before")
                self._submits.order("after")
            yield
            yield from self._frozen()
            yield
            yield from self._stopped()

    def _frozen(self) -> Generator[None]:
        self._pool.freeze_schedd()
        self.times["frozen"] += 1
        try:
            yield
        finally:
            self._pool.thaw_schedd()

    def _stopped(self) -> Generator[None]:
        self._pool.stop_schedd()
        self.times["stopped"] += 1
        try:
            yield
        finally:
            self._pool.start_schedd()


class Lives:
    """The lives of a daemon, each ended with -9."""

    def __init__(self, house: House, launcher: Launcher, places: Path, chance: random.Random, *, every: int) -> None:
        """places: a folder's file beside which the steps are kept. every: one in so many steps is tried."""
        self._house = house
        self._launcher = launcher
        self._places = places
        self._chance = chance
        self._every = every
        self.at_random = 0
        self.at_steps = 0

    @property
    def kills(self) -> int:
        """All of them."""
        return self.at_random + self.at_steps

    def until_step(self, *, after: bool) -> None:
        """Cycles, to the first step around a submission at which none was killed yet, just before or just after it. One
        that comes to no such step is killed after a random time.
        """
        places = self._places.with_name(f"places-{'after' if after else 'before'}")
        places.touch()
        known = len(places.read_text().splitlines())
        code = self._launcher.start(
            self._house.sandbox,
            do="cycles",
            hurry=True,
            seconds=self._chance.uniform(1, _LIFE),
            once=str(places),
            around=_AROUND,
            every=self._every,
            after=after,
        )
        assert code in (0, KILLED), told_by(self._house.sandbox)
        step = len(places.read_text().splitlines()) > known
        self.at_steps += code == KILLED and step
        self.at_random += code == KILLED and not step

    def until_chance(self) -> None:
        """`desgw-daemon run`, for a random time."""
        command = [sys.executable, "-m", "desgw_daemon", "--config", str(self._house.sandbox.config), "run"]
        with subprocess.Popen(
            command, cwd=CHECKOUT, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            try:
                process.wait(self._chance.uniform(0.2, _LIFE))
            except subprocess.TimeoutExpired:
                self.at_random += 1
            process.kill()


def duplicates(house: House, pool: Pool) -> str:
    """What the command in docs/grid.md prints: tags that the pool has more than once."""
    page = (CHECKOUT / "docs" / "grid.md").read_text()
    (command,) = re.findall(r"^```\n(\{ condor_q.*?uniq -d)\n```$", page, re.MULTILINE | re.DOTALL)
    done = subprocess.run(["bash", "-c", command], env=environment(), capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.slow
@pytest.mark.soak
class TestKilled:
    """Killed at every step around a submission and at random, with a schedd that is stopped or frozen and a submit
    command that times out before or after it has submitted: one DAG for each exposure and attempt, none missing, none
    besides.
    """

    def test_each_dag_once(
        self,
        pool: Pool,
        submits: Submits,
        pool_folder: Path,
        make_house: Callable[..., House],
        long_form: bool,
        counted: Callable[[str], None],
    ) -> None:
        exposures, wanted, often, every = (12, 100, 4, 1) if long_form else (2, 5, 1, 8)
        house = make_house(night(exposures), _SETTINGS)
        before = {dag["DesgwTag"] for dag in pool.dags()}
        lists = [str(path) for path in house.sandbox.lists]
        house.ok("queue", "add", *lists, "--season", str(house.season))
        trouble = Trouble(pool, submits)
        with Launcher() as launcher:
            lives = Lives(house, launcher, pool_folder / "places", random.Random(20200304), every=every)
            begun = time.monotonic()
            while not is_over(house.root) and not (lives.kills >= wanted and trouble.enough(often)):
                trouble.go_on()
                lives.until_step(after=False)
                lives.until_step(after=True)
                lives.until_chance()
            trouble.end()
        house.start()
        house.until(lambda: is_over(house.root), "the night is over")
        # Post-processing needs the CCDs only: the monitor at the end of a DAG may still run.
        running = "SELECT tag FROM v_submission WHERE ended_at IS NULL"
        house.until(lambda: not house.rows(running), "every DAG has ended")
        house.stop()

        states = {row["expnum"]: row["state"] for row in house.rows("SELECT * FROM v_exposure")}
        assert states == dict.fromkeys(states, "done") and len(states) == exposures
        attempts = house.rows("SELECT tag, job_id, state FROM v_submission")
        tags = Counter(dag["DesgwTag"] for dag in pool.dags() if dag["DesgwTag"] not in before)
        counted(
            f"{exposures} exposures: killed {lives.kills} times ({lives.at_steps} at steps around a submission,"
            f" {lives.at_random} at random), schedd stopped {trouble.times['stopped']} and frozen"
            f" {trouble.times['frozen']} times, submit command timed out {submits.taken('before')} times before and"
            f" {submits.taken('after')} times after it had submitted, in {time.monotonic() - begun:.0f} s;"
            f" {sum(tags.values())} DAGs in the pool's queue and history, of {len(tags)} exposures and attempts"
        )
        assert dict(tags) == {row["tag"]: 1 for row in attempts}
        assert len(attempts) == exposures
        # The pool remembers the DAGs of other tests, of which one submits a copy by hand.
        assert set(duplicates(house, pool).split()) <= before
        assert {(row["state"], bool(row["job_id"])) for row in attempts} == {("done", True)}, attempts
        assert lives.kills >= wanted and trouble.enough(often)
