"""What SQLite counts of the CCDs and files for alerts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert

from desgw_daemon.decide.failure_alerts import QUIET
from desgw_daemon.domain.states import CcdState
from desgw_daemon.store.database import create_or_check, writing
from desgw_daemon.store.nightfacts import FAILURES_COUNT_FOR, load_night_facts
from desgw_daemon.store.tables import CcdRow, ExposureRow, ForcefileRow, SubmissionRow, table

from .alertbook import START

MINUTE = timedelta(minutes=1)
NITE = "20261121"


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    """One transaction on a new database."""
    engine = create_or_check(tmp_path / "desgw.db")
    with writing(engine) as connection:
        yield connection
    engine.dispose()


def put(connection: Connection, model: Any, **values: Any) -> None:
    connection.execute(insert(table(model)).values(**values))


def exposure(connection: Connection, number: int, state: str = "processing", **values: Any) -> None:
    lists: dict[str, Any] = {"forcefiles_missing": [], "forcefiles_surplus": []}
    known: dict[str, Any] = {"season": 2206, "nite": NITE, "expnum": 1200200 + number, "band": "i", "reason": ""}
    times = dict.fromkeys(("since", "queued_at", "news_at"), START)
    put(connection, ExposureRow, id=number, state=state, **lists | known | times | values)


def ccd(connection: Connection, number: int, ccd: int, state: str, minute: int = 0, **values: Any) -> None:
    lists: dict[str, Any] = {"fails": [], "fail_stats": {}, "stale": [], "foreign": []}
    put(
        connection,
        CcdRow,
        **lists | {"exposure_id": number, "ccd": ccd, "state": state, "changed_at": START + minute * MINUTE} | values,
    )


class TestFailures:
    """Failed and lost CCDs by exposure, step and host; of exposures that are done for some hours only."""

    def test_counted(self, connection: Connection) -> None:
        exposure(connection, 1)
        for number in range(1, 6):
            ccd(connection, 1, number, "failed", number, step="RUN05", host="a")
        ccd(connection, 1, 6, "lost", 9, host="b")
        ccd(connection, 1, 7, "complete")
        many, one = load_night_facts(connection, at=START).failures
        assert (many.state, many.step, many.host, many.count) == (CcdState.FAILED, "RUN05", "a", 5)
        assert many.newest == START + 5 * MINUTE and (many.expnum, many.over) == (1200201, False)
        assert (one.state, one.host, one.count) == (CcdState.LOST, "b", 1)

    def test_done(self, connection: Connection) -> None:
        for number, state in enumerate(("done", "removed", "ready"), start=1):
            exposure(connection, number, state)
            ccd(connection, number, 1, "failed", step="RUN05")

        def known(at: Any) -> list[tuple[int, bool]]:
            return [(f.exposure_id, f.over) for f in load_night_facts(connection, at=at).failures]

        assert known(START + FAILURES_COUNT_FOR) == [(1, True), (3, False)]
        assert known(START + FAILURES_COUNT_FOR + MINUTE) == [(3, False)]

    def test_as_long_as_the_rules_ask(self) -> None:
        assert FAILURES_COUNT_FOR == QUIET


class TestComplete:
    """Complete CCDs of what needs a person, 0 too."""

    def test_counted(self, connection: Connection) -> None:
        exposure(connection, 1, "attention")
        exposure(connection, 2, "attention")
        exposure(connection, 3)
        for number in (1, 3):
            ccd(connection, number, 1, "complete")
        assert load_night_facts(connection, at=START).complete == {1: 1, 2: 0}


class TestPaces:
    """The waits for CCDs, of all exposures of the nites that go on."""

    def test_counted(self, connection: Connection) -> None:
        exposure(connection, 1)
        exposure(connection, 2, "done")
        exposure(connection, 3, "done", nite="20261120")
        for number in (1, 2, 3):
            for which, minute in ((1, 30), (2, 32), (3, 45)):
                ccd(connection, number, which, "failed" if which == 3 else "complete", minute)
            ccd(connection, number, 4, "pending", 300)
        put(
            connection,
            SubmissionRow,
            exposure_id=1,
            attempt=1,
            tag="t",
            engine="local",
            state="running",
            dag_path="d",
            dag_sha256="0",
            intent_at=START,
            submitted_at=START + MINUTE,
            templates=[],
        )
        first, second = load_night_facts(connection, at=START).paces
        assert (first.exposure_id, second.exposure_id) == (1, 2)
        assert (first.ended, first.first, first.newest) == (3, START + 30 * MINUTE, START + 45 * MINUTE)
        assert round(first.longest / MINUTE, 3) == 13 and first.longest_wait == 29 * MINUTE
        assert second.submitted_at is None and round(second.longest_wait / MINUTE, 3) == 13


class TestLeftovers:
    """Surplus files, and files of size 0, with the oldest of them."""

    def files(self, connection: Connection, number: int, size: int) -> None:
        for minute, name in ((9, "a.fits"), (5, "b.fits"), (1, "c.part")):
            put(
                connection,
                ForcefileRow,
                exposure_id=number,
                name=name,
                size=size,
                mtime=0.0,
                as_of=START,
                first_seen=START + minute * MINUTE,
                kind=None if name == "c.part" else "fits",
            )

    def test_surplus(self, connection: Connection) -> None:
        for number, state in enumerate(("ready", "done", "attention"), start=1):
            exposure(connection, number, state, forcefiles_surplus=["a.fits", "b.fits", "gone.fits"])
            self.files(connection, number, 7)
        found = load_night_facts(connection, at=START).leftovers
        assert [(one.kind, one.exposure_id, one.count, one.example) for one in found] == [
            ("surplus", 1, 2, "a.fits"),
            ("surplus", 3, 2, "a.fits"),
        ]
        assert found[0].since == START + 5 * MINUTE

    def test_empty(self, connection: Connection) -> None:
        for number, state in enumerate(("processing", "ready"), start=1):
            exposure(connection, number, state)
            self.files(connection, number, 0)
            ccd(connection, number, 7, "pending", tarball_size=0)
        found = load_night_facts(connection, at=START).leftovers
        assert [(one.kind, one.exposure_id, one.count, one.example) for one in found] == [
            ("forcefile", 1, 2, "a.fits"),
            ("tarball", 1, 1, "the tarball of i_07"),
        ]
