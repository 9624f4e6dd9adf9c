"""A queue that does not answer stops submissions, and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from desgw_daemon.sandbox.scenario import SEARCH_CCDS
from tests.condorpool import Pool
from tests.night.house import House, night_of, planned
from tests.night.results import put_results

FIRST, SECOND, ADOPTED = 938524, 938525, 938526


@pytest.mark.slow
class TestSilentQueue:
    """With a frozen schedd CCDs are counted, exposures get ready, post-processing runs, and the status says since when
    the queue is silent; after it is thawed all goes on by itself, and nothing was submitted twice.
    """

    def test_frozen(self, pool: Pool, make_house: Callable[..., House]) -> None:
        house = make_house(
            night_of(planned(FIRST), planned(SECOND), planned(ADOPTED), job=3000),
            {"submit.max_in_flight": "1", "submit.query_timeout": '"2 s"', "postproc.quiet_for": '"3 s"'},
        )
        season = str(house.season)
        house.ok("queue", "add", str(FIRST), str(SECOND), "--season", season)
        house.start()
        # Once a job runs it needs no schedd; the 61st waits for the others.
        house.until(lambda: len(house.runs("SEdiff.sh")) == len(SEARCH_CCDS), "all CCDs of the first DAG run")
        pool.freeze_schedd()
        house.until(lambda: house.alerts("engine_silent"), "the silence is noticed")
        begun = house.rows("SELECT max(id) AS id FROM v_poll")[0]["id"]

        put_results(house.sandbox, ADOPTED, season=house.season)
        house.ok("queue", "adopt", "--season", season, "--yes")
        house.wait_for("done", FIRST, ADOPTED)
        assert (house.exposure(FIRST)["ccds_complete"], house.exposure(FIRST)["forcefiles_found"]) == (59, 118)
        assert house.exposure(ADOPTED)["ccds_complete"] == 59
        assert house.exposure(SECOND)["state"] == "submitting"
        assert all(row["state"] == "done" for row in house.rows("SELECT * FROM v_postproc"))

        (silent,) = house.rows(
            "SELECT min(started_at) AS since FROM v_poll"
            " WHERE id > (SELECT max(id) FROM v_poll WHERE engine_problem IS NULL)"
        )
        (alert,) = house.alerts("engine_silent")
        assert alert["cleared_at"] is None
        said = house.ok("status", "--json")
        assert silent["since"] in said, (silent, said)
        assert f"The queue of the grid has been silent since {silent['since']}" in house.ok("status")
        cycles = house.rows(f"SELECT * FROM v_poll WHERE id > {begun} AND ended_at IS NOT NULL")
        assert len(cycles) > 2 and all(row["engine_problem"] and not row["error"] for row in cycles)

        pool.thaw_schedd()
        house.wait_for("processing", SECOND)
        house.until(lambda: house.alerts("engine_silent")[0]["cleared_at"], "the alert is cleared")
        assert house.history(FIRST, "submission")[-1] == "done"
        house.stop()
        tags = Counter(dag["DesgwTag"] for dag in pool.dags())
        wanted = {f"dp{season}_20200304_{expnum}_a1": 1 for expnum in (FIRST, SECOND)}
        assert {tag: times for tag, times in tags.items() if tag.startswith(f"dp{season}_")} == wanted
