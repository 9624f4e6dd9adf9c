"""An exposure that exposures.list does not know yet: the daemon refreshes the list by itself, and goes on."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest

from .house import NITE, SEASON, House, night_of, planned

KNOWN, NEW, NOBODY = 938524, 938525, 938999


def refreshes(house: House) -> list[dict[str, object]]:
    """The rows of v_refresh, in order."""
    return house.rows("SELECT * FROM v_refresh ORDER BY id")


def queue(house: House, *expnums: int) -> None:
    house.ok("queue", "add", *map(str, expnums), "--season", str(SEASON))


def settled(house: House, state: str = "done") -> dict[str, object]:
    """Waits until one more refresh has come to its end; its row."""
    before = {row["id"] for row in refreshes(house) if row["state"] != "running"}

    def ended() -> dict[str, object] | None:
        rows = [row for row in refreshes(house) if row["state"] != "running" and row["id"] not in before]
        return rows[0] if rows else None

    row = house.until(ended, "a refresh has ended")
    assert row is not None and row["state"] == state, row
    return row


@pytest.mark.slow
class TestFoundByItself:
    """Queued, not in exposures.list, found by a refresh, made, done: without a person."""

    def test_night(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(KNOWN), planned(NEW, new=True)))
        assert f"\n  {NEW} " not in (house.sandbox.workflow / "exposures.list").read_text()
        house.start()
        queue(house, KNOWN, NEW)
        house.wait_for("done", KNOWN, NEW)
        (row,) = refreshes(house)
        assert (row["state"], row["who"]) == ("done", "daemon")
        lines = (house.sandbox.workflow / "exposures.list").read_text().splitlines()
        assert row["exposures"] == len(lines) - 1
        assert str(NEW) in str(row["why"]) and str(KNOWN) not in str(row["why"])
        assert (house.exposure(NEW)["nite"], house.exposure(NEW)["band"]) == (NITE, "i")
        assert house.made(NEW) == 1
        assert [record["text"].split(":")[0] for record in house.log("exposures_refreshed")] == ["exposures.list"] * 2
        assert house.alerts("refresh_failed") == []

    def test_also_when_its_list_says_band_and_nite(self, make_house: Callable[..., House]) -> None:
        """DAGMaker looks it up all the same."""
        house = make_house(night_of(planned(NEW, new=True)))
        (house.root / "full.list").write_text(f"{NEW} i {NITE}\n")
        house.ok("queue", "add", "full.list", "--season", str(SEASON))
        house.tick()
        assert "exposures.list has no line for it (in the queue since" in house.exposure(NEW)["reason"]
        assert house.made(NEW) == 0 and house.exposure(NEW)["unlisted_since"] is not None
        house.start()
        house.wait_for("done", NEW)
        assert len(refreshes(house)) == 1 and house.exposure(NEW)["unlisted_since"] is None

    def test_nothing_unknown_nothing_refreshed(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(KNOWN), planned(NEW, new=True)))
        queue(house, KNOWN)
        house.tick()
        assert refreshes(house) == []
        assert not (house.state / "refresh").exists()


class TestPace:
    """At most every databases.refresh_every; never without a database, or with 0."""

    def test_not_again_before_its_time(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(KNOWN)), {"databases.refresh_every": '"1 h"'})
        queue(house, NOBODY)
        house.start()
        row = settled(house)
        house.cycles(3)
        assert len(refreshes(house)) == 1
        reason = house.exposure(NOBODY)["reason"]
        assert f"exposures.list was last refreshed at {row['ended_at']}" in reason
        assert "the next refresh is at" in reason
        house.configure("databases.refresh_every", '"1 ms"')
        settled(house)

    @pytest.mark.parametrize(("key", "value"), [("databases.refresh_every", "0"), ("databases.exposures", '""')])
    def test_never(self, make_house: Callable[..., House], key: str, value: str) -> None:
        house = make_house(night_of(planned(KNOWN)), {key: value})
        queue(house, NOBODY)
        house.tick()
        assert refreshes(house) == []
        assert "refresh is at" not in house.exposure(NOBODY)["reason"]


class TestFails:
    """Its cause is told once, the waiting exposure says it, and the next success ends the alert."""

    def test_told_and_mended(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(KNOWN), planned(NEW, new=True)), {"databases.refresh_every": '"1 h"'})
        place = house.root / "exposures.db"
        aside = place.rename(house.root / "aside.db")
        old = (house.sandbox.workflow / "exposures.list").read_bytes()
        queue(house, NEW)
        house.start()
        row = settled(house, "failed")
        assert "unable to open database file" in str(row["reason"])
        (alert,) = house.until(lambda: house.alerts("refresh_failed"), "the alert is up")
        assert "unable to open database file" in alert["text"] and alert["cleared_at"] is None
        house.until(lambda: "unable to open database" in house.exposure(NEW)["reason"], "the exposure says it")
        assert (house.sandbox.workflow / "exposures.list").read_bytes() == old
        aside.rename(place)
        house.ok("exposures", "refresh")
        house.until(lambda: house.exposure(NEW)["band"] == "i", "it has its data")
        house.until(lambda: house.alerts("refresh_failed")[0]["cleared_at"], "the alert is cleared")


class TestCutOff:
    """Whatever is killed when, no claim stays for ever and nothing is started twice."""

    def test_claimed_and_not_started(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(KNOWN)), {"databases.refresh_every": '"1 ms"'})
        queue(house, NOBODY)
        change(
            house,
            "INSERT INTO refresh (id, state, started_at, who, why, folder) VALUES"
            f" (7, 'running', '2026-11-22 02:00:00', 'daemon', 'a test', '{house.state / 'refresh' / '7'}')",
        )
        old = house.state / "refresh" / "2"
        for number in range(2, 7):
            (house.state / "refresh" / str(number)).mkdir(parents=True)
        house.start()
        assert settled(house)["id"] == 7
        assert json.loads((house.state / "refresh" / "7" / "output").read_text())["exposures"] > 0
        house.until(lambda: len(refreshes(house)) > 5, "so many refreshes that the evidence of the first goes")
        assert not old.exists()

    def test_killed_child(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(KNOWN)), {"databases.refresh_every": '"1 h"'})
        queue(house, NOBODY)
        # A file that another program is writing: whoever would read it waits.
        with closing(sqlite3.connect(house.root / "exposures.db", isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            house.start()
            house.kill_child(house.state / "refresh" / "1")
            other.rollback()
        assert "nobody saw its end" in str(settled(house, "failed")["reason"])

    def test_a_persons_that_was_killed(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(KNOWN)), {"databases.refresh_every": '"1 ms"'})
        queue(house, NOBODY)
        change(
            house,
            "INSERT INTO refresh (state, started_at, who, why) VALUES ('running', '2026-11-22 02:00:00', 'x', 'y')",
        )
        house.start()
        assert "ended without a word" in str(settled(house, "failed")["reason"])
        settled(house)


def change(house: House, statement: str) -> None:
    """Change the database by hand, as a crash would have left it."""
    with closing(sqlite3.connect(house.state / "desgw.db")) as database, database:
        database.execute(statement)
