"""The rules of refreshing exposures.list."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from desgw_daemon.decide.plan import plan
from desgw_daemon.domain.actions import RefreshExposures, Wait
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.runs import Refresh
from desgw_daemon.domain.snapshot import Exposure, Snapshot
from desgw_daemon.domain.states import ExposureState, RefreshState
from tests.decide.build import raised_of

from .build import START, exposure

EVERY = timedelta(minutes=15)
POLICY = Policy(refresh_every=EVERY)
NOW = START + timedelta(hours=2)


def unknown(expnum: int = 1400001, **values: Any) -> Exposure:
    return exposure(**{"expnum": expnum, "state": ExposureState.QUEUED, "nite": None, "band": None, **values})


def refresh(state: RefreshState, *, ago: timedelta, number: int = 1, reason: str | None = None) -> Refresh:
    """One that began so long ago, and took a minute."""
    began = NOW - ago
    ended = None if state is RefreshState.RUNNING else began + timedelta(minutes=1)
    return Refresh(id=number, state=state, started_at=began, ended_at=ended, who="daemon", reason=reason)


def refreshes(snapshot: Snapshot, policy: Policy = POLICY) -> list[RefreshExposures]:
    return [action for action in plan(snapshot, policy, NOW) if isinstance(action, RefreshExposures)]


def reason(snapshot: Snapshot) -> str:
    (wait,) = (action for action in plan(snapshot, POLICY, NOW) if isinstance(action, Wait))
    return wait.reason


class TestWhen:
    """exposures.list is refreshed when an exposure of the queue waits for a line in it, at most every refresh_every."""

    def test_waiting(self) -> None:
        (action,) = refreshes(Snapshot(exposures=(unknown(1400001), unknown(1400002, id=2))))
        assert "2 exposures" in action.reason and "1400001, 1400002" in action.reason

    @pytest.mark.parametrize(
        "waits",
        [unknown(held=True), unknown(state=ExposureState.ATTENTION), exposure(state=ExposureState.QUEUED)],
        ids=["held", "for a person", "known"],
    )
    def test_nobody_waits(self, waits: Exposure) -> None:
        assert refreshes(Snapshot(exposures=(waits,))) == []

    def test_never(self) -> None:
        assert refreshes(Snapshot(exposures=(unknown(),)), Policy(refresh_every=None)) == []
        assert refreshes(Snapshot(exposures=(unknown(),), paused=True)) == []

    @pytest.mark.parametrize("state", [RefreshState.DONE, RefreshState.FAILED])
    @pytest.mark.parametrize(("ago", "again"), [(EVERY - timedelta(seconds=1), False), (EVERY, True)])
    def test_pace(self, state: RefreshState, ago: timedelta, again: bool) -> None:
        snapshot = Snapshot(exposures=(unknown(),), refresh=refresh(state, ago=ago))
        assert bool(refreshes(snapshot)) is again

    def test_one_at_a_time(self) -> None:
        running = refresh(RefreshState.RUNNING, ago=10 * EVERY)
        assert refreshes(Snapshot(exposures=(unknown(),), refresh=running)) == []


class TestReason:
    """Whoever waits says when the list was refreshed, what went wrong, and when it is tried next."""

    def test_all(self) -> None:
        good = refresh(RefreshState.DONE, ago=timedelta(minutes=30))
        bad = refresh(RefreshState.FAILED, ago=timedelta(minutes=5), number=2, reason="no route to it")
        said = reason(Snapshot(exposures=(unknown(),), refresh=bad, refreshed=good, refresh_failed=bad))
        assert f"exposures.list was last refreshed at {good.ended_at:%Y-%m-%dT%H:%M:%SZ}" in said
        assert "no route to it" in said
        assert f"the next refresh is at {bad.started_at + EVERY:%Y-%m-%dT%H:%M:%SZ}" in said

    def test_under_way(self) -> None:
        running = refresh(RefreshState.RUNNING, ago=timedelta(minutes=1))
        assert "it is being refreshed since" in reason(Snapshot(exposures=(unknown(),), refresh=running))


class TestAlert:
    """A failure is told until a refresh ends well, or nobody waits for it; what follows from it is not told too."""

    BAD = refresh(RefreshState.FAILED, ago=timedelta(hours=1), reason="no route to it")
    FAILED = Snapshot(exposures=(unknown(queued_at=START),), refresh=BAD, refresh_failed=BAD)

    def rules(self, snapshot: Snapshot) -> list[str]:
        return [alert.rule for alert in raised_of(snapshot, POLICY, NOW)]

    def test_up(self) -> None:
        (alert,) = raised_of(self.FAILED, POLICY, NOW)
        assert alert.rule == "refresh_failed" and "no route to it" in alert.text and "1400001" in alert.text

    def test_while_it_is_tried_again(self) -> None:
        again = refresh(RefreshState.RUNNING, ago=timedelta(0), number=2)
        assert self.rules(replace(self.FAILED, refresh=again)) == ["refresh_failed"]

    def test_cleared(self) -> None:
        good = refresh(RefreshState.DONE, ago=timedelta(minutes=30), number=2)
        assert self.rules(replace(self.FAILED, refresh=good, refreshed=good)) == ["no_data"]
        assert self.rules(replace(self.FAILED, exposures=())) == []
