"""The daemon's own condition: its disk, its clock, its pace, its starts. Real cycles, the clocks given by the test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from desgw_daemon.decide.vitals import vitals_alerts
from desgw_daemon.domain.snapshot import Snapshot
from desgw_daemon.domain.vitals import Vitals
from desgw_daemon.store.database import writing
from desgw_daemon.store.vitals import record_start, record_stop

from .place import Place

HOUR = timedelta(hours=1)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path / "place")
    yield place
    place.remove()


class TestTheClock:
    """A clock that was set is told for an hour, whichever way; nothing else comes of it."""

    @pytest.mark.parametrize("jump", [HOUR, -HOUR])
    def test_a_jump_is_told_and_over_an_hour_later(self, place: Place, jump: timedelta) -> None:
        for _ in range(2):
            place.tick()
        assert not place.up()
        place.now += jump
        place.tick()
        assert place.up() == {"clock_jumped"}
        assert place.rows("SELECT clock_jump FROM poll ORDER BY id DESC LIMIT 1") == [(jump.total_seconds(),)]
        place.tick(later=timedelta(minutes=50))
        assert place.up() == {"clock_jumped"}
        place.tick(later=timedelta(minutes=11))
        assert not place.up()

    def test_a_small_one_is_none(self, place: Place) -> None:
        place.tick()
        place.now += timedelta(seconds=29)
        place.tick()
        assert place.rows("SELECT count(*) FROM poll WHERE clock_jump IS NOT NULL") == [(0,)]


class TestTheDisk:
    """Little room is told; with a tenth of that nothing new is begun, and the plan says so."""

    def test_told_and_over(self, place: Place) -> None:
        alerts = replace(place.house.policy.alerts, min_free=1 << 60)
        little = place.built(policy=replace(place.house.policy, alerts=alerts))
        place.queue(938524)
        for _ in range(4):
            done = place.tick(little)
        assert "disk_nearly_full" in place.up()
        (reason,) = place.rows("SELECT reason FROM exposure")[0]
        assert "nothing new is begun below" in reason
        assert not [action for action in done.actions if not str(action).startswith("wait")]
        for _ in range(2):
            place.tick()
        assert "disk_nearly_full" not in place.up()


class TestStarts:
    """More starts within an hour than alerts.max_restarts, each after an end that nobody had ordered, are told."""

    def start(self, place: Place, *, stopped: bool) -> None:
        place.wait(timedelta(minutes=1))
        with writing(place.database) as connection:
            run = record_start(connection, at=place.now, pid=1, boot_id="boot", version="1")
            if stopped:
                record_stop(connection, run, at=place.now, how="told to stop")

    def test_crashes_are_told(self, place: Place) -> None:
        most = place.house.policy.alerts.max_restarts
        for _ in range(most + 1):
            self.start(place, stopped=False)
        place.tick()
        assert not place.up()
        self.start(place, stopped=False)
        place.tick()
        assert place.up() == {"restarts"}
        place.tick(later=HOUR)
        assert not place.up()

    def test_stops_are_none(self, place: Place) -> None:
        for _ in range(10):
            self.start(place, stopped=True)
        place.tick()
        assert not place.up()


class TestThePace:
    """A cycle that took longer than poll.interval is told, when the ones after it do so for ten minutes."""

    @pytest.mark.parametrize(("seconds", "told"), [(59.0, False), (61.0, True)])
    def test_the_condition(self, place: Place, seconds: float, told: bool) -> None:
        snapshot = Snapshot(vitals=Vitals(seconds=seconds))
        rules = [alert.rule for alert in vitals_alerts(snapshot, place.house.policy)]
        assert rules == (["poll_overrun"] if told else [])
