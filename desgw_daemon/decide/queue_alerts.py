"""Alerts about what is in the queue, or should be. What mutes them stands in the catalogue."""

from __future__ import annotations

from datetime import datetime

from desgw_daemon.decide.attempt import overdue_at
from desgw_daemon.decide.backoff import last_try, retry_of
from desgw_daemon.decide.breaker import breaker_of, held_back
from desgw_daemon.decide.held import has_given_back, held_for_long
from desgw_daemon.decide.rivals import second_jobs, stranger_words, strangers
from desgw_daemon.decide.words import at, plural, some, span
from desgw_daemon.domain.actions import AlertWanted
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.snapshot import Exposure, Snapshot
from desgw_daemon.domain.states import IN_FLIGHT, ExposureState, SubmissionState
from desgw_daemon.domain.submissions import Submission

#: States in which an exposure would still be made or submitted.
_TO_COME = (ExposureState.QUEUED, ExposureState.MAKING, ExposureState.SUBMITTING)
#: States of DAGs that the queue has, or may have.
_IN_QUEUE = IN_FLIGHT - {SubmissionState.INTENT, SubmissionState.SUBMITTING}


def queue_alerts(snapshot: Snapshot, policy: Policy, now: datetime) -> tuple[AlertWanted, ...]:
    """One alert for each root cause."""
    return (
        *_unknown(snapshot, policy, now),
        *_breaker(snapshot, policy, now),
        *_not_taken(snapshot, policy, now),
        *_stuck(snapshot, policy, now),
        *_held(snapshot, policy, now),
        *_overdue(snapshot, policy, now),
        *_foreign(snapshot, policy, now),
        *_duplicate(snapshot),
    )


def _unknown(snapshot: Snapshot, policy: Policy, now: datetime) -> list[AlertWanted]:
    """DAGs of unknown outcome. A queue that does not answer at all has an alert of its own."""
    grace = policy.submit_confirm_absent + 2 * policy.poll_interval
    in_doubt = [
        exposure
        for exposure, submission in _own(snapshot, SubmissionState.UNKNOWN)
        if now - _last_known(snapshot, submission) >= grace
    ]
    if not in_doubt:
        return []
    return [
        AlertWanted(
            key="submission_unknown",
            rule="submission_unknown",
            text=f"{plural(len(in_doubt), 'submission')} of unknown outcome: {some(str(e.expnum) for e in in_doubt)}."
            " Nothing is submitted twice; it is settled when the queue gives a sure answer, or by somebody who knows:"
            f" `desgw-daemon queue resolve {in_doubt[0].expnum} --adopt ID` or `--absent`",
        )
    ]


def _last_known(snapshot: Snapshot, submission: Submission) -> datetime:
    """When the queue last answered for it, or it was last handed over."""
    last = last_try(snapshot, submission)
    handed = None if last is None else last.ended_at or last.started_at
    return max(time for time in (submission.intent_at, submission.as_of, handed) if time is not None)


def _breaker(snapshot: Snapshot, policy: Policy, now: datetime) -> list[AlertWanted]:
    """Submissions fail one after another, and others wait because of that."""
    waiting = held_back(snapshot)
    breaker = breaker_of(snapshot, policy) if waiting else None
    if breaker is None:
        return []
    return [
        AlertWanted(
            key="submit_breaker",
            rule="submit_breaker",
            text=f"{breaker.words}. {plural(len(waiting), 'DAG')} wait for that:"
            f" {some(str(e.expnum) for e in waiting)}. Only one at a time is submitted, on trial;"
            f" {breaker.next_trial(now)}. Mend the cause, or tell those who run the queue; it goes on by itself when"
            " one is taken",
        )
    ]


def _not_taken(snapshot: Snapshot, policy: Policy, now: datetime) -> list[AlertWanted]:
    """DAGs that the engine does not take, for a cause that should pass."""
    delay = policy.alerts.delay("submission_waits")
    waiting = [
        (exposure, submission)
        for exposure, submission in _own(snapshot, SubmissionState.INTENT)
        if not exposure.held and now - submission.intent_at >= delay
    ]
    if not waiting:
        return []
    first, submission = waiting[0]
    retry = retry_of(snapshot, submission, policy)
    next_ = f"at {at(retry.due)}" if retry is not None and now < retry.due else "in the next cycle"
    return [
        AlertWanted(
            key="submission_waits",
            rule="submission_waits",
            text=f"{plural(len(waiting), 'DAG')} could not be submitted for more than {span(delay)}:"
            f" {some(str(e.expnum) for e, _ in waiting)}. The first, {first.expnum}:"
            f" {submission.reason or 'no answer yet'}. It is tried again {next_}; `desgw-daemon explain {first.expnum}`"
            " tells more",
            since=min(submission.intent_at for _, submission in waiting),
        )
    ]


