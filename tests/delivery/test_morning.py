"""When the report of a night is due."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

from desgw_daemon.decide.morning import due_night
from desgw_daemon.domain.nights import Watch
from desgw_daemon.domain.policy import AlertPolicy, Policy

SETTLED = Policy()
AT_NOON = Policy(alerts=AlertPolicy(report_at=time(12, 0)))
SEEN = Watch(first_cycle=datetime(2026, 11, 1, tzinfo=UTC), reported="20261120", open=0, last_change=None)


def at(hour: int, minute: int = 0, day: int = 22) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


def reported(watch: Watch, policy: Policy, now: datetime) -> str | None:
    night = due_night(watch, policy, now)
    return None if night is None else night.nite


class TestOnceANight:
    """Each night has one report, whenever it is asked for, and however often the daemon starts."""

    def test_over_three_days(self) -> None:
        for policy in (SETTLED, AT_NOON):
            watch, told = SEEN, []
            for minutes in range(0, 3 * 24 * 60, 5):
                now = at(0) + timedelta(minutes=minutes)
                if (nite := reported(watch, policy, now)) is not None:
                    told.append((nite, now.hour))
                    watch = replace(watch, reported=nite)
            hour = 12 if policy is AT_NOON else 9
            assert told == [("20261121", hour), ("20261122", hour), ("20261123", hour)]

    def test_late_after_a_stop(self) -> None:
        assert reported(SEEN, AT_NOON, at(23)) == "20261121"
        assert reported(replace(SEEN, reported="20261121"), AT_NOON, at(23)) is None


class TestWhenAllIsSettled:
    """Without a time of its own it waits for the last exposure and half an hour of quiet, until 16:00 UTC."""

    def test_not_while_something_goes_on(self) -> None:
        busy = replace(SEEN, open=1, last_change=at(11, 50))
        assert reported(busy, SETTLED, at(12)) is None
        assert reported(busy, SETTLED, at(15, 59)) is None
        assert reported(busy, SETTLED, at(16)) == "20261121"

    def test_not_just_after_it(self) -> None:
        done = replace(SEEN, last_change=at(11, 50))
        assert reported(done, SETTLED, at(12, 19)) is None
        assert reported(done, SETTLED, at(12, 20)) == "20261121"

    def test_not_in_the_night(self) -> None:
        assert reported(replace(SEEN, reported="20261120", last_change=at(1)), SETTLED, at(5)) is None


class TestANightThatNobodyWatched:
    """A daemon that is started for the first time says nothing of the night before."""

    def test_it(self) -> None:
        new = Watch(first_cycle=at(13), reported=None, open=0, last_change=None)
        for policy in (SETTLED, AT_NOON):
            assert reported(new, policy, at(13)) is None
            assert reported(new, policy, at(20)) is None
            assert reported(new, policy, at(12, day=23)) == "20261122"
