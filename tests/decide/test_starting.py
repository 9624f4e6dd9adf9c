"""From the queue into the grid: what is planned for exposures that are not submitted yet."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from desgw_daemon.decide.plan import plan
from desgw_daemon.domain.actions import Action, MakeDag, Move, Reconcile, SubmitDag, Wait, WaitSeason
from desgw_daemon.domain.snapshot import Exposure, Snapshot
from desgw_daemon.domain.states import IN_FLIGHT, CcdState, ExposureState, MakingState, Ready, SubmissionState
from tests.decide.build import (
    EXPNUM,
    POLICY,
    START,
    after,
    exposure,
    making,
    ready,
    run,
    settled_ccds,
    snapshot,
    states_of,
    submission,
    submitted,
)


def action_for(subject: Exposure, *others: Exposure, **values: Any) -> Action:
    """What is planned for the first of them."""
    return only(snapshot(subject, *others, **values), subject.id)


def only(facts: Snapshot, exposure_id: int) -> Action:
    """The one action for an exposure."""
    (action,) = (
        a
        for a in plan(facts, POLICY, after(minutes=1))
        if isinstance(a, Wait | Move | MakeDag | SubmitDag | Reconcile) and a.exposure_id == exposure_id
    )
    return action


def made(**values: Any) -> Exposure:
    """One whose DAG is made."""
    return exposure(**({"state": ExposureState.SUBMITTING, "makings": (making(),)} | values))


class TestCredential:
    """Without a good credential nothing is made or submitted; what is in the queue of the grid is followed."""

    BAD = (START, "the bearer token /tmp/bt has ended at 2026-11-21T23:00:00Z")

    @pytest.mark.parametrize(
        "subject",
        [
            exposure(),
            exposure(state=ExposureState.MAKING, makings=(making(state=MakingState.INTENT),)),
            made(),
            made(submissions=(submission(state=SubmissionState.INTENT, job_id=None),)),
        ],
        ids=["queued", "about to be made", "made", "about to be submitted"],
    )
    def test_waits(self, subject: Exposure) -> None:
        action = action_for(subject, credential_bad=self.BAD)
        assert isinstance(action, Wait)
        assert "nothing is made or submitted since 2026-11-22T00:00:00Z: the bearer token /tmp/bt" in action.reason
        assert not isinstance(action_for(subject), Wait)

    def test_goes_on(self) -> None:
        runs = exposure(state=ExposureState.MAKING, makings=(making(),))
        assert isinstance(action_for(runs, credential_bad=self.BAD), Move)
        unknown = made(submissions=(submission(state=SubmissionState.UNKNOWN, job_id=None),))
        assert isinstance(action_for(unknown, credential_bad=self.BAD), Reconcile)

    def test_what_a_person_said_comes_first(self) -> None:
        held = action_for(exposure(held=True), credential_bad=self.BAD)
        assert isinstance(held, Wait) and held.reason.startswith("held")


class TestQueued:
    """One that is free to go is made; one that is not says why, and when it goes on."""

    def test_made(self) -> None:
        action = action_for(exposure(attempt=3))
        assert isinstance(action, MakeDag)
        assert action.attempt == 3

    def test_held(self) -> None:
        action = action_for(exposure(held=True, hold_reason="look at its sky first"))
        assert isinstance(action, Wait)
        assert action.reason == (f"held: look at its sky first. It goes on after `desgw-daemon queue release {EXPNUM}`")

    def test_paused(self) -> None:
        action = action_for(exposure(), paused=True, paused_reason="disk full (by observer)")
        assert isinstance(action, Wait)
        assert "everything is paused: disk full (by observer). It goes on after `desgw-daemon resume`" in action.reason

    @pytest.mark.parametrize(
        ("values", "lacking"),
        [({"band": None}, "band"), ({"nite": None}, "nite"), ({"band": None, "nite": None}, "band and nite")],
    )
    def test_no_data_yet(self, values: dict[str, Any], lacking: str) -> None:
        action = action_for(exposure(**values))
        assert isinstance(action, Wait)
        assert action.reason.startswith(f"its {lacking} {'are' if ' and ' in lacking else 'is'} not known")
        assert "It goes on by itself when the file has it" in action.reason

    def test_not_in_exposures_list(self) -> None:
        """Its list has said band and nite; DAGMaker reads exposures.list all the same."""
        action = action_for(exposure(unlisted_since=START))
        assert isinstance(action, Wait)
        assert action.reason.startswith("exposures.list has no line for it")
        assert isinstance(action_for(exposure(unlisted_since=START, watch_only=True)), Move)

    def test_nothing_can_be_made(self) -> None:
        action = action_for(exposure(), making_blocked=(START, "setup_img_proc.sh ended with 1"))
        assert isinstance(action, Wait)
        assert "no DAG can be made since 2026-11-22T00:00:00Z: setup_img_proc.sh ended with 1" in action.reason

    def test_watched_only(self) -> None:
        action = action_for(exposure(watch_only=True), paused=True)
        assert isinstance(action, Move)
        assert action.after is ExposureState.PROCESSING

    def test_watched_only_without_a_place(self) -> None:
        assert isinstance(action_for(exposure(watch_only=True, nite=None)), Wait)

    @pytest.mark.parametrize("state", sorted(IN_FLIGHT))
    def test_its_last_dag_may_still_run(self, state: SubmissionState) -> None:
        action = action_for(exposure(attempt=2, submissions=(submission(state=state),)))
        assert isinstance(action, Wait)
        assert "may still run" in action.reason


class TestOneExpnumAtATime:
    """One exposure number is made or in flight once, whatever its season and nite: they share their files."""

    RIVALS = (
        exposure(2, expnum=EXPNUM, season=2208, state=ExposureState.MAKING, makings=(making(2, MakingState.RUNNING),)),
        exposure(2, expnum=EXPNUM, nite="20261120", state=ExposureState.SUBMITTING, makings=(making(2),)),
        submitted(2, expnum=EXPNUM, season=2208),
        submitted(2, SubmissionState.UNKNOWN, expnum=EXPNUM, season=2208, state=ExposureState.ATTENTION),
        submitted(2, expnum=EXPNUM, season=2208, watch_only=True, submissions=()),
    )

    @pytest.mark.parametrize("rival", RIVALS)
    def test_in_the_way(self, rival: Exposure) -> None:
        action = action_for(exposure(), rival)
        assert isinstance(action, Wait)
        assert f"the same exposure is {rival.state} in season {rival.season} (nite {rival.nite})" in action.reason

    @pytest.mark.parametrize("rival", RIVALS)
    def test_another_number_is_not(self, rival: Exposure) -> None:
        # Of the same season: while DAGMaker makes another one's, it waits for that.
        other = replace(rival, expnum=EXPNUM + 1, season=exposure().season)
        assert isinstance(action_for(exposure(), other), MakeDag)

    def test_one_whose_dag_has_ended_is_not(self) -> None:
        assert isinstance(action_for(exposure(), submitted(2, SubmissionState.DONE, expnum=EXPNUM)), MakeDag)

    def test_two_of_the_queue(self) -> None:
        second = exposure(2, expnum=EXPNUM, season=2208)
        assert isinstance(action_for(exposure(), second), MakeDag)
        assert isinstance(action_for(second, exposure()), Wait)

    def test_a_dag_that_is_made_waits_for_one_in_flight(self) -> None:
        assert isinstance(action_for(made(), submitted(2, expnum=EXPNUM, season=2208)), Wait)

    def test_two_that_are_made_do_not_wait_for_each_other(self) -> None:
        assert isinstance(action_for(made(), made(id=2, season=2208)), SubmitDag)


class TestMaking:
    """A DAGMaker that has ended well leads on; a lost one is run again twice; any other goes to a person."""

    def maker(self, *states: MakingState, **values: Any) -> Action:
        makings = tuple(making(n, state, exposure_id=1, **values) for n, state in enumerate(states, 1))
        return action_for(exposure(state=ExposureState.MAKING, makings=makings))

    def test_running(self) -> None:
        action = self.maker(MakingState.RUNNING)
        assert isinstance(action, Wait)
        assert f"see dagmaker_{EXPNUM}.out" in action.reason

    def test_interrupted_before_its_start(self) -> None:
        assert isinstance(self.maker(MakingState.INTENT), MakeDag)

    def test_interrupted_while_nothing_can_be_made(self) -> None:
        subject = exposure(state=ExposureState.MAKING, makings=(making(state=MakingState.INTENT),))
        assert isinstance(action_for(subject, making_blocked=(START, "away")), Wait)

    def test_made(self) -> None:
        action = self.maker(MakingState.MADE)
        assert isinstance(action, Move)
        assert action.after is ExposureState.SUBMITTING

    @pytest.mark.parametrize(("times", "state"), [(1, "queued"), (2, "queued"), (3, "attention")])
    def test_lost(self, times: int, state: str) -> None:
        action = self.maker(*[MakingState.LOST] * times, reason="DAGMaker ended without a word")
        assert isinstance(action, Move)
        assert action.after == state

    def test_lost_in_earlier_attempts_do_not_count(self) -> None:
        old = [making(n, MakingState.LOST, exposure_id=1) for n in (1, 2, 3)]
        new = making(4, MakingState.LOST, exposure_id=1, attempt=2, reason="DAGMaker was killed")
        action = action_for(exposure(state=ExposureState.MAKING, attempt=2, makings=(*old, new)))
        assert isinstance(action, Move)
        assert action.after is ExposureState.QUEUED

    def test_failed(self) -> None:
        action = self.maker(MakingState.FAILED, reason="no template images", last_words="NO TEMPLATE IMAGES / exit 0")
        assert isinstance(action, Move)
        assert action.after is ExposureState.ATTENTION
        assert action.reason == (
            "DAGMaker: no template images. It was not submitted. Mend the cause, then"
            f" `desgw-daemon queue retry {EXPNUM}`; where there is nothing to mend, `desgw-daemon queue remove"
            f" {EXPNUM}`."
            " Its last lines: NO TEMPLATE IMAGES / exit 0"
        )

    def test_none_of_this_attempt(self) -> None:
        action = action_for(exposure(state=ExposureState.MAKING, attempt=2, makings=(making(),)))
        assert isinstance(action, Move)
        assert action.after is ExposureState.QUEUED


class TestSubmitting:
    """A DAG that is made is submitted once; after that only the queue's word about its tag leads on."""

    def test_submitted(self) -> None:
        assert isinstance(action_for(made()), SubmitDag)

    def test_a_retry_is_submitted_although_an_earlier_attempt_was(self) -> None:
        old = submission(state=SubmissionState.DONE, ended_at=START)
        assert isinstance(action_for(made(attempt=2, makings=(making(attempt=2),), submissions=(old,))), SubmitDag)

    @pytest.mark.parametrize("makings", [(), (making(state=MakingState.FAILED),), (making(attempt=2),)])
    def test_without_a_dag_it_is_made_again(self, makings: tuple[Any, ...]) -> None:
        action = action_for(made(makings=makings))
        assert isinstance(action, Move)
        assert action.after is ExposureState.QUEUED

    def test_in_doubt(self) -> None:
        unclear = submission(state=SubmissionState.UNKNOWN, job_id=None, reason="unclear answer")
        action = action_for(made(submissions=(unclear,)))
        assert isinstance(action, Reconcile)
        assert "(unclear answer): the queue is asked for its tag" in action.reason

    def test_a_hand_over_that_goes_on_is_read(self) -> None:
        """It is not handed over a second time, nor is the queue asked before it has ended."""
        pending = submission(state=SubmissionState.SUBMITTING, job_id=None, reason="its command runs")
        action = action_for(made(submissions=(pending,)))
        assert isinstance(action, Reconcile)
        assert action.reason == (
            "its DAG is being submitted since 2026-11-22T00:00:00Z (its command runs): what came of it is read in each"
            " cycle"
        )

    def test_claimed_and_not_taken_yet(self) -> None:
        """It is proven that the queue does not have it: the same claim is handed over again."""
        claimed = submission(state=SubmissionState.INTENT, job_id=None, reason="not taken yet (transient): no schedd")
        action = action_for(made(submissions=(claimed,)))
        assert isinstance(action, SubmitDag)
        assert action.reason == (
            "its DAG was to be submitted at 2026-11-22T00:00:00Z and was not: not taken yet (transient): no schedd"
        )

    def test_refused(self) -> None:
        refused = submission(state=SubmissionState.REJECTED, reason="Syntax Error at line 3")
        action = action_for(made(submissions=(refused,)))
        assert isinstance(action, Move)
        assert action.after is ExposureState.ATTENTION
        assert f"its DAG was refused: Syntax Error at line 3 (see dag_submission_{EXPNUM}.out)" in action.reason

    @pytest.mark.parametrize(
        "state",
        sorted(
            set(SubmissionState)
            - {SubmissionState.INTENT, SubmissionState.SUBMITTING, SubmissionState.UNKNOWN, SubmissionState.REJECTED}
        ),
    )
    def test_accepted(self, state: SubmissionState) -> None:
        action = action_for(made(submissions=(submission(state=state, ended_at=START),)))
        assert isinstance(action, Move)
        assert action.after is ExposureState.PROCESSING

    @pytest.mark.parametrize("kept", [{"held": True}, {}])
    @pytest.mark.parametrize("submissions", [(), (submission(state=SubmissionState.INTENT, job_id=None),)])
    def test_held_or_paused_before_anything_was_sent(self, kept: dict[str, bool], submissions: tuple[Any, ...]) -> None:
        subject = made(submissions=submissions, **kept)
        action = action_for(subject, **({} if kept else {"paused": True, "paused_reason": "disk full"}))
        assert isinstance(action, Wait)

    @pytest.mark.parametrize("state", [SubmissionState.SUBMITTING, SubmissionState.UNKNOWN])
    def test_held_after_something_may_have_been_sent(self, state: SubmissionState) -> None:
        """To ask starts nothing, and somebody must."""
        assert isinstance(action_for(made(held=True, submissions=(submission(state=state, job_id=None),))), Reconcile)