def _stuck(snapshot: Snapshot, policy: Policy, now: datetime) -> list[AlertWanted]:
    """Hand-overs that do not end, although the submit command has a time-out."""
    delay = policy.alerts.delay("submission_stuck")
    stuck = []
    for exposure, submission in _own(snapshot, SubmissionState.SUBMITTING):
        last = last_try(snapshot, submission)
        begun = submission.intent_at if last is None else last.started_at
        if now - begun >= delay:
            stuck.append((exposure, submission, begun))
    if not stuck:
        return []
    first, submission, begun = stuck[0]
    return [
        AlertWanted(
            key="submission_stuck",
            rule="submission_stuck",
            text=f"{plural(len(stuck), 'submission')} under way for more than {span(delay)}:"
            f" {some(str(e.expnum) for e, *_ in stuck)}. The first, {first.expnum}, was handed to {submission.engine}"
            f" at {at(begun)}: {submission.reason or 'no word yet'} (see dag_submission_{first.expnum}.out). It is not"
            " submitted again while that may go on; if its command hangs, end it, and the queue is asked",
            since=min(begun for *_, begun in stuck),
        )
    ]


def _held(snapshot: Snapshot, policy: Policy, now: datetime) -> list[AlertWanted]:
    """DAGs that are held for so long that others have got their places."""
    held = list(held_for_long(snapshot, policy, now))
    if not held:
        return []
    reasons = dict.fromkeys(submission.hold_reason or "the queue does not say why" for _, submission in held)
    first, _ = held[0]
    return [
        AlertWanted(
            key="dag_held",
            rule="dag_held",
            text=f"{plural(len(held), 'DAG')} held for more than {span(policy.submit_held_limit)}:"
            f" {some(f'{e.expnum} (job {s.job_id}, since {at(s.held_since)})' for e, s in held)}. The queue's reason:"
            f" {some(reasons, 3)}. Others have their places in the grid, and nobody their templates. When the cause is"
            f" mended, release the job in the queue; `desgw-daemon queue remove --dag {first.expnum}` ends a DAG, and"
            " what it has done stays",
        )
    ]


def _overdue(snapshot: Snapshot, policy: Policy, now: datetime) -> list[AlertWanted]:
    """DAGs that hold a place in the grid for longer than any should."""
    late = [
        exposure
        for exposure in snapshot.exposures
        if (submission := exposure.submission) is not None
        and submission.state in _IN_QUEUE
        and now >= overdue_at(submission, policy)
        and not has_given_back(submission, policy, now)
    ]
    if not late:
        return []
    return [
        AlertWanted(
            key="dag_overdue",
            rule="dag_overdue",
            text=f"{plural(len(late), 'DAG')} in flight for more than {span(policy.dag_deadline)}:"
            f" {some(str(e.expnum) for e in late)}. Each keeps a place in the grid; `desgw-daemon queue remove --dag"
            f" {late[0].expnum}` ends one, and what it has done stays",
        )
    ]


def _foreign(snapshot: Snapshot, policy: Policy, now: datetime) -> list[AlertWanted]:
    """DAGs of others that keep exposures of ours from being made or submitted."""
    wanted = {e.expnum for e in snapshot.exposures if e.state in _TO_COME and not e.held and not e.watch_only}
    delay = policy.alerts.delay("foreign_dag")
    found = [dag for dag in strangers(snapshot) if dag.expnum in wanted and now - dag.first_seen >= delay]
    if not found:
        return []
    return [
        AlertWanted(
            key="foreign_dag",
            rule="foreign_dag",
            text=f"{plural(len(found), 'DAG')} in the queue, none of those in flight here, of exposures that are to be"
            f" made or submitted: {some((f'{dag.expnum} ({stranger_words(dag)})' for dag in found), 3)}. Each exposure"
            " goes on when that DAG has left the queue. Ask its owner; one that nobody wants is ended in the queue by"
            " its job id; where somebody else works on the exposure, `desgw-daemon queue remove EXPNUM`",
            since=min(dag.first_seen for dag in found),
        )
    ]


def _duplicate(snapshot: Snapshot) -> list[AlertWanted]:
    """DAGs that are in the queue more than once under one tag."""
    found = second_jobs(snapshot)
    if not found:
        return []
    which = some((f"{e.expnum}: {s.job_id} is followed, and {dag.job_id} is there too" for e, s, dag in found), 3)
    return [
        AlertWanted(
            key="duplicate_dag",
            rule="duplicate_dag",
            text=f"{plural(len(found), 'DAG')} twice in the queue since {at(min(dag.first_seen for *_, dag in found))}"
            f" ({which}). Both write the same files. End the one that is not followed, in the queue, by its job id;"
            " nothing of it is counted here",
        )
    ]


def _own(snapshot: Snapshot, state: SubmissionState) -> list[tuple[Exposure, Submission]]:
    """The submissions of present attempts in a state."""
    return [
        (exposure, submission)
        for exposure in snapshot.exposures
        if (submission := exposure.own_submission) is not None and submission.state is state
    ]
