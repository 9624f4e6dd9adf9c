"""`queue add|list|hold|release|remove|retry`, `pause` and `resume` as people use them, without a daemon."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.night.house import House, night_of, planned

SAMPLE = Path(__file__).parents[2].parent / "shared" / "data" / "sample_exposures.tab"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A sandbox whose exposures.list knows 938524 and 938525 (i), 938526 (z) and 938527 (VR)."""
    exposures = (planned(938524), planned(938525), planned(938526, "z"), planned(938527, "VR"))
    house = House(tmp_path / "sandbox", night_of(*exposures), {})
    yield house
    house.close()


def listed(house: House) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = json.loads(house.ok("queue", "list", "--json"))
    return shown


def numbers(house: House) -> list[int]:
    return [entry["expnum"] for entry in listed(house)]


def write(house: House, text: str, name: str = "tonight.list") -> str:
    (house.root / name).write_text(text)
    return name


class TestLookup:
    """Band and nite that a list does not say come from exposures.list, by its exact first column."""

    def test_numbers_and_files(self, house: House) -> None:
        name = write(house, "# tonight\n\n938524\n938526 z 20200305  # another nite than the file has\n")
        said = house.ok("queue", "add", name, "938525", "--season", "2206")
        assert "3 exposures queued for season 2206; 0 already there" in said
        found = {entry["expnum"]: (entry["band"], entry["nite"]) for entry in listed(house)}
        assert found == {938524: ("i", "20200304"), 938525: ("i", "20200304"), 938526: ("z", "20200305")}

    @pytest.mark.skipif(not SAMPLE.exists(), reason=f"{SAMPLE} is not there: real lines of exposures.list")
    def test_real_lines(self, house: House) -> None:
        shutil.copyfile(SAMPLE, house.sandbox.workflow / "exposures.list")
        lines = [line.split() for line in SAMPLE.read_text().splitlines()]
        wanted = {int(line[0]): (line[5], line[1]) for line in lines if line[0].isdigit()}
        assert len(wanted) > 30
        house.ok("queue", "add", *map(str, wanted), "--season", "2206")
        assert {entry["expnum"]: (entry["band"], entry["nite"]) for entry in listed(house)} == wanted

    def test_one_that_is_not_known_yet_waits(self, house: House) -> None:
        said = house.ok("queue", "add", "941225", "--season", "2206")
        assert "941225 is not in exposures.list yet: it waits for its data" in said
        house.ok("pause")
        house.tick()
        (entry,) = listed(house)
        assert (entry["band"], entry["nite"]) == (None, None)
        path = house.sandbox.workflow / "exposures.list"
        path.write_text(path.read_text() + path.read_text().splitlines()[-1].replace(" 1938527 ", "  941225 ") + "\n")
        house.tick()
        (entry,) = listed(house)
        assert (entry["band"], entry["nite"]) == ("r", "20210914")

    def test_late_data_is_judged_as_early_data_is(self, house: House) -> None:
        """Neither VR nor another band than the list has said comes in by the back door."""
        house.ok("queue", "add", write(house, "941225 i\n941226\n"), "--season", "2206")
        path = house.sandbox.workflow / "exposures.list"
        model = path.read_text().splitlines()[-1]
        late = model.replace(" 1938527 ", "  941225 ") + "\n" + model.replace(" 1938527 ", "  941226 ")
        path.write_text(path.read_text() + late.replace("     r ", "     z ", 1).replace("     r ", "    VR ") + "\n")
        house.tick()
        reason = str(house.exposure(941225)["reason"])
        assert "941225 is z in exposures.list, not i" in reason and "desgw-daemon queue remove 941225" in reason
        assert "941226 is in VR" in str(house.exposure(941226)["reason"])
        assert [row["state"] for row in house.rows("SELECT state FROM exposure")] == ["attention"] * 2
        # Taken out and added as it is, it is in order.
        house.ok("queue", "remove", "941225")
        house.ok("queue", "add", "941225", "--season", "2206")
        assert house.exposure(941225)["band"] == "z"

    def test_without_the_file(self, house: House) -> None:
        """A pipeline tree that is away is no reason not to take a list."""
        house.sandbox.workflow.rename(house.root / "away")
        said = house.ok("queue", "add", "938524", "--season", "2206")
        assert "exposures.list cannot be read: No such file or directory" in said
        assert numbers(house) == [938524]
        (house.root / "away").rename(house.sandbox.workflow)
        house.ok("pause")
        house.tick()
        assert listed(house)[0]["band"] == "i"


class TestRefused:
    """What cannot be taken is refused as a whole, in one line, with exit code 2, and nothing is queued."""

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("938524\n938527\n", "938527 is in VR, which SEdiff does not process"),
            ("938524\n938525 VR\n", "line 2: band VR: SEdiff does not process it"),
            ("938524\n938525 z\n", "938525 is i in exposures.list, not z"),
            ("938524\n93852\n", "line 2: '93852' is no exposure number"),
            ("938524 i 20200304\n938525 i 20200230\n", "line 2: '20200230' is no nite"),
            ("# nothing\n", "it names no exposure"),
        ],
    )
    def test_lists(self, house: House, text: str, words: str) -> None:
        line = house.refused("queue", "add", write(house, text), "938526", "--season", "2206", code=2)
        assert "refused as a whole" in line and words in line
        assert house.rows("SELECT * FROM exposure") == []

    @pytest.mark.parametrize(
        ("season", "words"), [("10", "SN group"), ("5000", "reserved"), ("dp2206", "whole number")]
    )
    def test_seasons(self, house: House, season: str, words: str) -> None:
        line = house.refused("queue", "add", "938524", "--season", season, code=2)
        assert words in line and "season" in line

    def test_wrong_words(self, house: House) -> None:
        assert "no such file" in house.refused("queue", "add", "nowhere.list", "--season", "2206", code=2)
        assert "is no exposure number" in house.refused("queue", "add", "12", "--season", "2206", code=2)
        assert "--season" in house.refused("queue", "add", "938524", code=2)
        assert "--priority" in house.refused("queue", "add", "938524", "--season", "11", "--priority", "high", code=2)


