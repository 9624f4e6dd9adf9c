"""`postproc status|plan|run` and `skipto` as people use them, without a daemon."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.night.house import House, night_of, planned
from tests.night.results import put_results


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path / "sandbox", night_of(planned(938524), planned(938525, "z")), {})
    yield house
    house.close()


class TestBeforeAnything:
    """Without a database the reading commands say so and make none."""

    @pytest.mark.parametrize("words", [["postproc", "status"], ["postproc", "plan"], ["skipto", "--season", "2206"]])
    def test_is_said(self, house: House, words: list[str]) -> None:
        assert "there is no database yet" in house.refused(*words, code=1)
        assert list(house.state.iterdir()) == []


class TestASeason:
    """What a season waits for, the wish for a run, the run, its SKIPTO: told from the database alone."""

    def test_from_plan_to_end(self, house: House) -> None:
        put_results(house.sandbox, 938524)
        put_results(house.sandbox, 938525, "z", unfinished=[4])
        house.ok("queue", "adopt", "--season", "2206", "--yes")
        assert "no run of post-processing yet" in house.ok("postproc", "status")
        house.until(lambda: house.tick() and house.exposure(938524)["state"] == "ready", "one is ready")
        (line,) = json.loads(house.ok("postproc", "plan", "--season", "2206", "--json"))
        assert "1 exposure ready, 1 not settled (938525)" in line
        said = house.ok("skipto", "--season", "2206")
        assert "1 exposure (938524): SKIPTO 0: from scratch: no earlier run of season 2206" in said
        said = house.ok("postproc", "run", "--season", "2206")
        assert "post-processing of season 2206 is asked for" in said and "no daemon works" in said
        house.until(lambda: house.tick() and house.exposure(938524)["state"] == "done", "the run is over")
        (run,) = json.loads(house.ok("postproc", "status", "--json"))
        assert (run["season"], run["number"], run["state"], run["expnums"], run["bands"]) == (
            *(2206, 1, "done", [938524], ["i"]),
        )
        shown = house.ok("postproc", "status", "--season", "2206").splitlines()
        assert shown[1].split()[:7] == ["2206", "1", "done", "candidates", "0", "7", "1"]
        assert json.loads(house.ok("postproc", "status", "--season", "2208", "--json")) == []
        # What would be skipped, with the evidence for each step.
        said = house.ok("skipto", "--season", "2206")
        assert "SKIPTO 5" in said.splitlines()[0]
        assert [line[:15] for line in said.splitlines()[1:-1]] == [
            *(f"  yes  SKIPTO {step}" for step in range(1, 6)),
            *("   no  SKIPTO 6", "   no  SKIPTO 7"),
        ]
        assert "yes  SKIPTO 4: every input is whole, of the same exposures and bands, and from run 1" in said
        assert " no  SKIPTO 6: above postproc.max_skipto = 5" in said
        assert "the older automation would start at 6, UNSAFE: " in said.splitlines()[-1]
        shown_json = json.loads(house.ok("skipto", "--season", "2206", "--json"))
        assert (shown_json["skipto"], shown_json["expnums"], shown_json["bands"]) == (5, [938524], ["i"])
        assert shown_json["upstream"]["skipto"] == 6 and shown_json["policy"] == "evidence"
        assert [row["possible"] for row in shown_json["rows"]] == [True] * 5 + [False] * 2
        # What the run that is over rested on is kept with it.
        assert [(row["skipto"], row["possible"]) for row in run["evidence"]] == [(n, False) for n in range(1, 8)]

    def test_wrong_words(self, house: House) -> None:
        house.ok("queue", "add", "938524", "--season", "2206")
        assert "2208 has no exposures" in house.refused("postproc", "run", "--season", "2208", code=1)
        assert "--skipto" in house.refused("postproc", "run", "--season", "2206", "--skipto", "8", code=2)
        assert "SN group" in house.refused("skipto", "--season", "5", code=2)
