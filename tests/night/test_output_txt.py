"""output.txt in a night: the made exposures of the nite that was made last, and nothing waits for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from .house import House, night_of, planned
from .test_away import over, up

NEXT = "20200305"


def path_of(house: House) -> Path:
    return house.sandbox.workflow / "image_proc_outputs" / "output.txt"


def text_of(house: House) -> str:
    path = path_of(house)
    return path.read_text() if path.exists() else ""


class TestANight:
    """The file follows what is made, what is removed and what a person writes there."""

    def test_follows(self, make_house: Callable[..., House]) -> None:
        bad = planned(938526, making="crash")
        house = make_house(night_of(planned(938524), planned(938525, "z"), bad, planned(938527, nite=NEXT)))
        house.configure("postproc.auto", "false")
        assert "no exposure has its DAG made" in self.nothing_yet(house)
        house.ok("queue", "add", "938525", "938524", "938526", "--season", "2206")
        house.start()
        both = "[938524 i, 938525 z]\n20200304\n2206\n"
        house.until(lambda: text_of(house) == both, "the two that are made")
        house.wait_for("attention", 938526)
        house.until(lambda: house.rows("SELECT text FROM v_output") == [{"text": both}], "it is written down")
        assert [path.name for path in path_of(house).parent.iterdir()] == ["output.txt"]
        # What a person has put there stays until something more is made.
        house.ok("queue", "add", "938527", "--season", "2206")
        house.until(lambda: text_of(house) == f"[938527 i]\n{NEXT}\n2206\n", "the nite that was made last")
        said = house.ok("output", "write", "--nite", "20200304")
        assert said == f"{path_of(house)}: 2 exposures of season 2206, nite 20200304\n"
        house.cycles(2)
        assert text_of(house) == both == house.ok("output", "show", "--nite", "20200304")
        assert json.loads(house.ok("output", "show", "--nite", "20200304", "--json")) | {"written_at": None} == {
            "season": 2206,
            "nite": "20200304",
            "exposures": [{"expnum": 938524, "band": "i"}, {"expnum": 938525, "band": "z"}],
            "text": both,
            "path": str(path_of(house)),
            "written_at": None,
        }
        # One that is taken out is no longer made.
        house.wait_for("ready", 938524, 938527)
        ended = "SELECT * FROM v_submission WHERE state = 'done'"
        house.until(lambda: len(house.rows(ended)) == 3, "no DAG runs any more")
        house.ok("queue", "remove", "938527")
        house.until(lambda: text_of(house) == both, "the other nite is the last one again")
        house.ok("queue", "remove", "938524")
        house.until(lambda: text_of(house) == "[938525 z]\n20200304\n2206\n", "one less")

    def nothing_yet(self, house: House) -> str:
        house.ok("pause")
        house.ok("resume")
        return house.refused("output", "write", code=1)


class TestTrouble:
    """A file that cannot be written is told once, is tried again, and keeps nothing back."""

    def test_in_the_way(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(938524)))
        in_the_way = path_of(house).parent
        in_the_way.write_text("a file where a folder should be\n")
        house.ok("queue", "add", "938524", "--season", "2206")
        house.start()
        house.wait_for("done", 938524)
        assert up(house, "action_failed")
        (alert,) = house.alerts("action_failed")
        assert f"write output.txt: {path_of(house)}: " in alert["text"] and "Nothing waits for it" in alert["text"]
        assert str(in_the_way) in house.refused("output", "write", code=1)
        in_the_way.unlink()
        house.until(lambda: text_of(house) == "[938524 i]\n20200304\n2206\n", "it is written")
        house.until(lambda: over(house, "action_failed"), "the alert is over")

    def test_not_wanted(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(938524)), {"dagmaker.output": '""'})
        house.ok("queue", "add", "938524", "--season", "2206")
        house.start()
        house.wait_for("processing", 938524)
        house.cycles(1)
        assert not path_of(house).parent.exists()
        assert "dagmaker.output names no file" in house.refused("output", "write", code=2)
        house.ok("output", "write", "mine.txt")
        assert (house.root / "mine.txt").read_text() == house.ok("output", "show")
