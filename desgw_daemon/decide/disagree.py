"""Where the queue and /pnfs do not say the same of an exposure: jobs that ended well and left nothing, results of a
DAG that is in no queue, a DAG in the queue that had ended.

It is shown, and nothing is done about it: a submission is judged by the queue or by a person, a CCD by its files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from desgw_daemon.decide.jobs import ended_well, job_of
from desgw_daemon.decide.words import at, plural, some
from desgw_daemon.domain.actions import AlertWanted
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.snapshot import Ccd, Exposure, Snapshot
from desgw_daemon.domain.states import ENDED, CcdState, ExposureState, SubmissionState
from desgw_daemon.domain.submissions import ForeignDag, Submission

#: CCDs that were given up without a sign.
_NOTHING_LEFT: Final = (CcdState.LOST, CcdState.MISSING)
#: Nothing more comes of these: only what the queue still has of them is told.
_CLOSED: Final = (ExposureState.DONE, ExposureState.REMOVED)


def changed_disagreements(snapshot: Snapshot, policy: Policy, now: datetime) -> Mapping[int, str | None]:
    """What is to be written down anew, by exposure; None for one of which they say the same again."""
    found = {e.id: disagreement(e, snapshot.foreign_dags, policy, now) for e in snapshot.exposures}
    return {e.id: found[e.id] for e in snapshot.exposures if found[e.id] != e.disagreement}


def disagreement(exposure: Exposure, foreign_dags: Iterable[ForeignDag], policy: Policy, now: datetime) -> str | None:
    """In what they disagree, as sentences; None where they do not. It changes only when what is known does."""
    if exposure.state is ExposureState.POSTPROCESSING:
        return exposure.disagreement  # its CCDs are not looked at meanwhile
    sentences = list(_still_there(exposure, foreign_dags, policy))
    submission = exposure.own_submission
    if submission is not None and exposure.state not in _CLOSED:
        sentences += _no_output(exposure, submission, policy, now)
        sentences += _no_submission(exposure, submission, policy)
    return "; besides, ".join(sentences) or None


def disagreement_alerts(snapshot: Snapshot) -> list[AlertWanted]:
    """One alert for all of it: what it is stands beside each exposure."""
    found = [exposure for exposure in snapshot.exposures if exposure.disagreement is not None]
    if not found:
        return []
    since = min((e.disagreement_since for e in found if e.disagreement_since is not None), default=None)
    return [
        AlertWanted(
            key="disagreement",
            rule="disagreement",
            text=f"the queue and /pnfs do not say the same of {plural(len(found), 'exposure')}:"
            f" {some(str(e.expnum) for e in found)}, the first since {at(since)}. `desgw-daemon status` says in what;"
            " nothing is done about it by itself",
        )
    ]


def _no_output(exposure: Exposure, submission: Submission, policy: Policy, now: datetime) -> Iterator[str]:
    """Jobs that ended well, as the queue says, and left nothing."""
    ended = submission.ended_at
    if submission.state not in ENDED or ended is None or now < ended + policy.grace_after_dag:
        return
    nothing_left = [ccd for ccd in exposure.ccds if ccd.state in _NOTHING_LEFT]
    empty = [ccd.ccd for ccd in nothing_left if _should_have_left(exposure, submission, ccd.ccd)]
    if not empty:
        return
    names = some(f"{exposure.band}_{ccd:02d}" for ccd in empty)
    others = f" (of {len(nothing_left)})" if len(empty) < len(nothing_left) else ""
    known = all(job_of(exposure, ccd) is not None for ccd in empty)
    said = "their jobs ended with exit code 0" if known else "all of its jobs ended well"
    yield (
        f"its DAG ended at {at(ended)} ({submission.state}): {plural(len(empty), 'CCD')} without output{others},"
        f" although the queue says that {said}: {names}"
    )


def _should_have_left(exposure: Exposure, submission: Submission, ccd: int) -> bool:
    node = job_of(exposure, ccd)
    return ended_well(node) if node is not None else submission.state is SubmissionState.DONE


def _no_submission(exposure: Exposure, submission: Submission, policy: Policy) -> Iterator[str]:
    """Results that a DAG has left which is in no queue."""
    match submission.state:
        case SubmissionState.UNKNOWN if submission.job_id is None:
            since = submission.intent_at
            but = (
                "although nobody knows whether its DAG was submitted: it was, it seems."
                f" `desgw-daemon queue resolve {exposure.expnum} --adopt ID` if you know its id"
            )
        case SubmissionState.REJECTED:
            since = submission.intent_at
            but = (
                f"although its DAG was refused at {at(submission.ended_at)}: it was submitted all the same, or by"
                " somebody else. Look for it in the queue before you have it tried again"
            )
        case SubmissionState.LOST if submission.ended_at is not None:
            since = submission.ended_at + policy.settle
            but = (
                f"although the queue knows its DAG no more since {at(submission.ended_at)}: jobs of it ran on, it seems"
            )
        case SubmissionState.REMOVED if submission.ended_at is not None:
            # A job that is being ended may still copy back what it has.
            since = submission.ended_at + policy.grace_after_dag
            but = f"although its DAG was removed at {at(submission.ended_at)}: jobs of it ran on, it seems"
        case _:
            return
    came = {ccd.ccd: newest for ccd in exposure.ccds if (newest := _newest(ccd)) >= since.timestamp()}
    if came:
        names = some(f"{exposure.band}_{ccd:02d}" for ccd in came)
        last = datetime.fromtimestamp(max(came.values()), UTC)
        yield f"{plural(len(came), 'CCD')} left results ({names}; the newest of {at(last)}), {but}"


def _newest(ccd: Ccd) -> float:
    """When the newest of its results was written, in seconds since the epoch."""
    times = [ccd.fail_stats[name][1] for name in ccd.fails if name in ccd.fail_stats]
    if ccd.tarball_mtime is not None:
        times.append(ccd.tarball_mtime)
    return max(times, default=float("-inf"))


def _still_there(exposure: Exposure, foreign_dags: Iterable[ForeignDag], policy: Policy) -> Iterator[str]:
    """A DAG of ours that lives in the queue although it has ended for us, or was never taken.

    One that is there twice has an alert of its own (`queue_alerts`).
    """
    mine = {submission.tag: submission for submission in exposure.submissions}
    for dag in foreign_dags:
        submission = mine.get(dag.tag)
        if submission is None or dag.state in ENDED:
            continue
        if submission.state not in ENDED and submission.job_id is not None:
            continue
        # The queue may take a moment to let go of one that ends.
        if submission.ended_at is not None and dag.as_of < submission.ended_at + 2 * policy.poll_interval:
            continue
        if submission.state in ENDED:
            ours = f"was {submission.state} at {at(submission.ended_at)}"
        else:
            ours = "is not taken yet, as far as we know"
        yield (
            f"its DAG {dag.tag} {ours}, but the queue has it as {dag.job_id} ({dag.state}, seen since"
            f" {at(dag.first_seen)}): what it writes mixes with that of any other. Have it removed from the queue if it"
            " is not wanted"
        )
