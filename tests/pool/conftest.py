"""Houses on a pool: the night's sandbox, the daemon, and HTCondor's commands first on PATH."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from desgw_daemon.sandbox.nights import on_pool
from desgw_daemon.sandbox.scenario import Scenario
from tests.condorpool import Pool
from tests.night.house import House

from .submits import Submits

#: DAGs begin and end slowly, sixty are submitted one after the other, and the machine may be busy with others.
_DEADLINE = 900.0


@pytest.fixture
def submits(pool: Pool, pool_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Submits:
    """What stands between the daemon and the pool."""
    made = Submits(pool_folder / "submits", pool)
    monkeypatch.setenv("PATH", f"{made.bin}:{pool.bin}:{os.environ['PATH']}")
    return made


@pytest.fixture
def make_house(pool: Pool, pool_folder: Path, submits: Submits) -> Iterator[Callable[..., House]]:
    """Builds a sandbox for a scenario on the pool; at the end of the test everything in it is ended."""
    houses: list[House] = []

    def make(scenario: Scenario, settings: Mapping[str, str] | None = None) -> House:
        scenario = on_pool(scenario, season=pool.new_season())
        houses.append(House(pool_folder / f"sandbox-{scenario.season}", scenario, settings or {}, deadline=_DEADLINE))
        return houses[-1]

    yield make
    pool.thaw_schedd()
    for house in houses:
        house.close()
