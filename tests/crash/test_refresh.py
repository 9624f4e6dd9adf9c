"""A night in which exposures.list must be refreshed first, stopped at the side effects of that, and started again."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from desgw_daemon.sandbox.build import Sandbox, build
from desgw_daemon.sandbox.nights import small_scenario
from tests.crash.nights import Cut, Launcher, clear, said, told_by
from tests.crash.points import Point

#: The modules in whose hands a refresh is.
_HANDS = ("act.refresh:", "store.refreshes:", "daemon.refreshing:")


def make_night(folder: Path) -> Sandbox:
    """One exposure, which only the exposure database knows."""
    scenario = small_scenario(1)
    new = replace(scenario.exposures[0], new=True)
    return build(folder, replace(scenario, exposures=(new,)))


def troubles(sandbox: Sandbox) -> list[str]:
    """What is wrong with a night that is over."""
    with closing(sqlite3.connect(f"file:{sandbox.state / 'desgw.db'}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT state, reason FROM refresh").fetchall()
        ends = connection.execute("SELECT state FROM exposure").fetchall()
    found = [] if ends == [("done",)] else [f"the exposure is {ends}: {said(sandbox)}"]
    if rows != [("done", None)]:
        found.append(f"refreshes: {rows}")
    if left := [path.name for path in sandbox.workflow.glob(".*.new")]:
        found.append(f"left: {left}")
    return found


def chosen(points: list[Point], every: bool) -> list[int]:
    """The numbers of the points of a refresh; in the short form the first of some kinds."""
    mine = [
        (number, point)
        for number, point in enumerate(points, start=1)
        if any(line.startswith(_HANDS) for line in point.chain)
    ]
    kinds = {point.kind: number for number, point in reversed(mine) if point.kind in ("mkdir", "spawn", "commit")}
    return [number for number, _ in mine] if every else sorted(kinds.values())


@pytest.mark.slow
@pytest.mark.soak
class TestStoppedInARefresh:
    """Wherever it is stopped, the list is refreshed once, and the night ends as any other."""

    def test_once_for_each(
        self, launcher: Launcher, tmp_path: Path, long_form: bool, counted: Callable[[str], None]
    ) -> None:
        reference = make_night(tmp_path / "reference")
        points = launcher.points(reference, tmp_path / "points")["cycles"]
        assert troubles(reference) == []
        numbers = chosen(points, long_form)
        assert {points[number - 1].kind for number in numbers} >= {"mkdir", "spawn"}, numbers
        for number in numbers:
            night = make_night(tmp_path / str(number))
            assert launcher.cut(night, Cut("cycles", number, after=False)), told_by(night)
            assert troubles(night) == [], f"{points[number - 1].place}\n{told_by(night)}"
            clear(night)
        counted(f"stopped at {len(numbers)} side effects of a refresh, a night for each")
