"""What is planned for exposures that are in the grid, ready, in post-processing, or a person's."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desgw_daemon.decide.plan import plan
from desgw_daemon.domain.actions import Action, Move, StartPostproc, Wait
from desgw_daemon.domain.decam import SEARCH_CCDS
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.runs import PostprocRun
from desgw_daemon.domain.snapshot import Exposure
from desgw_daemon.domain.states import CcdState, ExposureState, Ready, RunState, SubmissionState
from tests.decide.build import (
    EXPNUM,
    POLICY,
    SEASON,
    START,
    after,
    exposure,
    finished,
    fits,
    forcefile,
    psf,
    ready,
    run,
    settled_ccds,
    snapshot,
    states_of,
    submission,
    submitted,
)
from tests.decide.pnfs import Watch
from tests.forms import often

LATE = after(days=1)


def action_for(subject: Exposure, now: datetime = LATE, *, policy: Policy = POLICY, **values: Any) -> Action | None:
    """What is planned for an exposure."""
    actions = plan(snapshot(subject, **values), policy, now)
    return next((a for a in actions if isinstance(a, Wait | Move) and a.exposure_id == subject.id), None)


def moved_to(subject: Exposure, now: datetime = LATE, **values: Any) -> ExposureState:
    """The state to which it moves."""
    action = action_for(subject, now, **values)
    assert isinstance(action, Move)
    return action.after


class TestProcessing:
    """One in the grid waits until it is ready, or until it needs a person."""

    def test_waits(self) -> None:
        action = action_for(finished({1: CcdState.PENDING}), START)
        assert isinstance(action, Wait)
        assert "waits for 1 CCD still to come" in action.reason

    def test_ready(self) -> None:
        action = action_for(finished())
        assert isinstance(action, Move)
        assert (action.after, action.ready) == (ExposureState.READY, Ready.FULL)
        assert action.reason.endswith(f"It goes into the next post-processing run of season {SEASON}")

    def test_partly_ready(self) -> None:
        action = action_for(finished(without=[psf(1)]))
        assert isinstance(action, Move)
        assert (action.after, action.ready) == (ExposureState.READY, Ready.PARTIAL)

    def test_a_person_is_needed(self) -> None:
        action = action_for(finished(states_of(10, CcdState.LOST)))
        assert isinstance(action, Move)
        assert (action.after, action.ready) == (ExposureState.ATTENTION, Ready.NO)

    def test_ready_although_the_queue_lost_sight_of_its_dag(self) -> None:
        unknown = (submission(state=SubmissionState.UNKNOWN),)
        assert moved_to(finished(submissions=unknown)) is ExposureState.READY

    def test_what_cannot_be_seen_is_said_with_its_age(self) -> None:
        unseen = finished(
            {1: CcdState.PENDING}, as_of=after(hours=1), unseen_since=after(hours=2), unseen_problem="i_01: EIO"
        )
        action = action_for(unseen)
        assert isinstance(action, Wait)
        assert action.reason.endswith("(as of 2026-11-22T01:00:00Z; not seen since 2026-11-22T02:00:00Z: i_01: EIO)")

    def test_held_and_paused_ones_come_to_their_end(self) -> None:
        assert moved_to(finished(held=True), paused=True, paused_reason="x") is ExposureState.READY


class TestReady:
    """One that is ready waits for its season, and goes back when a look shows something else."""

    def test_waits(self) -> None:
        action = action_for(ready())
        assert isinstance(action, Wait)
        assert action.reason.endswith(f"It goes into the next post-processing run of season {SEASON}")

    def test_held(self) -> None:
        action = action_for(ready(held=True))
        assert isinstance(action, Wait)
        assert f"left out of post-processing until `desgw-daemon queue release {EXPNUM}`" in action.reason

    @pytest.mark.parametrize(
        ("values", "state"),
        [
            ({"ccds": settled_ccds({1: CcdState.PENDING})}, ExposureState.PROCESSING),
            ({"ready": Ready.PARTIAL}, ExposureState.PROCESSING),
            ({"ccds": settled_ccds(states_of(12, CcdState.FAILED))}, ExposureState.ATTENTION),
        ],
    )
    def test_changed(self, values: dict[str, Any], state: ExposureState) -> None:
        assert moved_to(ready(**values)) is state

    def test_no_run_takes_one_that_the_last_look_has_changed(self) -> None:
        changed = ready(2, ccds=settled_ccds({1: CcdState.PENDING}), full_look_at=LATE, news_at=LATE)
        actions = plan(snapshot(ready(full_look_at=LATE), changed), POLICY, LATE)
        (start,) = (action for action in actions if isinstance(action, StartPostproc))
        assert start.exposure_ids == (1,)


class TestAttention:
    """Attention is left by a person, or when evidence has mended the cause; never after a failed run."""

    def stuck(self, **values: Any) -> Exposure:
        return finished(state=ExposureState.ATTENTION, **values)

    def test_stays(self) -> None:
        assert action_for(self.stuck(states=states_of(12, CcdState.LOST))) is None

    def test_mended(self) -> None:
        assert moved_to(self.stuck()) is ExposureState.READY

    def test_something_new(self) -> None:
        ccds = settled_ccds(states_of(12, CcdState.LOST))
        new = tuple(replace(c, state=CcdState.COMPLETE, settled_at=None) if c.ccd == 1 else c for c in ccds)
        assert moved_to(self.stuck(ccds=new)) is ExposureState.PROCESSING

    def test_never_submitted(self) -> None:
        refused = (submission(state=SubmissionState.REJECTED, job_id=None),)
        assert action_for(self.stuck(submissions=refused)) is None

    def test_of_an_earlier_attempt(self) -> None:
        assert action_for(self.stuck(attempt=2)) is None

    def test_submitted_by_somebody_else(self) -> None:
        assert moved_to(self.stuck(submissions=(), watch_only=True)) is ExposureState.READY

    def test_not_looked_at(self) -> None:
        assert action_for(self.stuck(ccds=(), forcefiles=())) is None

    def test_after_a_failed_run(self) -> None:
        stuck = self.stuck(ready=Ready.FULL)
        assert action_for(stuck, runs=(run(1, RunState.FAILED, of=[stuck]),)) is None

    def test_a_cause_of_its_own_after_a_failed_run(self) -> None:
        """A person made it ready again; then the last look found too many files, and they were moved away."""
        stuck = self.stuck(ready=Ready.NO)
        assert moved_to(stuck, runs=(run(1, RunState.FAILED, of=[stuck]),)) is ExposureState.READY

    def test_surplus_files_moved_away(self) -> None:
        watch = Watch()
        for ccd in SEARCH_CCDS:
            watch.pnfs.complete(ccd, after(hours=1))
        assert watch.pnfs.force is not None
        watch.pnfs.force.put(fits(2), after(hours=1))
        states = []
        for hours in (1, 2):
            watch.cycle(after(hours=hours))
            states.append(watch.exposure.state)
            watch.pnfs.force.files.pop(fits(2), None)
        assert states == [ExposureState.ATTENTION, ExposureState.READY]


class TestPostprocessing:
    """One in a run follows it to its end."""

    def in_run(self, *runs: PostprocRun) -> Exposure:
        return ready(state=ExposureState.POSTPROCESSING)

    @pytest.mark.parametrize("state", [RunState.INTENT, RunState.RUNNING])
    def test_waits(self, state: RunState) -> None:
        subject = self.in_run()
        assert isinstance(action_for(subject, runs=(run(of=[subject], state=state),)), Wait)

    def test_step(self) -> None:
        subject = self.in_run()
        action = action_for(subject, runs=(run(of=[subject], step=4, step_at=after(hours=2)),))
        assert isinstance(action, Wait)
        assert "runs since 2026-11-22T00:00:00Z, step 4 since 2026-11-22T02:00:00Z" in action.reason

    def test_done(self) -> None:
        subject = self.in_run()
        assert moved_to(subject, runs=(run(1, RunState.DONE, of=[subject]),)) is ExposureState.DONE

    @pytest.mark.parametrize("state", [RunState.FAILED, RunState.LOST])
    def test_failed(self, state: RunState) -> None:
        subject = self.in_run()
        died = run(1, state, of=[subject], reason="it died at step 2")
        action = action_for(subject, runs=(died,), policy=replace(POLICY, postproc_retries=0))
        assert isinstance(action, Move)
        assert (action.after, action.ready) == (ExposureState.ATTENTION, Ready.FULL)
        assert action.reason == (
            f"post-processing run 1 of season {SEASON}: it died at step 2. Mend the cause, then"
            f" `desgw-daemon postproc run --season {SEASON}`"
        )

    def test_the_newest_run_counts(self) -> None:
        subject = self.in_run()
        runs = (run(1, RunState.FAILED, of=[subject]), run(2, RunState.DONE, of=[subject]))
        assert moved_to(subject, runs=runs) is ExposureState.DONE

    def test_a_run_that_was_never_written_down(self) -> None:
        assert moved_to(self.in_run()) is ExposureState.READY


class TestThrough:
    """One that is done or removed needs nothing."""

    @pytest.mark.parametrize("state", [ExposureState.DONE, ExposureState.REMOVED])
    def test_nothing(self, state: ExposureState) -> None:
        assert action_for(finished(state=state)) is None


signs = st.sampled_from(["nothing", "complete", "no pair", "fail", "empty", "foreign", "no folder", "old", "half"])


class TestTimeLeadsOut:
    """When nothing changes any more, time leads an exposure out of processing: to ready, or to a person."""

    def watch(self, signs: dict[int, str], default: str, subject: Exposure) -> Watch:
        watch = Watch(subject)
        for ccd in SEARCH_CCDS:
            match signs.get(ccd, default):
                case "complete":
                    watch.pnfs.complete(ccd, after(hours=1))
                case "no pair":
                    watch.pnfs.tarball(ccd, after(hours=1))
                case "half":
                    watch.pnfs.complete(ccd, after(hours=1))
                    assert watch.pnfs.force is not None
                    watch.pnfs.force.put(psf(ccd), after(hours=1), size=0)
                case "fail":
                    watch.pnfs.tarball(ccd, after(hours=1))
                    watch.pnfs.fail(ccd, after(hours=1))
                case "empty":
                    watch.pnfs.tarball(ccd, after(hours=1), size=0)
                case "foreign":
                    watch.pnfs.ccds[ccd].put("outputs_of_another", after(hours=1))
                case "no folder":
                    del watch.pnfs.ccds[ccd]
                case "old":
                    watch.pnfs.complete(ccd, START - timedelta(days=3))
        return watch

    @given(
        st.dictionaries(st.sampled_from(SEARCH_CCDS), signs, max_size=12),
        signs,
        st.sampled_from(["running", "queued", "unknown", "done", "adopted"]),
        st.booleans(),
    )
    @pytest.mark.soak
    @settings(max_examples=often(40))
    def test_any(self, ccds: dict[int, str], default: str, dag: str, there: bool) -> None:
        subject = (
            exposure(state=ExposureState.PROCESSING, watch_only=True)
            if dag == "adopted"
            else submitted(dag=SubmissionState(dag))
        )
        watch = self.watch(ccds, default, subject)
        watch.pnfs.there = there
        moves = 0
        # Three days for a DAG that never ends, and a look in the background now and then.
        for hours in (1, 1.05, 1.2, 1.7, 2.8, 4, 13, 14, 25, 26, 72, 73, 74, 75):
            before = watch.exposure.state
            watch.cycle(after(hours=hours))
            moves += watch.exposure.state is not before
        assert watch.exposure.state in (ExposureState.READY, ExposureState.ATTENTION)
        end = watch.exposure.state
        for hours in range(76, 100):
            watch.cycle(after(hours=hours))
            assert watch.exposure.state is end
        assert moves <= 3

    def test_a_surplus_is_a_persons(self) -> None:
        watch = self.watch({}, "complete", submitted())
        assert watch.pnfs.force is not None
        watch.pnfs.force.put(fits(31), after(hours=1))
        watch.cycle(after(hours=1))
        assert watch.exposure.state is ExposureState.ATTENTION
        assert forcefile(fits(31), 31).name in watch.exposure.reason
