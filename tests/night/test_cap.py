"""The caps, whatever the restart: DAGs in flight, and DAGs made before there is a place for them."""

from __future__ import annotations

import signal
from collections.abc import Callable

from .house import House, night_of, planned

EXPNUMS = tuple(range(938524, 938530))


def in_flight(house: House) -> list[tuple[float, float]]:
    """From the first to the last job of each DAG, as the jobs themselves have logged it."""
    spans: dict[str, tuple[float, float]] = {}
    for who in ("dummyjob.sh", "SEdiff.sh", "RUNMON.sh"):
        for run in house.runs(who):
            assert run.parent is not None
            begun, ended = spans.get(run.parent, (run.start, run.last))
            spans[run.parent] = (min(begun, run.start), max(ended, run.last))
    return sorted(spans.values())


class TestInFlight:
    """No more DAGs than submit.max_in_flight are in flight, also when the daemon is killed in the middle."""

    def test_across_restarts(self, make_house: Callable[..., House]) -> None:
        scenario = night_of(*(planned(expnum) for expnum in EXPNUMS), job=30)
        settings = {"submit.max_in_flight": "2", "dagmaker.made_ahead": "1", "submit.local_slots": "2"}
        house = make_house(scenario, settings)
        house.ok("queue", "add", *map(str, EXPNUMS[:-1]), "--season", "2206")
        house.ok("queue", "add", str(EXPNUMS[-1]), "--season", "2206", "--priority", "5")
        house.start()
        house.until(lambda: len(house.runs("SEdiff.sh")) > 30, "the first DAGs run")
        house.stop(signal.SIGKILL)
        house.start()
        house.until(lambda: len(in_flight(house)) >= 4, "four DAGs have begun")
        waiting = [str(row["reason"]) for row in house.rows("SELECT reason FROM v_exposure WHERE state = 'queued'")]
        house.stop(signal.SIGKILL)
        house.start()
        house.wait_for("done", *EXPNUMS)
        spans = in_flight(house)
        assert len(spans) == 6, "each DAG was submitted once"
        assert max(sum(begun <= start < ended for begun, ended in spans) for start, _ in spans) == 2
        # One DAG at most was made beside those two: made_ahead.
        assert house.runs("DAGMaker.sh")[0].argv == (str(EXPNUMS[-1]),), "its priority is higher"
        makers = sorted(run.start for run in house.runs("DAGMaker.sh"))
        assert len(makers) == 6
        for number, start in enumerate(makers):
            ended = sum(end <= start for _, end in spans)
            assert number < ended + 2 + 1, "a DAG was made too early"
        assert all("of those that wait" in reason for reason in waiting)
