"""The plan of a tick: for each exposure and season one action with its reason; waiting is an action too.

Pure: the same snapshot, policy and time give the same plan. The caps are a pass of their own (capacity), and so is what
is on trial while submissions fail (breaker).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from desgw_daemon.decide import starting
from desgw_daemon.decide.breaker import on_trial
from desgw_daemon.decide.capacity import limit
from desgw_daemon.decide.postproc import plan_postproc
from desgw_daemon.decide.postproc_members import kept_out
from desgw_daemon.decide.postproc_runs import Retry, heals_by_itself, next_retry, run_of, why_no_retry
from desgw_daemon.decide.readiness import judge
from desgw_daemon.decide.refreshing import plan_refresh
from desgw_daemon.decide.steps import move, wait
from desgw_daemon.decide.words import at
from desgw_daemon.domain.actions import Action, Move, Wait
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.runs import PostprocRun
from desgw_daemon.domain.snapshot import Exposure, Snapshot
from desgw_daemon.domain.states import (
    ExposureState,
    Ready,
    RunResult,
    RunState,
    SubmissionState,
)


def plan(snapshot: Snapshot, policy: Policy, now: datetime) -> tuple[Action, ...]:
    """What to do now, and why. Exposures first, in the order of the queue, then exposures.list, then seasons."""
    seasons = {run.season for run in snapshot.runs}
    retries = {season: retry for season in seasons if (retry := next_retry(snapshot, season, policy)) is not None}
    wishes = [_for_exposure(snapshot, exposure, retries, policy, now) for exposure in in_order(snapshot.exposures)]
    wanted = [wish for wish in wishes if wish is not None]
    return (
        *on_trial(snapshot, limit(snapshot, wanted, policy, now), policy, now),
        *plan_refresh(snapshot, policy, now),
        *plan_postproc(_after_moves(snapshot, wanted, now), policy, now),
    )


def _after_moves(snapshot: Snapshot, wishes: Iterable[Action], now: datetime) -> Snapshot:
    """The seasons are planned on what stands when the exposures have moved: no run takes one that just left."""
    moves = {wish.exposure_id: wish for wish in wishes if isinstance(wish, Move)}
    return replace(
        snapshot,
        exposures=tuple(
            replace(exposure, state=moved.after, ready=moved.ready, reason=moved.reason, since=now, news_at=now)
            if (moved := moves.get(exposure.id))
            else exposure
            for exposure in snapshot.exposures
        ),
    )


def in_order(exposures: Iterable[Exposure]) -> list[Exposure]:
    """The order of the queue: priority, then first come, first served."""
    return sorted(exposures, key=lambda e: (-e.priority, e.queued_at, e.id))


def _for_exposure(
    snapshot: Snapshot, exposure: Exposure, retries: Mapping[int, Retry], policy: Policy, now: datetime
) -> Action | None:
    action = _by_state(snapshot, exposure, retries.get(exposure.season), policy, now)
    submission = exposure.own_submission
    in_doubt = submission is not None and submission.state is SubmissionState.UNKNOWN
    if action is None and snapshot.engine_silent:
        return None  # its reason stays
    if in_doubt and (action is None or isinstance(action, Wait)):
        # Whatever the exposure waits for: a DAG of which nobody knows holds a place in the grid.
        return starting.reconcile(snapshot, exposure, "" if action is None else f". Meanwhile: {action.reason}")
    return action


def _by_state(
    snapshot: Snapshot, exposure: Exposure, retry: Retry | None, policy: Policy, now: datetime
) -> Action | None:
    """retry: what is due for the newest run of its season."""
    match exposure.state:
        case ExposureState.QUEUED:
            return starting.queued(snapshot, exposure, policy)
        case ExposureState.MAKING:
            return starting.making(snapshot, exposure, policy)
        case ExposureState.SUBMITTING:
            return starting.submitting(snapshot, exposure, policy, now)
        case ExposureState.PROCESSING | ExposureState.READY:
            return _processing(exposure, retry, policy, now)
        case ExposureState.ATTENTION:
            return _attention(snapshot, exposure, policy, now)
        case ExposureState.POSTPROCESSING:
            return _postprocessing(snapshot, exposure, retry, policy)
        case ExposureState.DONE | ExposureState.REMOVED:
            return None


def _processing(exposure: Exposure, retry: Retry | None, policy: Policy, now: datetime) -> Action:
    verdict = judge(exposure, policy, now)
    reason = verdict.reason + _out_of_sight(exposure)
    if verdict.ready is not Ready.NO:
        kept = f" {_what_next(exposure, retry, policy)}"
        if exposure.state is ExposureState.PROCESSING:
            return move(exposure, ExposureState.READY, f"{reason}.{kept}", verdict.ready)
        if exposure.ready is verdict.ready:
            return wait(exposure, f"{reason}.{kept}")
        return move(exposure, ExposureState.PROCESSING, f"it has changed: {reason}", Ready.NO)
    if verdict.person:
        return move(exposure, ExposureState.ATTENTION, reason, Ready.NO)
    if exposure.state is ExposureState.READY:
        return move(exposure, ExposureState.PROCESSING, f"no longer ready: {reason}", Ready.NO)
    return wait(exposure, reason)


def _what_next(exposure: Exposure, retry: Retry | None, policy: Policy) -> str:
    """What comes of an exposure that is ready."""
    if exposure.held:
        return f"It is held and left out of post-processing until `desgw-daemon queue release {exposure.expnum}`"
    if why := kept_out(exposure, policy):
        return f"It is left out of post-processing: {why}"
    if retry is not None and exposure.id in retry.run.exposures:
        return f"It was in {retry.words(policy)}"
    return f"It goes into the next post-processing run of season {exposure.season}"


def _out_of_sight(exposure: Exposure) -> str:
    if exposure.unseen_since is None:
        return ""
    seen = "never seen yet" if exposure.as_of is None else f"as of {at(exposure.as_of)}"
    return f" ({seen}; not seen since {at(exposure.unseen_since)}: {exposure.unseen_problem})"


def _attention(snapshot: Snapshot, exposure: Exposure, policy: Policy, now: datetime) -> Action | None:
    """Attention is left by a person, or when evidence on /pnfs has mended what kept it back."""
    if not heals_by_itself(snapshot, exposure):
        return None
    verdict = judge(exposure, policy, now)
    if verdict.ready is not Ready.NO:
        return move(exposure, ExposureState.READY, f"mended: {verdict.reason}", verdict.ready)
    if exposure.ccds and not verdict.settled:
        return move(exposure, ExposureState.PROCESSING, f"something new came: {verdict.reason}", Ready.NO)
    return None


def _postprocessing(snapshot: Snapshot, exposure: Exposure, retry: Retry | None, policy: Policy) -> Action:
    run = run_of(snapshot, exposure)
    if run is None:
        return move(exposure, ExposureState.READY, "the run it was meant for was never written down")
    name = f"run {run.number} of season {run.season}"
    match run.state:
        case RunState.INTENT:
            return wait(exposure, f"post-processing {name} is being started since {at(run.intent_at)}")
        case RunState.RUNNING:
            step = f", step {run.step} since {at(run.step_at)}" if run.step is not None else ""
            since = at(run.started_at or run.intent_at)
            return wait(exposure, f"post-processing {name} runs since {since}{step}; it is done when that ends well")
        case RunState.DONE:
            # No candidates is a result, and its words say so.
            said = f": {run.reason}" if run.reason and run.result not in (None, RunResult.CANDIDATES) else ""
            told = f"post-processing {name} ended well at {at(run.ended_at)}{said}"
            return move(exposure, ExposureState.DONE, told)
    if retry is not None and retry.run.id == run.id:
        # It is ready as before, is looked at as before, and whoever holds or removes it is heard.
        return move(exposure, ExposureState.READY, retry.words(policy))
    return move(exposure, ExposureState.ATTENTION, _needs_a_person(snapshot, run, name, policy))


def _needs_a_person(snapshot: Snapshot, run: PostprocRun, name: str, policy: Policy) -> str:
    return (
        f"post-processing {name}: {run.reason}.{why_no_retry(snapshot, run, policy)} Mend the cause, then"
        f" `desgw-daemon postproc run --season {run.season}`"
    )