class TestUnknownIsAskedForWhateverTheExposureDoes:
    """A DAG of which nobody knows holds a place in the grid, so the queue is asked for it in any state."""

    @pytest.mark.parametrize(
        "state",
        sorted(set(ExposureState) - {ExposureState.QUEUED, ExposureState.MAKING, ExposureState.SUBMITTING}),
    )
    def test_asked(self, state: ExposureState) -> None:
        subject = ready(state=state, submissions=(submission(state=SubmissionState.UNKNOWN),))
        if state is ExposureState.PROCESSING:
            subject = replace(subject, ccds=())
        if state is ExposureState.ATTENTION:
            subject = replace(subject, ccds=settled_ccds(states_of(12, CcdState.LOST)), ready=Ready.NO)
        action = action_for(subject, runs=(run(of=[subject]),))
        assert isinstance(action, Reconcile)
        assert action.reason.startswith("the queue lost sight of local.1")

    def test_a_move_goes_first(self) -> None:
        """All its results are there: it goes on while the queue is asked."""
        subject = ready(state=ExposureState.PROCESSING, submissions=(submission(state=SubmissionState.UNKNOWN),))
        assert isinstance(action_for(subject), Move)

    def test_what_it_waits_for_is_said_too(self) -> None:
        action = action_for(submitted(1, SubmissionState.UNKNOWN))
        assert "Meanwhile: not looked at yet" in (action.reason if isinstance(action, Reconcile) else "")


