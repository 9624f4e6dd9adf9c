"""DAGs that are held for long give their places back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from desgw_daemon.decide.held import has_given_back, held_words
from desgw_daemon.decide.plan import plan
from desgw_daemon.domain.actions import MakeDag, SubmitDag, Wait
from desgw_daemon.domain.snapshot import Exposure
from desgw_daemon.domain.states import ExposureState, SubmissionState
from tests.decide.build import EXPNUM, POLICY, START, after, exposure, making, snapshot, submission, submitted

LIMIT = POLICY.submit_held_limit
ONE_PLACE = replace(POLICY, submit_max_in_flight=1)


def held(number: int = 1, state: SubmissionState = SubmissionState.HELD, **values: Any) -> Exposure:
    """One of which nothing can run since START."""
    reason = "Job credentials are not available"
    dag = submission(number, state, held_since=START, hold_reason=reason, **values)
    return replace(submitted(number), submissions=(dag,))


def made(number: int, **values: Any) -> Exposure:
    """One whose DAG waits for its place."""
    return exposure(number, state=ExposureState.SUBMITTING, makings=(making(number),), **values)


class TestGivesItsPlaceBack:
    """One that is held for longer than the limit does not count against the cap, and is in flight for all else."""

    @pytest.mark.parametrize("state", [SubmissionState.HELD, SubmissionState.RUNNING, SubmissionState.QUEUED])
    def test_after_the_limit(self, state: SubmissionState) -> None:
        night = snapshot(held(1, state), made(2))
        before = plan(night, ONE_PLACE, START + LIMIT - POLICY.poll_interval)
        assert [a for a in before if isinstance(a, SubmitDag)] == []
        (action,) = (a for a in plan(night, ONE_PLACE, START + LIMIT) if isinstance(a, SubmitDag))
        assert action.exposure_id == 2

    @pytest.mark.parametrize(
        "state", [SubmissionState.INTENT, SubmissionState.SUBMITTING, SubmissionState.UNKNOWN, SubmissionState.DONE]
    )
    def test_not_one_that_the_queue_does_not_show_so(self, state: SubmissionState) -> None:
        """It may run again by now."""
        assert not has_given_back(submission(state=state, held_since=START), POLICY, after(days=9))
        assert held_words(submission(state=state, held_since=START)) is None

    def test_said_in_the_line(self) -> None:
        policy = replace(POLICY, submit_max_in_flight=2)
        night = snapshot(held(1), submitted(2), submitted(3), made(4))
        (action,) = (a for a in plan(night, policy, START + LIMIT) if isinstance(a, Wait) and a.exposure_id == 4)
        assert action.reason == (
            "its DAG is made; 2 DAGs are in flight, 2 may be (1 more DAG held for more than 2 h not counted); it is"
            " number 1 of those that wait for a place"
        )

    def test_no_second_dag_of_it(self) -> None:
        again = replace(held(1), state=ExposureState.QUEUED, attempt=2)
        other = exposure(2, expnum=EXPNUM, season=2208)
        actions = plan(snapshot(again, other), POLICY, after(days=2))
        assert not any(isinstance(a, MakeDag | SubmitDag) for a in actions)

    def test_its_templates_stay_claimed(self) -> None:
        other = replace(made(2), makings=(making(2, templates=(668439,)),))
        night = snapshot(held(1, templates=(668439,)), other)
        (action,) = (a for a in plan(night, POLICY, after(hours=9)) if isinstance(a, Wait) and a.exposure_id == 2)
        assert "held since 2026-11-22T00:00:00Z: Job credentials are not available" in action.reason
        assert f"`desgw-daemon queue remove --dag {EXPNUM}` ends it" in action.reason

    def test_said_of_the_exposure_itself(self) -> None:
        (action,) = (a for a in plan(snapshot(held()), POLICY, after(hours=1)) if isinstance(a, Wait))
        assert "its DAG is in the queue, held since 2026-11-22T00:00:00Z: Job credentials" in action.reason
