"""A sandbox for the tests of dagmaker.rc."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.night.house import House, night_of, planned


@pytest.fixture
def make_house(tmp_path: Path) -> Iterator[Callable[..., House]]:
    """Builds a sandbox for a night of these exposures; at the end of the test everything in it is ended."""
    houses: list[House] = []

    def make(*exposures: object, **pace: int) -> House:
        scenario = night_of(*(exposures or (planned(938524),)), **pace)  # type: ignore[arg-type]  # by name
        houses.append(House(tmp_path / "sandbox", scenario, {}))
        return houses[-1]

    yield make
    for house in houses:
        house.close()


@pytest.fixture
def house(make_house: Callable[..., House]) -> House:
    """One with a single exposure."""
    return make_house()
