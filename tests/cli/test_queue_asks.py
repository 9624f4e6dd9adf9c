"""`queue add` from an output.txt, and what it asks for on a terminal, where something is missing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.night.house import House, night_of, planned

from .asked import asked, end

SEASON, EXPOSURES = "Season, a number such as 2206: ", "Exposures: .list files or numbers, with blanks between: "


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A sandbox whose exposures.list knows 938524 (i) and 938525 (z)."""
    house = House(tmp_path / "sandbox", night_of(planned(938524), planned(938525, "z")), {})
    yield house
    house.close()


def queued(house: House) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in house.rows("SELECT season, nite, expnum, band FROM v_exposure")]


def output(house: House, text: str) -> str:
    """Write the configured file."""
    path = house.sandbox.workflow / "image_proc_outputs" / "output.txt"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return str(path)


class TestFromOutput:
    """Exposures, bands, nite and season come from the file; the command line may say what it does not."""

    def test_the_configured_one(self, house: House) -> None:
        path = output(house, "[938524 i, '938525 z', 938524 i]\n20200305\n2208\n")
        said = house.ok("queue", "add", "--from-output")
        assert f"938524 stands in {path} more than once: taken once" in said
        assert "2 exposures queued for season 2208" in said
        assert queued(house) == [(2208, "20200305", 938524, "i"), (2208, "20200305", 938525, "z")]
        assert f"added from {path}" in house.exposure(938524, 2208)["reason"]

    def test_a_later_form(self, house: House) -> None:
        """Without a nite: exposures.list knows it."""
        (house.root / "theirs.txt").write_text("['938524 i', '938525 z']\n2206\n2019B-0353\n")
        house.ok("queue", "add", "--from-output", "theirs.txt", "--season", "2206")
        assert queued(house) == [(2206, "20200304", 938524, "i"), (2206, "20200304", 938525, "z")]

    def test_refused(self, house: House) -> None:
        def refused(text: str, *more: str) -> str:
            path = output(house, text)
            line = house.refused("queue", "add", "--from-output", *more, code=2)
            assert house.rows("SELECT * FROM exposure") == []
            return line.replace(path, "FILE")

        assert "--season 2206: FILE is of season 2208" in refused("[938524 i]\n20200304\n2208\n", "--season", "2206")
        assert "FILE: line 1 is no list" in refused("938524 i\n20200304\n2206\n")
        assert "needs --season N, and there is no terminal" in refused("[938524 i]\n20200304\n")
        assert "938524 is i in exposures.list, not z" in refused("[938524 z]\n20200304\n2206\n")
        assert "938524 is z in FILE, i before it" in refused("[938524 i, 938524 z]\n20200304\n2206\n")
        assert "1 to 10 belong to the SN group" in refused("[938524 i]\n20200304\n4\n")
        assert "nowhere.txt: it cannot be read: No such file" in house.refused(
            "queue", "add", "--from-output", "nowhere.txt", code=2
        )
        (house.root / "mine.txt").write_text("[938524 i]\n20200304\n2206\n")
        assert "and not both" in house.refused("queue", "add", "938525", "--from-output", "mine.txt", code=2)
        house.configure("dagmaker.output", '""')
        assert "dagmaker.output names no file" in house.refused("queue", "add", "--from-output", code=2)


class TestWithoutATerminal:
    """Nobody is asked: what is missing is an error, and the exit code is 2."""

    def test_missing(self, house: House) -> None:
        assert "needs --season N, and there is no terminal" in house.refused("queue", "add", "938524", code=2)
        assert "needs list files or exposure numbers" in house.refused("queue", "add", "--season", "2206", code=2)


class TestQuestions:
    """On a terminal one question is asked at a time, again after a wrong answer; who leaves has done nothing."""

    def test_all_of_it(self, house: House) -> None:
        (house.root / "bad.list").write_text("938524 q\n")
        (house.root / "tonight.list").write_text("938524 i\n938525\n")
        child = asked("queue", "add", cwd=house.root)
        child.expect_exact(EXPOSURES)
        child.sendline("")
        child.expect_exact(EXPOSURES)
        child.sendline("bad.list")
        child.expect_exact("bad.list is refused as a whole: line 1: 'q' is no band")
        child.expect_exact(EXPOSURES)
        child.sendline("tonight.list")
        child.expect_exact(SEASON)
        child.sendline("tonight")
        child.expect_exact("'tonight' is no season: it is a whole number such as 2206")
        child.expect_exact(SEASON)
        child.sendline("5000")
        child.expect_exact("season 5000 is reserved; take another")
        child.expect_exact(SEASON)
        child.sendline("2206")
        code, said = end(child)
        assert code == 0 and "2 exposures queued for season 2206; 0 already there" in said
        assert queued(house) == [(2206, "20200304", 938524, "i"), (2206, "20200304", 938525, "z")]

    def test_only_what_is_missing(self, house: House) -> None:
        child = asked("queue", "add", "--season", "2206", cwd=house.root)
        child.expect_exact(EXPOSURES)
        child.sendline("938524, 938525")
        assert end(child)[0] == 0
        assert [row[2] for row in queued(house)] == [938524, 938525]

    def test_when_output_txt_is_of_no_use(self, house: House) -> None:
        """As the pipeline's document has it: then the person is asked."""
        path = output(house, "nothing of the kind\n")
        child = asked("queue", "add", "--from-output", cwd=house.root)
        child.expect_exact(f"{path}: line 1 is no list such as [941225 i, 941226 i]")
        child.expect_exact(EXPOSURES)
        child.sendline("938525")
        child.expect_exact(SEASON)
        child.sendline("2206")
        assert end(child)[0] == 0
        assert [row[2] for row in queued(house)] == [938525]

    @pytest.mark.parametrize("key", ["c", "d"])
    def test_left(self, house: House, key: str) -> None:
        child = asked("queue", "add", "938524", cwd=house.root)
        child.expect_exact(SEASON)
        child.sendcontrol(key)
        code, said = end(child)
        assert code == 130
        assert said.strip().splitlines()[-1] == "desgw-daemon: left at a question: nothing was done"
        assert "Traceback" not in said
        assert not (house.state / "desgw.db").exists()
