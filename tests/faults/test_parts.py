"""What a mistake of the program in one part of a cycle does to the others. Real cycles on a real database."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import DatabaseError, OperationalError

from desgw_daemon.daemon.parts import Part

from .place import Broken, Place


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path / "place")
    place.queue(938524)
    yield place
    place.remove()


#: Behind which object of the house a part stands.
BROKEN = {Part.EXPOSURES_LIST: "exposures_list", Part.SETUP: "setup", Part.QUEUE: "engines"}


class TestOneOfThem:
    """A part that fails does not take the others with it; it is logged, written down and an alert."""

    @pytest.mark.parametrize("part", BROKEN)
    def test_the_cycle_comes_to_its_end(self, place: Place, part: Part) -> None:
        done = place.tick(place.built(**{BROKEN[part]: Broken()}))
        assert [error.partition(":")[0] for error in done.errors] == [part.value]
        (row,) = place.rows("SELECT part_errors, ended_at FROM poll")
        assert "nobody has foreseen" in json.loads(row[0])[part.value]
        assert row[1] is not None

    def test_its_alert_comes_and_goes(self, place: Place) -> None:
        house = place.built(exposures_list=Broken())
        for _ in range(4):
            place.tick(house)
        assert "part_failed:exposures_list" in place.up()
        for _ in range(2):
            place.tick()
        assert "part_failed:exposures_list" not in place.up()

    def test_its_traceback_is_logged_once(self, place: Place) -> None:
        house = place.built(exposures_list=Broken())
        for _ in range(4):
            place.tick(house)
        assert place.said.getvalue().count("exposures_list failed") == 1
        assert place.loaded.config.log_file is not None
        assert place.loaded.config.log_file.read_text().count("Traceback") == 1
        place.tick()
        place.tick(house)
        assert place.said.getvalue().count("exposures_list failed") == 2


class TestWhatItStandsFor:
    """A part that fails means that its facts are unknown: what rests on them waits, and is told once."""

    def test_the_queue(self, place: Place) -> None:
        house = place.built(engines=Broken())
        for _ in range(4):
            place.tick(house)
        (problem,) = place.rows("SELECT engine_problem FROM poll ORDER BY id DESC LIMIT 1")[0]
        assert "it cannot be told" in problem
        assert {key for key in place.up() if key != "making_blocked"} == {"part_failed:queue"}

    def test_the_setup(self, place: Place) -> None:
        house = place.built(setup=Broken())
        place.tick(house)
        (problem,) = place.rows("SELECT making_problem FROM poll ORDER BY id DESC LIMIT 1")[0]
        assert "it cannot be told" in problem


class TestARowThatNobodyCanRead:
    """A row that the program cannot read stops all that rests on rows, and is told once."""

    def test_is_told_and_what_was_up_stays(self, place: Place) -> None:
        for _ in range(3):
            place.tick()
        before = place.up()
        assert before
        spoil = "PRAGMA ignore_check_constraints = ON; UPDATE exposure SET state = "
        with closing(sqlite3.connect(place.loaded.config.database)) as connection:
            connection.executescript(f"{spoil} 'nonsense'")
        for _ in range(3):
            done = place.tick()
            assert not done.actions
        assert place.up() == before | {"part_failed:cycle"}
        with closing(sqlite3.connect(place.loaded.config.database)) as connection:
            connection.executescript(f"{spoil} 'queued'")
        for _ in range(2):
            place.tick()
        assert place.up() == before


class TestTheDatabase:
    """A database that cannot be used ends the cycle: it is no part's failure."""

    @pytest.mark.parametrize("kind", [OperationalError, DatabaseError])
    def test_ends_it(self, place: Place, kind: type[DatabaseError]) -> None:
        error: Any = kind("SELECT 1", {}, Exception("database disk image is malformed"))
        with pytest.raises(kind):
            place.tick(place.built(exposures_list=Broken(error)))
        assert place.rows("SELECT ended_at FROM poll") == [(None,)]
        place.tick(later=timedelta(minutes=1))
        assert place.rows("SELECT count(*) FROM poll WHERE ended_at IS NOT NULL") == [(1,)]


class TestThePage:
    """docs/faults.md has each part, in the program's own words."""

    @pytest.mark.parametrize("part", Part)
    def test_has_it(self, part: Part) -> None:
        page = (Path(__file__).parents[2] / "docs" / "faults.md").read_text()
        assert f"| `{part.value}` | {part.without} |" in page