class TestTwice:
    """What is there already is named and left alone, within a list and in the queue."""

    def test_is_harmless(self, house: House) -> None:
        first = write(house, "938524\n938525\n938524 i\n", "first.list")
        said = house.ok("queue", "add", first, "--season", "2206", "--priority", "5")
        assert "938524 stands in line 1 and again in line 3: taken once" in said
        before = listed(house)
        said = house.ok("queue", "add", first, write(house, "938526\n", "second.list"), "938524", "--season", "2206")
        assert "already there: 938525 i (season 2206, nite 20200304) is queued since" in said
        assert "938524 stands there before 938524, too: taken once" in said
        assert "1 exposure queued for season 2206; 2 already there" in said
        assert listed(house)[:2] == before
        assert numbers(house) == [938524, 938525, 938526]


class TestList:
    """Looking at the queue makes nothing, not even a database."""

    def test_before_there_is_one(self, house: House) -> None:
        assert "there is no database yet" in house.refused("queue", "list", code=1)
        assert list(house.state.iterdir()) == []


class TestOrder:
    """A higher priority goes first; then first come, first served."""

    def test_of_the_queue(self, house: House) -> None:
        house.ok("queue", "add", "938526", "--season", "2206")
        house.ok("queue", "add", "938524", "--season", "2206")
        house.ok("queue", "add", "938525", "--season", "2206", "--priority", "7")
        assert numbers(house) == [938525, 938526, 938524]
        assert house.ok("queue", "list").splitlines()[1].split()[0] == "938525"


class TestWhichOne:
    """A number that is known in several seasons or nites is refused with their names, until one is said."""

    def test_is_asked(self, house: House) -> None:
        house.ok("queue", "add", "938524", "--season", "2206")
        house.ok("queue", "add", "938524", "--season", "2208")
        house.ok("queue", "add", write(house, "938524 i 20200305\n"), "--season", "2208")
        line = house.refused("queue", "hold", "938524", code=2)
        for name in ("2206, nite 20200304", "2208, nite 20200304", "2208, nite 20200305"):
            assert name in line
        assert "is known 2 times" in house.refused("queue", "hold", "938524", "--season", "2208", code=2)
        house.ok("queue", "hold", "938524", "--season", "2208", "--nite", "20200305")
        assert [(e["season"], e["nite"]) for e in listed(house) if e["held"]] == [(2208, "20200305")]
        assert "is not known" in house.refused("queue", "hold", "938525", code=1)


class TestHold:
    """Nothing new is started for a held exposure, nor for any while all is paused; both say until when."""

    def test_hold_and_release(self, house: House) -> None:
        house.ok("queue", "add", "938524", "938525", "--season", "2206")
        house.ok("queue", "hold", "938524", "--reason", "look at its sky first")
        assert "was held already" in house.ok("queue", "hold", "938524")
        house.until(lambda: house.tick() and house.exposure(938525)["state"] == "making", "938525 is made")
        assert house.exposure(938524)["state"] == "queued"
        reason = str(house.exposure(938524)["reason"])
        assert "look at its sky first" in reason and "desgw-daemon queue release 938524" in reason
        assert "(held)" in house.ok("queue", "list")
        house.ok("queue", "release", "938524")
        house.tick()
        assert house.exposure(938524)["state"] == "making"

    def test_pause_and_resume(self, house: House) -> None:
        house.ok("queue", "add", "938524", "--season", "2206")
        house.ok("pause", "--reason", "the group meets")
        assert "was paused" in house.ok("pause")
        house.tick()
        house.tick()
        reason = str(house.exposure(938524)["reason"])
        assert "the group meets" in reason and "desgw-daemon resume" in reason
        house.ok("resume")
        house.until(lambda: house.tick() and house.exposure(938524)["state"] == "making", "it goes on")


class TestRemove:
    """One that is removed is out; added again, it comes back as a new attempt."""

    def test_and_back(self, house: House) -> None:
        house.ok("queue", "add", "938524", "938525", "--season", "2206")
        assert "removed" in house.ok("queue", "remove", "938524")
        assert "was removed already" in house.ok("queue", "remove", "938524")
        assert numbers(house) == [938525]
        said = house.ok("queue", "add", "938524", "--season", "2206", "--priority", "3")
        assert "back in the queue as a new attempt: 938524" in said
        assert numbers(house) == [938524, 938525]
        assert house.exposure(938524)["attempt"] == 2
        assert house.history(938524) == ["queued", "removed", "queued"]

    def test_only_what_needs_it_is_tried_again(self, house: House) -> None:
        house.ok("queue", "add", "938524", "938525", "--season", "2206")
        line = house.refused("queue", "retry", "938524", code=1)
        assert "938524 i (season 2206, nite 20200304) is queued: it goes on by itself" in line

    def test_one_that_is_refused_keeps_no_other_back(self, house: House) -> None:
        house.ok("queue", "add", "938524", "--season", "2206")
        done = house.command("queue", "remove", "938599", "938524")
        assert done.returncode == 1
        assert "938524 i (season 2206, nite 20200304): removed" in done.stdout
        assert "exposure 938599 is not known" in done.stderr
