"""Houses for the tests of a night."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from desgw_daemon.sandbox.scenario import Scenario

from .house import House


@pytest.fixture
def make_house(tmp_path: Path) -> Iterator[Callable[..., House]]:
    """Builds a sandbox for a scenario; at the end of the test everything in it is ended."""
    houses: list[House] = []

    def make(scenario: Scenario, settings: Mapping[str, str] | None = None) -> House:
        houses.append(House(tmp_path / "sandbox", scenario, settings or {}))
        return houses[-1]

    yield make
    for house in houses:
        house.close()
