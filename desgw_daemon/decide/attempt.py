"""Which evidence belongs to the present attempt of an exposure, and until when more of it may come."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from desgw_daemon.decide.words import at, span
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.snapshot import Exposure
from desgw_daemon.domain.states import ENDED
from desgw_daemon.domain.submissions import Submission

#: The queue's clock has whole seconds, and may be another machine's.
_QUEUE_CLOCK: Final = timedelta(seconds=2)


def made_since(exposure: Exposure) -> float:
    """Seconds since the epoch before which nothing on /pnfs is of the present attempt.

    Nobody knows it for an exposure that somebody else submitted: then everything counts. A DAG that was in the queue
    before we meant to submit it was submitted under the same tag by another daemon, and taken over.
    """
    submission = exposure.own_submission
    if submission is None:
        return float("-inf")
    submitted = submission.submitted_at
    if submitted is not None and submitted < submission.intent_at - _QUEUE_CLOCK:
        return submitted.timestamp()
    return submission.intent_at.timestamp()


def overdue_at(submission: Submission, policy: Policy) -> datetime:
    """When no more is waited for from its DAG. One that was not taken for long has its time from then on."""
    return (submission.submitted_at or submission.intent_at) + policy.dag_deadline


def gives_up_at(exposure: Exposure, policy: Policy) -> tuple[datetime, str]:
    """When a CCD without a final sign counts as lost, and the reason that it will have then."""
    submission = exposure.own_submission
    if submission is None:
        news = max([exposure.news_at, *(ccd.changed_at for ccd in exposure.ccds if ccd.changed_at is not None)])
        return news + policy.adopted_deadline, f"nothing new came for this exposure since {at(news)}"
    if submission.state in ENDED and submission.ended_at is not None:
        ended = submission.ended_at
        return ended + policy.grace_after_dag, f"its DAG ended at {at(ended)} ({submission.state}) and left no sign"
    return (
        overdue_at(submission, policy),
        f"no sign {span(policy.dag_deadline)} after its DAG was submitted at"
        f" {at(submission.submitted_at or submission.intent_at)}",
    )
