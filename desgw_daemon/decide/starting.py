"""From the queue into the grid: what an exposure does until its DAG is submitted, and while nobody knows whether it is.

Must not count: the caps are a pass of their own (capacity).
"""

from __future__ import annotations

from datetime import datetime

from desgw_daemon.decide.backoff import retry_of
from desgw_daemon.decide.breaker import breaker_of
from desgw_daemon.decide.refreshing import lacks_data, refresh_words
from desgw_daemon.decide.rivals import foreign_rival, in_flight, may_still_run, occupies, rival
from desgw_daemon.decide.steps import move, wait
from desgw_daemon.decide.templates import processed_since
from desgw_daemon.decide.vitals import nothing_new
from desgw_daemon.decide.words import at
from desgw_daemon.domain.actions import Action, MakeDag, Reconcile, SubmitDag
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.snapshot import Exposure, Snapshot
from desgw_daemon.domain.states import ExposureState, MakingState, SubmissionState


def _kept_back(snapshot: Snapshot, exposure: Exposure, policy: Policy) -> str | None:
    """Why nothing new may be started for an exposure: people said so, or the disk has no room."""
    if exposure.held:
        why = f": {exposure.hold_reason}" if exposure.hold_reason else ""
        return f"held{why}. It goes on after `desgw-daemon queue release {exposure.expnum}`"
    return nothing_new(snapshot, policy)


def queued(snapshot: Snapshot, exposure: Exposure, policy: Policy) -> Action:
    """One that waits for its turn."""
    if exposure.key is not None and exposure.watch_only:
        return move(exposure, ExposureState.PROCESSING, "submitted by somebody else: watched, never submitted")
    if kept := _kept_back(snapshot, exposure, policy):
        return wait(exposure, kept)
    if blocked := snapshot.making_blocked or snapshot.workflow_silent:
        return wait(exposure, _blocked(blocked))
    if lacks_data(exposure):
        return wait(exposure, _without_data(snapshot, exposure, policy))
    if snapshot.credential_bad:
        return wait(exposure, _no_credential(snapshot.credential_bad))
    if other := rival(snapshot, exposure, occupies):
        return wait(exposure, other)
    if live := may_still_run(exposure):
        return wait(exposure, f"{live} may still run. It goes on when that has ended")
    return MakeDag(
        exposure_id=exposure.id, expnum=exposure.expnum, attempt=exposure.attempt, reason="it is its turn to be made"
    )


def _without_data(snapshot: Snapshot, exposure: Exposure, policy: Policy) -> str:
    lacking = [name for name, value in (("band", exposure.band), ("nite", exposure.nite)) if value is None]
    queued = f"(in the queue since {at(exposure.queued_at)})"
    if lacking:
        verb = "are" if len(lacking) > 1 else "is"
        what = f"its {' and '.join(lacking)} {verb} not known {queued}: exposures.list has no line for it, or cannot be"
        what += " read"
    else:
        what = f"exposures.list has no line for it {queued}, and DAGMaker makes no DAG without one"
    refreshed = refresh_words(snapshot, policy)
    return (
        f"{what}. It goes on by itself when the file has it; if the file is there and the number wrong,"
        f" `desgw-daemon queue remove {exposure.expnum}`" + (f". Meanwhile: {refreshed}" if refreshed else "")
    )


def _blocked(blocked: tuple[datetime, str]) -> str:
    since, why = blocked
    return f"no DAG can be made since {at(since)}: {why}. It goes on by itself when that is mended"


def _no_credential(bad: tuple[datetime, str]) -> str:
    since, why = bad
    return (
        f"nothing is made or submitted since {at(since)}: {why}. It goes on by itself with the next cycle that finds a"
        " good credential"
    )


def _silent(silent: tuple[datetime, str]) -> str:
    since, why = silent
    return (
        f"the queue is silent since {at(since)}: {why}. Nothing is submitted meanwhile; it goes on by itself when the"
        " queue answers"
    )


def _without_workflow(silent: tuple[datetime, str]) -> str:
    since, why = silent
    return (
        f"gw_workflow, where its DAG is, cannot be used since {at(since)}: {why}. Nothing is submitted meanwhile; it"
        " goes on by itself when the folder answers"
    )


def making(snapshot: Snapshot, exposure: Exposure, policy: Policy) -> Action:
    """One whose DAGMaker was started."""
    making = exposure.making
    if making is None or making.attempt != exposure.attempt:
        return move(exposure, ExposureState.QUEUED, "no DAGMaker of this attempt is known: it is queued again")
    match making.state:
        case MakingState.INTENT:
            if blocked := snapshot.making_blocked or snapshot.workflow_silent:
                return wait(exposure, _blocked(blocked))
            if snapshot.credential_bad:
                return wait(exposure, _no_credential(snapshot.credential_bad))
            if other := foreign_rival(snapshot, exposure):
                return wait(exposure, other)
            return MakeDag(
                exposure_id=exposure.id,
                expnum=exposure.expnum,
                attempt=exposure.attempt,
                reason="its DAGMaker was about to be started when the daemon stopped",
            )
        case MakingState.RUNNING:
            return wait(
                exposure,
                f"DAGMaker runs since {at(making.intent_at)} (see dagmaker_{exposure.expnum}.out); its DAG is submitted"
                " next",
            )
        case MakingState.MADE:
            return move(exposure, ExposureState.SUBMITTING, "its DAG is made and checked; it is submitted next")
        case MakingState.LOST:
            lost = sum(m.state is MakingState.LOST for m in exposure.makings if m.attempt == exposure.attempt)
            if lost <= policy.dagmaker_lost_retries:
                return move(exposure, ExposureState.QUEUED, f"{making.reason}: DAGMaker is run again")
    return move(
        exposure,
        ExposureState.ATTENTION,
        f"DAGMaker: {making.reason}. It was not submitted. Mend the cause, then"
        f" `desgw-daemon queue retry {exposure.expnum}`; where there is nothing to mend, `desgw-daemon queue remove"
        f" {exposure.expnum}`. Its last lines: {making.last_words or 'none'}",
    )


