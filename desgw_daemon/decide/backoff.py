"""When a DAG that the engine has not taken is handed over again: at growing intervals, each DAG at its own moments.

Must not say how often at all: the limit is kept where the answer is read (act).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from desgw_daemon.decide.words import at, plural
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.snapshot import Snapshot
from desgw_daemon.domain.submissions import Submission, SubmitTry

#: What may come of a try and is no success. `credential` is not among them: it is nobody's attempt.
FAILURES: Final = frozenset({"permanent", "transient", "unclear"})
#: An interval is shortened by up to this part: DAGs that were refused together do not all come again together.
_JITTER: Final = 0.25
#: More doublings than this lead from a second beyond any limit.
_DOUBLINGS: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """When a DAG is handed over again. credential: what was refused is the credential, not the DAG."""

    due: datetime
    credential: bool
    reason: str


def growing(first: timedelta, doublings: int, at_most: timedelta) -> timedelta:
    """The first interval, doubled so many times, and never more than `at_most`."""
    return min(first * (1 << min(doublings, _DOUBLINGS)), at_most)


def last_try(snapshot: Snapshot, submission: Submission) -> SubmitTry | None:
    """The newest time that it was handed over."""
    return max((t for t in snapshot.tries if t.submission_id == submission.id), key=lambda t: t.number, default=None)


def retry_of(snapshot: Snapshot, submission: Submission, policy: Policy) -> Retry | None:
    """When a submission that is claimed and not taken is handed over again; None when it never was, or it goes on."""
    last = last_try(snapshot, submission)
    if last is None or last.ended_at is None or last.outcome == "accepted":
        return None
    mine = [t for t in snapshot.tries if t.submission_id == submission.id and t.ended_at is not None]
    failed = sum(t.outcome in FAILURES for t in mine)
    credential = last.outcome == "credential"
    doublings = 0 if credential else failed - 1
    interval = growing(policy.submit_retry_after, doublings, policy.submit_retry_at_most)
    due = last.ended_at + timedelta(
        seconds=round(interval.total_seconds() * (1 - _jitter(submission.tag, last.number)))
    )
    return Retry(
        due=due,
        credential=credential,
        reason=f"its DAG was handed to {submission.engine} {plural(len(mine), 'time')} and not taken, the last time at"
        f" {at(last.ended_at)}: {last.text or last.cause}. It is handed over again at {at(due)}",
    )


def _jitter(tag: str, number: int) -> float:
    """A part between 0 and `_JITTER` that is always the same for this try, and another one for the next."""
    digest = hashlib.sha256(f"{tag} {number}".encode()).digest()
    return _JITTER * int.from_bytes(digest[:4], "big") / 2**32
