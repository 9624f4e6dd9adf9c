"""The plan of a tick: for each exposure and season one action with its reason; waiting is an action too.

Pure: the same snapshot, policy and time give the same plan. The caps are a pass of their own (capacity).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from desgw_daemon.decide.capacity import limit
from desgw_daemon.decide.postproc import heals_by_itself, plan_postproc, run_of
from desgw_daemon.decide.readiness import judge
from desgw_daemon.decide.words import at
from desgw_daemon.domain.actions import Action, MakeDag, Move, Reconcile, SubmitDag, Wait
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.snapshot import Exposure, Snapshot
from desgw_daemon.domain.states import (
    IN_FLIGHT,
    ExposureState,
    MakingState,
    Ready,
    RunState,
    SubmissionState,
)

_UNCERTAIN = (SubmissionState.INTENT, SubmissionState.SUBMITTING, SubmissionState.UNKNOWN)


def plan(snapshot: Snapshot, policy: Policy, now: datetime) -> tuple[Action, ...]:
    """What to do now, and why. Exposures first, in the order of the queue, then seasons."""
    wishes = [_for_exposure(snapshot, exposure, policy, now) for exposure in in_order(snapshot.exposures)]
    return (
        *limit(snapshot, [wish for wish in wishes if wish is not None], policy),
        *plan_postproc(snapshot, policy, now),
    )


def in_order(exposures: Iterable[Exposure]) -> list[Exposure]:
    """The order of the queue: priority, then first come, first served."""
    return sorted(exposures, key=lambda e: (-e.priority, e.queued_at, e.id))


def _for_exposure(snapshot: Snapshot, exposure: Exposure, policy: Policy, now: datetime) -> Action | None:
    match exposure.state:
        case ExposureState.QUEUED:
            return _queued(snapshot, exposure)
        case ExposureState.MAKING:
            return _making(exposure, policy)
        case ExposureState.SUBMITTING:
            return _submitting(snapshot, exposure)
        case ExposureState.PROCESSING | ExposureState.READY:
            return _processing(exposure, policy, now)
        case ExposureState.ATTENTION:
            return _attention(snapshot, exposure, policy, now)
        case ExposureState.POSTPROCESSING:
            return _postprocessing(snapshot, exposure)
        case ExposureState.DONE | ExposureState.REMOVED:
            return None


def _wait(exposure: Exposure, reason: str) -> Wait:
    return Wait(exposure_id=exposure.id, expnum=exposure.expnum, reason=reason)


def _move(exposure: Exposure, after: ExposureState, reason: str, ready: Ready | None = None) -> Move:
    return Move(
        exposure_id=exposure.id,
        expnum=exposure.expnum,
        before=exposure.state,
        after=after,
        ready=exposure.ready if ready is None else ready,
        reason=reason,
    )


def _kept_back(snapshot: Snapshot, exposure: Exposure) -> str | None:
    """Why nothing new may be started for an exposure, for reasons that people gave."""
    if exposure.held:
        why = f": {exposure.hold_reason}" if exposure.hold_reason else ""
        return f"held{why}. It goes on after `desgw-daemon queue release {exposure.expnum}`"
    if snapshot.paused:
        return f"everything is paused: {snapshot.paused_reason}. It goes on after `desgw-daemon resume`"
    return None


def _queued(snapshot: Snapshot, exposure: Exposure) -> Action:
    if exposure.watch_only:
        return _move(exposure, ExposureState.PROCESSING, "submitted by somebody else: watched, never submitted")
    if kept := _kept_back(snapshot, exposure):
        return _wait(exposure, kept)
    if exposure.key is None:
        lacking = "band and nite" if exposure.band is None else "nite"
        return _wait(
            exposure,
            f"exposures.list has no line for it since {at(exposure.queued_at)}, so its {lacking} is unknown."
            " It goes on by itself when the file is refreshed",
        )
    if snapshot.making_blocked:
        since, why = snapshot.making_blocked
        return _wait(exposure, f"no DAG can be made since {at(since)}: {why}")
    if rival := _same_expnum(snapshot, exposure):
        return _wait(
            exposure,
            f"the same exposure is {rival.state} in season {rival.season} (nite {rival.nite}) since {at(rival.since)};"
            " both would write the same files. It goes on when that has ended",
        )
    last = exposure.submission
    if last is not None and last.state in IN_FLIGHT:
        return _wait(exposure, f"its last DAG ({last.tag}) may still run: {last.state} since {at(last.intent_at)}")
    return MakeDag(
        exposure_id=exposure.id, expnum=exposure.expnum, attempt=exposure.attempt, reason="first in the queue"
    )


def _same_expnum(snapshot: Snapshot, exposure: Exposure) -> Exposure | None:
    """Another exposure of the same number that is being made or in flight, whatever its season and nite.

    mytemp_EXPNUM, the .dag and the input files on /pnfs are shared between seasons.
    """
    return next((other for other in snapshot.exposures if other.id != exposure.id and _occupies(other, exposure)), None)


def _occupies(other: Exposure, exposure: Exposure) -> bool:
    if other.expnum != exposure.expnum:
        return False
    if other.state in (ExposureState.MAKING, ExposureState.SUBMITTING):
        return True
    return other.submission is not None and other.submission.state in IN_FLIGHT


def _making(exposure: Exposure, policy: Policy) -> Action:
    making = exposure.making
    if making is None or making.attempt != exposure.attempt:
        return _move(exposure, ExposureState.QUEUED, "no DAGMaker of this attempt is known: it is queued again")
    match making.state:
        case MakingState.INTENT:
            return MakeDag(
                exposure_id=exposure.id,
                expnum=exposure.expnum,
                attempt=exposure.attempt,
                reason="it was about to be started when the daemon stopped",
            )
        case MakingState.RUNNING:
            return _wait(
                exposure,
                f"DAGMaker runs since {at(making.intent_at)} (see dagmaker_{exposure.expnum}.out); its DAG is submitted"
                " next",
            )
        case MakingState.MADE:
            return _move(exposure, ExposureState.SUBMITTING, "its DAG is made and checked; it is submitted next")
        case MakingState.LOST:
            lost = sum(m.state is MakingState.LOST for m in exposure.makings if m.attempt == exposure.attempt)
            if lost <= policy.dagmaker_lost_retries:
                return _move(exposure, ExposureState.QUEUED, f"{making.reason}: DAGMaker is run again")
    return _move(
        exposure,
        ExposureState.ATTENTION,
        f"DAGMaker: {making.reason}. It was not submitted. Mend the cause, then"
        f" `desgw-daemon queue retry {exposure.expnum}`",
    )


def _submitting(snapshot: Snapshot, exposure: Exposure) -> Action:
    submission = exposure.submission
    if submission is None or submission.attempt != exposure.attempt:
        if kept := _kept_back(snapshot, exposure):
            return _wait(exposure, f"its DAG is made; {kept}")
        return SubmitDag(
            exposure_id=exposure.id, expnum=exposure.expnum, attempt=exposure.attempt, reason="its DAG is made"
        )
    if submission.state in _UNCERTAIN:
        return _reconcile(snapshot, exposure)
    if submission.state is SubmissionState.REJECTED:
        return _move(
            exposure,
            ExposureState.ATTENTION,
            f"its DAG was refused: {submission.reason} (see dag_submission_{exposure.expnum}.out). Mend the cause, then"
            f" `desgw-daemon queue retry {exposure.expnum}`",
        )
    return _move(exposure, ExposureState.PROCESSING, f"its DAG was submitted as {submission.job_id}")


def _reconcile(snapshot: Snapshot, exposure: Exposure) -> Action:
    submission = exposure.submission
    assert submission is not None
    silent = f"; the queue is silent since {at(snapshot.engine_silent[0])}" if snapshot.engine_silent else ""
    return Reconcile(
        exposure_id=exposure.id,
        expnum=exposure.expnum,
        submission_id=submission.id,
        reason=f"nobody knows yet whether its DAG was submitted at {at(submission.intent_at)}{silent}:"
        " the queue is asked for its tag, and it is not submitted again before the answer is sure",
    )


def _processing(exposure: Exposure, policy: Policy, now: datetime) -> Action:
    submission = exposure.submission
    if submission is not None and submission.state is SubmissionState.UNKNOWN:
        return Reconcile(
            exposure_id=exposure.id,
            expnum=exposure.expnum,
            submission_id=submission.id,
            reason=f"the queue lost sight of {submission.tag} at {at(submission.as_of)}: it is asked again",
        )
    verdict = judge(exposure, policy, now)
    reason = verdict.reason
    if exposure.unseen_since is not None:
        reason += (
            f" (as of {at(exposure.as_of)}; not seen since {at(exposure.unseen_since)}: {exposure.unseen_problem})"
        )
    if verdict.ready is not Ready.NO:
        if exposure.state is ExposureState.READY and exposure.ready is verdict.ready:
            return _wait(exposure, reason)
        if exposure.state is ExposureState.READY:
            return _move(exposure, ExposureState.PROCESSING, reason, Ready.NO)
        return _move(exposure, ExposureState.READY, reason, verdict.ready)
    if verdict.person:
        return _move(exposure, ExposureState.ATTENTION, reason, Ready.NO)
    if exposure.state is ExposureState.READY:
        return _move(exposure, ExposureState.PROCESSING, f"no longer ready: {reason}", Ready.NO)
    return _wait(exposure, reason)


def _attention(snapshot: Snapshot, exposure: Exposure, policy: Policy, now: datetime) -> Action | None:
    """Attention is left by a person, or when evidence on /pnfs has mended what kept it back."""
    if not heals_by_itself(snapshot, exposure):
        return None
    verdict = judge(exposure, policy, now)
    if verdict.ready is not Ready.NO:
        return _move(exposure, ExposureState.READY, f"mended: {verdict.reason}", verdict.ready)
    if not verdict.settled:
        return _move(exposure, ExposureState.PROCESSING, f"something new came: {verdict.reason}", Ready.NO)
    return None


def _postprocessing(snapshot: Snapshot, exposure: Exposure) -> Action:
    run = run_of(snapshot, exposure)
    if run is None:
        return _move(exposure, ExposureState.READY, "the run it was meant for was never written down")
    name = f"run {run.number} of season {run.season}"
    match run.state:
        case RunState.INTENT:
            return _wait(exposure, f"post-processing {name} is being started")
        case RunState.RUNNING:
            step = f", step {run.step} since {at(run.step_at)}" if run.step is not None else ""
            since = at(run.started_at or run.intent_at)
            return _wait(exposure, f"post-processing {name} runs since {since}{step}; it is done when that ends well")
        case RunState.DONE:
            return _move(exposure, ExposureState.DONE, f"post-processing {name} ended well at {at(run.ended_at)}")
    return _move(
        exposure,
        ExposureState.ATTENTION,
        f"post-processing {name}: {run.reason}. Mend the cause, then `desgw-daemon postproc run --season {run.season}`",
    )
