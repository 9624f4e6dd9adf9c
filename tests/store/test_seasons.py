"""Seasons are taken once, and know the event that they are for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from desgw_daemon.domain.event import Event
from desgw_daemon.errors import Refused
from desgw_daemon.store.adding import Wish, add
from desgw_daemon.store.database import create_or_check, writing
from desgw_daemon.store.seasons import Taking, event_of, is_known, known_seasons, record_event, take, take_one

AT = datetime(2026, 11, 22, 2, 14, 5, tzinfo=UTC)
NEW = Taking(how="new", answers={"pnfs": "free: no such folder"}, unverified=("des",))


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    """One transaction on a new database."""
    engine = create_or_check(tmp_path / "desgw.db")
    with writing(engine) as connection:
        yield connection
    engine.dispose()


def history(connection: Connection) -> list[tuple[str, str, str]]:
    rows = connection.execute(text("SELECT after, why, who FROM \"transition\" WHERE kind = 'season' ORDER BY id"))
    return [(row.after, row.why, row.who) for row in rows]


def add_exposure(connection: Connection, season: int) -> None:
    wishes = [Wish(expnum=938524, band="i", nite="20200304")]
    add(connection, season=season, wishes=wishes, priority=0, who="observer", at=AT, source="tonight.list")


class TestTaking:
    """A season is taken by the first, and by nobody after."""

    def test_once(self, connection: Connection) -> None:
        assert take(connection, 2206, NEW, who="one", at=AT)
        assert not take(connection, 2206, NEW, who="two", at=AT + timedelta(hours=1))
        assert known_seasons(connection).used == {2206: "taken by one at 2026-11-22T02:14:05Z"}
        assert history(connection) == [
            ("taken", "taken (new), without an answer of des (`desgw-daemon season check 2206` asks)", "one")
        ]

    def test_not_one_with_exposures(self, connection: Connection) -> None:
        add_exposure(connection, 2206)
        assert not take(connection, 2206, NEW, who="one", at=AT)
        assert known_seasons(connection).used == {2206: "1 exposure here"}

    def test_every_number_once(self, connection: Connection) -> None:
        got = [take_one(connection, range(2201, 2211), NEW, who="one", at=AT) for _ in range(11)]
        assert set(got[:-1]) == set(range(2201, 2211)) and got[-1] is None


class TestEvent:
    """Each value of an event can be said by itself, and is written down with who has said it."""

    def test_bit_by_bit(self, connection: Connection) -> None:
        take(connection, 2206, NEW, who="one", at=AT)
        assert record_event(connection, 2206, Event(ligoid="GW170814", triggermjd=57979.44), who="two", at=AT)
        assert record_event(connection, 2206, Event(propid="2020B-0241", ligoid="GW170814"), who="two", at=AT)
        assert not record_event(connection, 2206, Event(propid="2020B-0241"), who="two", at=AT)
        assert event_of(connection, 2206) == Event(ligoid="GW170814", propid="2020B-0241", triggermjd=57979.44)
        assert history(connection)[1:] == [
            ("event", "ligoid GW170814, triggermjd 57979.44", "two"),
            ("event", "propid 2020B-0241", "two"),
        ]

    def test_exposures_of_an_older_program(self, connection: Connection) -> None:
        add_exposure(connection, 2206)
        assert record_event(connection, 2206, Event(triggerid="M1"), who="two", at=AT)
        assert event_of(connection, 2206).triggerid == "M1"

    def test_unknown_season(self, connection: Connection) -> None:
        with pytest.raises(Refused, match="season 2206 is not known"):
            record_event(connection, 2206, Event(triggerid="M1"), who="two", at=AT)
        assert not is_known(connection, 2206)
        assert event_of(connection, 2206) == Event()
