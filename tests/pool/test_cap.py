"""However many exposures are queued, no more DAGs are in the pool's queue than the cap, which is asked once a cycle."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest

from desgw_daemon.sandbox.nights import small_scenario
from desgw_daemon.sandbox.scenario import PlannedExposure, Scenario
from tests.condorpool import DAGS, Pool
from tests.forms import LONG_FORM
from tests.night.house import House

from .submits import Submits

_EVERY_S: Final = 1.0


class Sampler(threading.Thread):
    """Asks the pool each second for the DAGs in its queue. When there are as many as the cap in two samples, or no more
    will come, it removes them, as people do with condor_rm: their jobs never run.
    """

    def __init__(self, pool: Pool, *, cap: int, exposures: int) -> None:
        super().__init__()
        self._pool = pool
        self._cap = cap
        self._exposures = exposures
        self._seen: set[str] = set()
        self._over = threading.Event()
        self.samples: list[int] = []

    def run(self) -> None:
        """Until `end`."""
        words = [
            str(self._pool.bin / "condor_q"),
            "-allusers",
            "-constraint",
            DAGS,
            "-json",
            "-attributes",
            "ClusterId",
        ]
        while not self._over.wait(_EVERY_S):
            said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
            ads: list[dict[str, Any]] = json.loads(said or "[]")
            self.samples.append(len(ads))
            clusters = [str(ad["ClusterId"]) for ad in ads]
            self._seen.update(clusters)
            full = min(self.samples[-2:]) >= self._cap
            if clusters and (full or len(self._seen) == self._exposures):
                # It ends with 1 when one of them has left the queue meanwhile.
                subprocess.run([self._pool.bin / "condor_rm", *clusters], capture_output=True, check=False)

    def end(self) -> None:
        """No more samples."""
        self._over.set()
        self.join()


def long_queue(exposures: int) -> Scenario:
    """So many exposures, made as quickly as can be."""
    small = small_scenario(1)
    return replace(
        small,
        exposures=tuple(PlannedExposure(expnum=938000 + i, nite="20200304", band="i") for i in range(exposures)),
        watch=replace(small.watch, interval=timedelta(milliseconds=500)),
    )


@pytest.mark.slow
@pytest.mark.soak
class TestCap:
    """Never more DAGs in the queue than the cap, in each sample of a second; each exposure's DAG is there once; the
    queue is polled once a cycle.
    """

    @pytest.mark.parametrize("cap", [5, 60] if LONG_FORM else [2])
    def test_long_queue(
        self,
        cap: int,
        pool: Pool,
        submits: Submits,
        make_house: Callable[..., House],
        long_form: bool,
        counted: Callable[[str], None],
    ) -> None:
        exposures = 300 if long_form else 6
        caps = {"submit.max_in_flight": str(cap), "dagmaker.max_at_once": str(min(50, max(20, cap)))}
        house = make_house(long_queue(exposures), caps)
        # The jobs never run: what is counted is DAGs, and 300 of them have 18 300 jobs.
        rc = house.sandbox.workflow / "dagmaker.rc"
        rc.write_text(rc.read_text().replace('JOBSUB_OPTS="', 'JOBSUB_OPTS="--append_condor_requirements=FALSE '))
        lists = [str(path) for path in house.sandbox.lists]
        house.ok("queue", "add", *lists, "--season", str(house.season))
        sampler = Sampler(pool, cap=cap, exposures=exposures)
        sampler.start()
        begun = time.monotonic()
        try:
            house.start()
            self._until_all_ended(house, exposures)
        finally:
            sampler.end()
        house.stop()
        took = time.monotonic() - begun

        most = max(sampler.samples)
        assert most == cap, sampler.samples
        own = f"dp{house.season}_"
        tags = Counter(dag["DesgwTag"] for dag in pool.dags() if dag["DesgwTag"].startswith(own))
        assert len(tags) == exposures and set(tags.values()) == {1}
        # Polls, counted by what was called and by the daemon itself.
        polls = [call for call in submits.calls("condor_q -json") if "DesgwTag =!= undefined" in call]
        cycles = house.rows("SELECT engine_calls FROM poll")
        assert 0 < len(polls) <= len(cycles)
        assert max(row["engine_calls"] for row in cycles) <= 2
        counted(
            f"{exposures} exposures, cap {cap}: at most {most} DAGs in {len(sampler.samples)} samples of condor_q in"
            f" {took:.0f} s; {len(polls)} polls of the queue in {len(cycles)} cycles"
        )

    @staticmethod
    def _until_all_ended(house: House, exposures: int) -> None:
        """Until each DAG was submitted and removed. As long as that goes on, it may take what it takes."""
        ended = 0
        while ended < exposures:

            def more(before: int = ended) -> int:
                (row,) = house.rows("SELECT count(*) AS ended FROM v_submission WHERE state = 'removed'")
                return int(row["ended"]) if row["ended"] > before else 0

            ended = house.until(more, f"more than {ended} DAGs have ended")
