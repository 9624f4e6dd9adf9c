"""A month of nights of the whole chain: DAGMaker, DAGs, post-processing, in one daemon that is never stopped.

Compressed: a night is over in half a minute. `make test` tries two nights, `make soak` thirty.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from typing import Final

import pytest

from desgw_daemon.sandbox.nights import small_scenario
from desgw_daemon.sandbox.scenario import PlannedExposure
from tests.forms import LONG_FORM
from tests.night.house import House

NIGHTS: Final = 30 if LONG_FORM else 2
#: In each night, one in each band.
EXPOSURES: Final = 2 if LONG_FORM else 1
FIRST: Final = date(2020, 3, 4)
#: What a process's memory may vary by from night to night (bytes); what leaks in each cycle would be more by far.
RSS_MAY_GROW: Final = 16 * 1024**2


@dataclass(frozen=True, slots=True)
class Morning:
    """What the daemon and its files had come to at the end of a night. Bytes, and seconds."""

    rss: int
    descriptors: int
    processes: int
    database: int
    cycles: int
    cycle: float


def _morning(house: House, first_cycle: int) -> Morning:
    assert house.daemon is not None
    process = Path("/proc") / str(house.daemon.pid)
    took = [
        row["took"]
        for row in house.rows(
            "SELECT (julianday(ended_at) - julianday(started_at)) * 86400 AS took FROM poll"
            " WHERE id > ? AND ended_at IS NOT NULL",
            first_cycle,
        )
    ]
    (size,) = house.rows("SELECT page_count * page_size AS bytes FROM pragma_page_count, pragma_page_size")
    # Not in the middle of a cycle, which opens files and has children of its own.
    seen = []
    for _ in range(20):
        # Each thread has those that it has started.
        children = [pid for path in process.glob("task/*/children") for pid in path.read_text().split()]
        seen.append((len(list((process / "fd").iterdir())), len(children)))
        time.sleep(0.05)
    return Morning(
        rss=int((process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"),
        descriptors=min(descriptors for descriptors, _ in seen),
        processes=min(processes for _, processes in seen),
        database=size["bytes"],
        cycles=len(took),
        cycle=median(took),
    )


def _month(house: House, exposures: Sequence[PlannedExposure]) -> list[Morning]:
    house.start()
    season = house.season
    mornings = []
    for night in range(NIGHTS):
        newest = house.rows("SELECT max(id) AS id FROM poll")
        expnums = [exposure.expnum for exposure in exposures[night * EXPOSURES :][:EXPOSURES]]
        # Each event has a season of its own. A run has all exposures of its season before it: what it takes grows with
        # that, and not with the nights.
        house.season = season + night
        house.ok("queue", "add", *map(str, expnums), "--season", str(house.season))
        house.wait_for("done", *expnums)
        mornings.append(_morning(house, newest[0]["id"] or 0 if newest else 0))
        one = mornings[-1]
        print(
            f"| {night + 1} | {one.rss / 1e6:.1f} | {one.descriptors} | {one.processes} | {one.database / 1e6:.2f} |"
            f" {one.cycles} | {one.cycle:.2f} |"
        )
    house.stop()
    return mornings


def _nothing_twice(house: House, exposures: Sequence[PlannedExposure]) -> None:
    made = sorted(run.argv for run in house.runs("DAGMaker.sh"))
    assert made == sorted((str(exposure.expnum),) for exposure in exposures), "each once"
    runs = house.rows("SELECT state FROM v_postproc")
    assert [run["state"] for run in runs] == ["done"] * NIGHTS
    assert house.rows("SELECT count(*) AS n FROM submission") == [{"n": len(exposures)}]
    assert house.rows("SELECT error FROM poll WHERE error > ''") == []


@pytest.mark.slow
@pytest.mark.soak
class TestAMonthAtWork:
    """After the first nights memory, descriptors, processes and the time of a cycle stay as they are; each exposure is
    made once, submitted once, and taken into a run of its night."""

    def test_is_flat(self, tmp_path: Path, counted: Callable[[str], None]) -> None:
        scenario = small_scenario(NIGHTS * EXPOSURES)
        nites = [f"{FIRST + timedelta(days=number):%Y%m%d}" for number in range(NIGHTS)]
        exposures = tuple(
            replace(exposure, nite=nites[number // EXPOSURES]) for number, exposure in enumerate(scenario.exposures)
        )
        with closing(
            House(tmp_path / "sandbox", replace(scenario, exposures=exposures), {}, deadline=300.0, cold=True)
        ) as house:
            mornings = _month(house, exposures)
        _nothing_twice(house, exposures)
        first, last = mornings[1], mornings[-1]
        assert last.descriptors <= first.descriptors
        assert last.processes <= first.processes
        assert last.rss - first.rss < RSS_MAY_GROW
        # What grows with what is kept would be many times the second night's by then; a busy machine is not.
        late = median(morning.cycle for morning in mornings[-5:])
        assert late < 3 * first.cycle
        grown = (last.database - mornings[0].database) / (NIGHTS - 1) / 1e6
        counted(
            f"{NIGHTS} nights of {EXPOSURES} exposures, made, submitted and post-processed:"
            f" {first.rss / 1e6:.0f} MB after the second, {last.rss / 1e6:.0f} MB after the last, {last.descriptors}"
            f" descriptors, a cycle {first.cycle * 1000:.0f} and {late * 1000:.0f} ms, the database grows by"
            f" {grown:.2f} MB a night"
        )