def submitting(snapshot: Snapshot, exposure: Exposure, policy: Policy, now: datetime) -> Action:
    """One whose DAG is made. Nothing is submitted twice: after a doubt only the queue's own word leads on."""
    submission = exposure.own_submission
    kept = _kept_back(snapshot, exposure, policy)
    if kept is None and snapshot.credential_bad:
        kept = _no_credential(snapshot.credential_bad)
    if kept is None and snapshot.workflow_silent:
        kept = _without_workflow(snapshot.workflow_silent)
    if kept is None and snapshot.engine_silent:
        kept = _silent(snapshot.engine_silent)
    if submission is None:
        making = exposure.making
        if making is None or making.attempt != exposure.attempt or making.state is not MakingState.MADE:
            return move(exposure, ExposureState.QUEUED, "no DAG of this attempt is there: it is made again")
        if kept:
            return wait(exposure, f"its DAG is made; {kept}")
        if live := may_still_run(exposure):
            return wait(exposure, f"its DAG is made; {live} may still run. It goes on when that has ended")
        if other := rival(snapshot, exposure, lambda other: in_flight(other) is not None):
            return wait(exposure, f"its DAG is made; {other}")
        if stale := processed_since(snapshot, exposure, policy):
            return move(exposure, ExposureState.QUEUED, stale)
        return SubmitDag(
            exposure_id=exposure.id, expnum=exposure.expnum, attempt=exposure.attempt, reason="its DAG is made"
        )
    match submission.state:
        case SubmissionState.INTENT if kept:
            return wait(exposure, f"its DAG is made and has not been submitted; {kept}")
        case SubmissionState.INTENT:
            if other := foreign_rival(snapshot, exposure):
                return wait(exposure, f"its DAG is made and has not been submitted; {other}")
            retry = retry_of(snapshot, submission, policy)
            # While the breaker is open, its own intervals count: the trouble is not this DAG's.
            if retry and now < retry.due and (retry.credential or breaker_of(snapshot, policy) is None):
                return wait(exposure, retry.reason)
            said = f": {submission.reason}" if submission.reason else ""
            return SubmitDag(
                exposure_id=exposure.id,
                expnum=exposure.expnum,
                attempt=exposure.attempt,
                reason=f"its DAG was to be submitted at {at(submission.intent_at)} and was not{said}",
            )
        case SubmissionState.SUBMITTING | SubmissionState.UNKNOWN:
            return reconcile(snapshot, exposure)
        case SubmissionState.REJECTED:
            return move(
                exposure,
                ExposureState.ATTENTION,
                f"its DAG was refused: {submission.reason} (see dag_submission_{exposure.expnum}.out). Mend the cause,"
                f" then `desgw-daemon queue retry {exposure.expnum}`",
            )
        case SubmissionState.REMOVED if submission.job_id is None:
            return move(
                exposure,
                ExposureState.ATTENTION,
                f"its DAG was never submitted: {submission.reason}. `desgw-daemon queue retry {exposure.expnum}` makes"
                f" a new one, `desgw-daemon queue remove {exposure.expnum}` takes the exposure out",
            )
    return move(exposure, ExposureState.PROCESSING, f"its DAG was submitted as {submission.job_id or submission.tag}")


def reconcile(snapshot: Snapshot, exposure: Exposure, more: str = "") -> Action:
    """Have the queue asked what became of a submission. A silent one is not: each question would cost a time-out."""
    submission = exposure.own_submission
    assert submission is not None
    said = f" ({submission.reason})" if submission.reason else ""
    if submission.state is SubmissionState.SUBMITTING:
        what = f"its DAG is being submitted since {at(submission.intent_at)}{said}: what came of it is read"
        next_ = "in each cycle"
    elif submission.job_id is not None:
        what = f"the queue lost sight of {submission.job_id}{said}, last known at {at(submission.as_of)}: it is asked"
        next_ = "again, and nothing is taken for ended before the answer is sure"
    else:
        what = f"nobody knows yet whether its DAG was submitted at {at(submission.intent_at)}{said}: the queue is asked"
        next_ = "for its tag, and it is not submitted again before the answer is sure"
    if snapshot.engine_silent:
        return wait(exposure, f"{what} {next_}. Not now: {_silent(snapshot.engine_silent)}{more}")
    if submission.state is SubmissionState.SUBMITTING and snapshot.workflow_silent:
        return wait(exposure, f"{what} {next_}. Not now: {_without_workflow(snapshot.workflow_silent)}{more}")
    return Reconcile(
        exposure_id=exposure.id,
        expnum=exposure.expnum,
        submission_id=submission.id,
        reason=f"{what} {next_}{more}",
    )
