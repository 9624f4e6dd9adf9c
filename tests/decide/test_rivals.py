"""DAGs of others in the queue: an exposure is made or submitted once at a time, whoever does it."""

from __future__ import annotations

from typing import Any

import pytest

from desgw_daemon.decide.plan import plan
from desgw_daemon.decide.rivals import second_jobs, strangers
from desgw_daemon.domain.actions import Action, MakeDag, Reconcile, SubmitDag, Wait
from desgw_daemon.domain.snapshot import Exposure
from desgw_daemon.domain.states import ENDED, IN_FLIGHT, ExposureState, MakingState, SubmissionState
from desgw_daemon.domain.submissions import ForeignDag
from tests.decide.build import (
    EXPNUM,
    POLICY,
    after,
    claimed,
    exposure,
    foreign,
    making,
    snapshot,
    submission,
    submitted,
)


def action_for(subject: Exposure, *dags: ForeignDag) -> Action:
    """What is planned for it while these live in the queue."""
    facts = snapshot(subject, foreign_dags=dags)
    (action,) = (
        a
        for a in plan(facts, POLICY, after(minutes=1))
        if isinstance(a, Wait | MakeDag | SubmitDag | Reconcile) and a.exposure_id == subject.id
    )
    return action


class TestForeignDags:
    """One that somebody else has in the queue is neither made nor submitted until that has left it."""

    SUBJECTS = (
        exposure(),
        exposure(state=ExposureState.MAKING, makings=(making(state=MakingState.INTENT),)),
        exposure(state=ExposureState.SUBMITTING, makings=(making(),)),
        claimed(),
    )

    @pytest.mark.parametrize("subject", SUBJECTS, ids=["queued", "about to be made", "made", "claimed"])
    def test_waits(self, subject: Exposure) -> None:
        action = action_for(subject, foreign())
        assert isinstance(action, Wait)
        assert (
            f"dp2299_{EXPNUM}_a1, job 163.0@schedd of desgw, running, seen since 2026-11-22T00:00:00Z" in action.reason
        )
        assert action.reason.endswith("It goes on when that one has left the queue")
        assert isinstance(action_for(subject), MakeDag | SubmitDag)

    @pytest.mark.parametrize("subject", SUBJECTS, ids=["queued", "about to be made", "made", "claimed"])
    @pytest.mark.parametrize("expnum", [None, EXPNUM + 1])
    def test_of_another_exposure(self, subject: Exposure, expnum: int | None) -> None:
        assert isinstance(action_for(subject, foreign(expnum)), MakeDag | SubmitDag)

    @pytest.mark.parametrize("state", sorted(ENDED))
    def test_one_of_ours_that_was_taken_for_ended(self, state: SubmissionState) -> None:
        old = submission(state=state, ended_at=after())
        again = exposure(attempt=2, submissions=(old,))
        assert isinstance(action_for(again), MakeDag)
        action = action_for(again, foreign(tag=old.tag, job_id="local.1"))
        assert isinstance(action, Wait) and old.tag in action.reason

    @pytest.mark.parametrize("state", sorted(ENDED))
    def test_one_that_has_ended_is_none(self, state: SubmissionState) -> None:
        """jobsub's stay in the queue for ten days."""
        assert isinstance(action_for(exposure(), foreign(state=state.value)), MakeDag)

    @pytest.mark.parametrize("state", sorted(IN_FLIGHT))
    def test_one_of_ours_in_flight_is_none(self, state: SubmissionState) -> None:
        mine = submitted(1, state)
        assert strangers(snapshot(mine, foreign_dags=(foreign(tag=mine.submissions[0].tag),))) == []

    def test_a_claim_that_the_queue_has_all_the_same_is_handed_over(self) -> None:
        """The engine knows its tag, and submits nothing."""
        mine = claimed()
        assert isinstance(action_for(mine, foreign(tag=mine.submissions[0].tag)), SubmitDag)

    def test_what_is_unclear_is_asked_for_all_the_same(self) -> None:
        unclear = claimed(submissions=(submission(state=SubmissionState.UNKNOWN, job_id=None),))
        assert isinstance(action_for(unclear, foreign()), Reconcile)

    def test_its_exposure_is_nobodys_template(self) -> None:
        subject = exposure(state=ExposureState.SUBMITTING, makings=(making(templates=(668439,)),))
        action = action_for(subject, foreign(668439))
        assert isinstance(action, Wait)
        assert "template 668439: a DAG in the queue that is none of ours (dp2299_668439_a1" in action.reason


class TestSecondJobs:
    """A second job with the tag of a DAG in flight is a duplicate."""

    @pytest.mark.parametrize(
        ("values", "found"), [({"job_id": "local.2"}, 1), ({"job_id": "local.1"}, 0), ({"tag": "dp2206_other"}, 0)]
    )
    def test_found(self, values: dict[str, Any], found: int) -> None:
        mine = submitted()
        dag = foreign(**({"tag": mine.submissions[0].tag} | values))
        assert len(second_jobs(snapshot(mine, foreign_dags=(dag,)))) == found

    def test_not_while_its_job_is_not_known(self) -> None:
        mine = claimed()
        assert second_jobs(snapshot(mine, foreign_dags=(foreign(tag=mine.submissions[0].tag),))) == []