class TestSilentQueue:
    """While the queue is silent nothing is submitted and nothing asked of it; all else goes on, and says so."""

    SILENT = (after(hours=1), "condor_q did not answer within 30 s")

    @pytest.mark.parametrize(
        "subject",
        [
            made(),
            made(submissions=(submission(state=SubmissionState.INTENT, job_id=None),)),
            made(submissions=(submission(state=SubmissionState.SUBMITTING, job_id=None),)),
            made(submissions=(submission(state=SubmissionState.UNKNOWN, job_id=None),)),
            submitted(1, SubmissionState.UNKNOWN),
        ],
        ids=["made", "claimed", "handed over", "unknown", "lost sight of"],
    )
    def test_waits(self, subject: Exposure) -> None:
        action = action_for(subject, engine_silent=self.SILENT)
        assert isinstance(action, Wait)
        assert "the queue is silent since 2026-11-22T01:00:00Z: condor_q did not answer within 30 s" in action.reason
        assert "it goes on by itself when the queue answers" in action.reason
        assert isinstance(action_for(subject), SubmitDag | Reconcile)

    def test_what_it_waits_for_besides_is_said(self) -> None:
        action = action_for(submitted(1, SubmissionState.UNKNOWN), engine_silent=self.SILENT)
        assert "Meanwhile: not looked at yet" in action.reason

    def test_the_rest_goes_on(self) -> None:
        assert isinstance(action_for(exposure(), engine_silent=self.SILENT), MakeDag)
        done = exposure(state=ExposureState.MAKING, makings=(making(),))
        assert isinstance(action_for(done, engine_silent=self.SILENT), Move)
        finished = ready(state=ExposureState.PROCESSING)
        assert isinstance(action_for(finished, engine_silent=self.SILENT), Move)

    def test_a_reason_for_a_person_stays(self) -> None:
        stuck = ready(
            state=ExposureState.ATTENTION, ready=Ready.NO, submissions=(submission(state=SubmissionState.UNKNOWN),)
        )
        stuck = replace(stuck, ccds=settled_ccds(states_of(12, CcdState.LOST)))
        facts = snapshot(stuck, engine_silent=self.SILENT)
        assert [a for a in plan(facts, POLICY, after(minutes=1)) if not isinstance(a, WaitSeason)] == []
