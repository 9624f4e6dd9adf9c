"""The caps: DAGMakers at once, DAGs made ahead, DAGs in flight."""

from __future__ import annotations

from dataclasses import replace

import pytest

from desgw_daemon.decide.plan import plan
from desgw_daemon.domain.actions import MakeDag, SubmitDag, Wait
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.snapshot import Exposure
from desgw_daemon.domain.states import IN_FLIGHT, ExposureState, MakingState, SubmissionState
from tests.decide.build import POLICY, after, exposure, making, snapshot, submission, submitted


def planned(*exposures: Exposure, policy: Policy = POLICY) -> dict[int, MakeDag | SubmitDag | Wait]:
    """What is planned for each exposure."""
    actions = plan(snapshot(*exposures), policy, after(minutes=1))
    return {a.exposure_id: a for a in actions if isinstance(a, MakeDag | SubmitDag | Wait)}


def queue(count: int, first: int = 1) -> list[Exposure]:
    """So many exposures in the queue."""
    return [exposure(number) for number in range(first, first + count)]


def being_made(number: int) -> Exposure:
    """One whose DAGMaker runs."""
    return exposure(number, state=ExposureState.MAKING, makings=(making(number, MakingState.RUNNING),))


def made(number: int) -> Exposure:
    """One whose DAG waits for its place."""
    return exposure(number, state=ExposureState.SUBMITTING, makings=(making(number),))


def numbers(planned: dict[int, MakeDag | SubmitDag | Wait], kind: type) -> list[int]:
    """The exposures for which something of this kind is planned."""
    return [number for number, action in planned.items() if isinstance(action, kind)]


class TestDagMakers:
    """No more DAGMakers run than allowed; the others say their number in the line."""

    def test_five_at_once(self) -> None:
        actions = planned(*queue(7))
        assert numbers(actions, MakeDag) == [1, 2, 3, 4, 5]
        assert actions[6].reason == "5 DAGMakers run, 5 may at a time; it is number 1 of those that wait"
        assert actions[7].reason.endswith("it is number 2 of those that wait")

    def test_those_that_run_count(self) -> None:
        assert numbers(planned(*[being_made(n) for n in (1, 2, 3)], *queue(4, first=4)), MakeDag) == [4, 5]

    def test_one_that_was_interrupted_is_not_counted_twice(self) -> None:
        interrupted = exposure(state=ExposureState.MAKING, makings=(making(state=MakingState.INTENT),))
        assert numbers(planned(interrupted, *queue(5, first=2)), MakeDag) == [1, 2, 3, 4, 5]


class TestMadeAhead:
    """DAGs are made ahead of free places only up to a number: more would grow stale."""

    def test_the_grid_is_full(self) -> None:
        policy = replace(POLICY, submit_max_in_flight=2, dagmaker_made_ahead=2)
        running = [submitted(n) for n in (1, 2)]
        assert numbers(planned(*running, *queue(3, first=3), policy=policy), MakeDag) == [3, 4]
        actions = planned(*running, made(3), *queue(3, first=4), policy=policy)
        assert numbers(actions, MakeDag) == [4]
        assert actions[5].reason == (
            "2 of 2 DAGs are in flight and 2 more made or being made; it is number 1 of those that wait to be made"
        )

    def test_free_places_are_filled(self) -> None:
        policy = replace(POLICY, submit_max_in_flight=4, dagmaker_made_ahead=1)
        assert numbers(planned(submitted(1), *queue(5, first=2), policy=policy), MakeDag) == [2, 3, 4, 5]

    def test_held_ones_do_not_stop_the_others(self) -> None:
        policy = replace(POLICY, submit_max_in_flight=1, dagmaker_made_ahead=1)
        held = [replace(made(n), held=True) for n in (1, 2)]
        assert numbers(planned(submitted(4), *held, *queue(1, first=3), policy=policy), MakeDag) == [3]

    @pytest.mark.parametrize("state", [ExposureState.MAKING, ExposureState.SUBMITTING])
    def test_one_that_is_made_anew_counts_at_once(self, state: ExposureState) -> None:
        policy = replace(POLICY, submit_max_in_flight=1, dagmaker_made_ahead=1)
        old = submission(2, SubmissionState.DONE, ended_at=after())
        again = replace(made(2), state=state, attempt=2, makings=(making(2, attempt=2),), submissions=(old,))
        assert numbers(planned(submitted(4), again, *queue(1, first=3), policy=policy), MakeDag) == []


class TestInFlight:
    """No more DAGs are in flight than allowed, and whatever may still run counts."""

    @pytest.mark.parametrize("state", sorted(IN_FLIGHT))
    def test_full(self, state: SubmissionState) -> None:
        policy = replace(POLICY, submit_max_in_flight=1)
        actions = planned(submitted(1, state), made(2), made(3), policy=policy)
        assert numbers(actions, SubmitDag) == []
        assert actions[3].reason == (
            "its DAG is made; 1 DAGs are in flight, 1 may be; it is number 2 of those that wait for a place"
        )

    def test_a_place_is_free_when_a_dag_has_ended(self) -> None:
        policy = replace(POLICY, submit_max_in_flight=1)
        actions = planned(submitted(1, SubmissionState.DONE), made(2), made(3), policy=policy)
        assert numbers(actions, SubmitDag) == [2]

    @pytest.mark.parametrize("state", [ExposureState.DONE, ExposureState.REMOVED, ExposureState.ATTENTION])
    def test_of_exposures_that_are_through(self, state: ExposureState) -> None:
        policy = replace(POLICY, submit_max_in_flight=1)
        assert numbers(planned(replace(submitted(1), state=state), made(2), policy=policy), SubmitDag) == []

    def test_earlier_attempts_count(self) -> None:
        policy = replace(POLICY, submit_max_in_flight=1)
        old = submission(2, SubmissionState.RUNNING)
        new = submission(2, SubmissionState.DONE, attempt=2, ended_at=after())
        both = replace(submitted(2), attempt=2, submissions=(old, new))
        assert numbers(planned(made(1), both, policy=policy), SubmitDag) == []


class TestOrder:
    """Priority first, then first come, first served."""

    def test_order(self) -> None:
        late, urgent, early = exposure(1, queued_at=after(hours=1)), exposure(2, priority=1), exposure(3)
        policy = replace(POLICY, dagmaker_max_at_once=1)
        actions = planned(late, urgent, early, policy=policy)
        assert numbers(actions, MakeDag) == [2]
        assert actions[3].reason.endswith("number 1 of those that wait")
        assert actions[1].reason.endswith("number 2 of those that wait")
