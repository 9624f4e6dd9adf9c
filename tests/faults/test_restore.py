"""A database that is brought back from an old copy, with all that was done since on disk and in the queue."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from desgw_daemon.sandbox.judge import judge
from tests.night.house import House, night_of, planned

FIRST, SECOND = 938524, 938525
RUNS = "SELECT r.number, p.expnum FROM v_postproc r JOIN v_postproc_exposure p USING (run_id) ORDER BY 1, 2"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Two good exposures, whose jobs take a while."""
    found = House(
        tmp_path / "house",
        night_of(planned(FIRST), planned(SECOND, "z"), job=60),
        {"poll.interval": '"0.5 s"', "postproc.auto": "false"},
    )
    yield found
    found.close()


def bring_back(house: House) -> None:
    """The copy comes back, the daemon starts, and a person lets it go on."""
    house.ok("db", "restore", "early.db")
    house.start()
    house.cycles(3)
    assert house.exposure(FIRST)["state"] == "queued"
    assert "brought back from early.db" in house.exposure(FIRST)["reason"]
    house.ok("resume")


def made_and_submitted_once(house: House) -> None:
    """Each exposure, as the stand-ins and the engine have it themselves."""
    house.cycles(3)
    house.stop()
    assert (house.made(FIRST), house.made(SECOND)) == (1, 1)
    assert (house.state / "local" / ".cluster").read_text() == "2"


@pytest.mark.slow
class TestNothingIsDoneTwice:
    """What was submitted or run after the copy was made is found again by its evidence, and not done again."""

    def test_while_the_dags_run(self, house: House) -> None:
        house.ok("queue", "add", str(FIRST), str(SECOND), "--season", "2206")
        house.ok("db", "backup", "early.db")
        house.start()
        house.wait_for("processing", FIRST, SECOND)
        house.stop()
        bring_back(house)
        house.configure("postproc.auto", "true")
        house.wait_for("done", FIRST, SECOND)
        made_and_submitted_once(house)
        assert [line.text for line in judge(house.root, house.ok("status", "--json")).lines if not line.ok] == []

    def test_after_two_runs_of_postprocessing(self, house: House) -> None:
        house.configure("postproc.auto", "true")
        house.ok("queue", "add", str(FIRST), "--season", "2206")
        house.ok("db", "backup", "early.db")
        house.start()
        house.wait_for("done", FIRST)
        house.ok("queue", "add", str(SECOND), "--season", "2206")
        house.wait_for("done", SECOND)
        before = house.rows(RUNS)
        assert {row["number"] for row in before} == {1, 2}
        house.stop()
        bring_back(house)
        house.wait_for("done", FIRST)
        # What people had added since is in no copy: they add it again.
        house.ok("queue", "add", str(SECOND), "--season", "2206")
        house.wait_for("done", SECOND)
        made_and_submitted_once(house)
        assert len(house.runs("run_postproc.py")) == 2
        assert house.rows(RUNS) == before
