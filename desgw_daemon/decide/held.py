"""DAGs of which nothing can run because all that is left of them is held."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from desgw_daemon.decide.words import at
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.snapshot import Exposure, Snapshot
from desgw_daemon.domain.states import SubmissionState
from desgw_daemon.domain.submissions import Submission

#: States in which the queue's word that it is held is fresh. One of which nobody knows may run again.
_SEEN: Final = (SubmissionState.QUEUED, SubmissionState.RUNNING, SubmissionState.HELD)


def has_given_back(submission: Submission, policy: Policy, now: datetime) -> bool:
    """Whether it has been held for so long that it no longer counts against the cap. For all else it is in flight."""
    since = submission.held_since
    return submission.state in _SEEN and since is not None and now - since >= policy.submit_held_limit


def held_for_long(snapshot: Snapshot, policy: Policy, now: datetime) -> Iterator[tuple[Exposure, Submission]]:
    """All of those."""
    for exposure in snapshot.exposures:
        for submission in exposure.submissions:
            if has_given_back(submission, policy, now):
                yield exposure, submission


def held_words(submission: Submission) -> str | None:
    """Since when and why it is held; None when it is not."""
    if submission.state not in _SEEN or submission.held_since is None:
        return None
    return f"held since {at(submission.held_since)}: {submission.hold_reason or 'the queue does not say why'}"
