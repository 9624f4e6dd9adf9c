"""Two seasons share one dagmaker.rc: they take turns at DAGMaker."""

from __future__ import annotations

from dataclasses import replace

import pytest

from desgw_daemon.decide.plan import plan
from desgw_daemon.domain.actions import MakeDag, Wait
from desgw_daemon.domain.snapshot import Exposure
from desgw_daemon.domain.states import ExposureState, MakingState
from tests.decide.build import EXPNUM, POLICY, after, exposure, making, snapshot

A, B = 2206, 2208


def of(season: int, number: int, **values: object) -> Exposure:
    """One in the queue of a season; its number is its place."""
    return exposure(number, season=season, **values)


def being_made(season: int, number: int, state: MakingState = MakingState.RUNNING) -> Exposure:
    """One whose DAGMaker runs, or is about to."""
    return of(season, number, state=ExposureState.MAKING, makings=(making(number, state),))


def planned(*exposures: Exposure) -> dict[int, str]:
    """For each exposure "make", or why it waits."""
    actions = plan(snapshot(*exposures), POLICY, after(minutes=1))
    return {
        a.exposure_id: "make" if isinstance(a, MakeDag) else a.reason for a in actions if isinstance(a, MakeDag | Wait)
    }


class TestOneSeasonAtATime:
    """While DAGMakers of one season run, or are started, those of another wait and say for what."""

    def test_in_one_plan(self) -> None:
        reasons = planned(of(A, 1), of(A, 2), of(B, 3))
        assert reasons[1] == reasons[2] == "make"
        assert reasons[3] == (
            "DAGMaker reads the season from dagmaker.rc, and 2 exposures of season 2206 are being made; it goes on when"
            " they have ended"
        )

    @pytest.mark.parametrize("state", [MakingState.INTENT, MakingState.RUNNING])
    def test_while_one_is_made(self, state: MakingState) -> None:
        reason = planned(being_made(A, 1, state), of(B, 2))[2]
        assert "1 exposure of season 2206 is being made since 2026-11-22T00:00:00Z; it goes on when that has" in reason

    def test_it_goes_on(self) -> None:
        assert planned(of(A, 1, state=ExposureState.SUBMITTING, makings=(making(1),)), of(B, 2))[2] == "make"


class TestFairTurns:
    """Nothing overtakes an exposure of another season that is first in the queue and waits."""

    def test_those_behind_wait(self) -> None:
        reasons = planned(being_made(A, 1), of(B, 2), of(A, 3))
        assert "season 2206 is being made" in reasons[2]
        assert f"season 2208 has the next turn: {EXPNUM + 1} stands before it" in reasons[3]

    def test_those_before_do_not(self) -> None:
        assert planned(being_made(A, 1), of(A, 2), of(B, 3))[2] == "make"

    def test_priority(self) -> None:
        reasons = planned(being_made(A, 1), of(A, 2), of(B, 3, priority=5))
        assert "season 2208 has the next turn" in reasons[2]

    @pytest.mark.parametrize("kept", [{"held": True}, {"band": None}])
    def test_one_that_could_not_be_made_keeps_nobody_back(self, kept: dict[str, object]) -> None:
        assert planned(being_made(A, 1), of(B, 2, **kept), of(A, 3))[3] == "make"

    def test_no_season_is_kept_waiting_for_ever(self) -> None:
        """A long list of one season, and the other one in the middle of it: each in its turn."""
        queue = [of(A, 1), of(B, 2), of(A, 3), of(B, 4)]
        order = []
        while queue:
            reasons = planned(*queue)
            made = [number for number, words in reasons.items() if words == "make"]
            assert made, reasons
            order.append(made)
            queue = [e for e in queue if e.id not in made]
        assert order == [[1], [2], [3], [4]]


class TestTakenUpAgain:
    """A start that a crash has interrupted waits only for a DAGMaker of another season that runs."""

    def test_waits(self) -> None:
        reasons = planned(being_made(A, 1), being_made(B, 2, MakingState.INTENT))
        assert "season 2206 is being made" in reasons[2]

    def test_goes_on(self) -> None:
        intents = (being_made(A, 1, MakingState.INTENT), being_made(B, 2, MakingState.INTENT))
        assert set(planned(*intents).values()) == {"make"}
        assert set(planned(being_made(A, 1), replace(intents[1], season=A)).values()) >= {"make"}
