"""The circuit breaker: when submissions fail one after another for the same cause, the trouble is not theirs.

Then nothing is submitted but one DAG on trial, at growing intervals, until one is taken. All of it follows from the
tries that are written down, so that a restart changes nothing. A pass of its own over the plan, after the caps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from desgw_daemon.decide.backoff import growing, last_try
from desgw_daemon.decide.words import at
from desgw_daemon.domain.actions import Action, SubmitDag, Wait
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.snapshot import Exposure, Snapshot
from desgw_daemon.domain.states import ExposureState, SubmissionState
from desgw_daemon.domain.submissions import SubmitTry

#: Causes that say nothing about the next DAG: the queue has somebody else's of this very exposure.
_OF_ONE_DAG: Final = frozenset({"another_dag"})
_NEVER: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """So many submissions in a row have failed for one cause. due: when the next may be tried.

    trial_since: since when one is under way whose end must be awaited.
    """

    cause: str
    number: int
    since: datetime
    last: datetime
    text: str
    due: datetime
    trial_since: datetime | None

    @property
    def words(self) -> str:
        """What has happened."""
        return (
            f"the last {self.number} submissions failed for the same cause ({self.cause}), from {at(self.since)} to"
            f" {at(self.last)}: {self.text}"
        )

    def next_trial(self, now: datetime) -> str:
        """When one is tried again."""
        if self.trial_since is not None:
            return f"one is on trial since {at(self.trial_since)}"
        return f"the next trial is at {at(self.due)}" if now < self.due else "the next trial is due now"


def breaker_of(snapshot: Snapshot, policy: Policy) -> Breaker | None:
    """The breaker, if it is open."""
    ended = sorted(
        ((t.ended_at, t.id, t) for t in snapshot.tries if t.ended_at is not None),
        key=lambda entry: entry[:2],
        reverse=True,
    )
    row: list[tuple[datetime, SubmitTry]] = []
    for ended_at, _, tried in ended:
        if tried.outcome == "credential" or tried.cause in _OF_ONE_DAG:
            continue
        if tried.outcome == "accepted" or _was_taken(snapshot, tried) or (row and tried.cause != row[0][1].cause):
            break
        row.append((ended_at, tried))
    if len(row) < policy.submit_breaker_after:
        return None
    last, newest = row[0]
    doublings = len(row) - policy.submit_breaker_after
    return Breaker(
        cause=newest.cause or "unknown",
        number=len(row),
        since=row[-1][0],
        last=last,
        text=newest.text or "no word",
        # From the end of whatever was tried last: one that was refused for its credential has been a trial too.
        due=ended[0][0] + growing(policy.submit_breaker_probe, doublings, policy.submit_retry_at_most),
        trial_since=_trial_since(snapshot),
    )


def _was_taken(snapshot: Snapshot, tried: SubmitTry) -> bool:
    """Whether an unclear answer has turned out to be a submission: the queue knows it."""
    return tried.outcome == "unclear" and any(
        s.id == tried.submission_id and s.job_id is not None for e in snapshot.exposures for s in e.submissions
    )


def _trial_since(snapshot: Snapshot) -> datetime | None:
    """Since when a hand-over goes on."""
    begun = []
    for exposure in snapshot.exposures:
        for submission in exposure.submissions:
            if submission.state is SubmissionState.SUBMITTING:
                last = last_try(snapshot, submission)
                begun.append(submission.intent_at if last is None else last.started_at)
    return min(begun, default=None)


def held_back(snapshot: Snapshot) -> list[Exposure]:
    """The exposures that would be submitted if it were not open: made, and not taken yet."""
    return [
        exposure
        for exposure in snapshot.exposures
        if exposure.state is ExposureState.SUBMITTING
        and not exposure.held
        and ((own := exposure.own_submission) is None or own.state is SubmissionState.INTENT)
    ]


def on_trial(snapshot: Snapshot, plan: Sequence[Action], policy: Policy, now: datetime) -> tuple[Action, ...]:
    """The plan, with all its submissions turned into waits but the one that is on trial now, if it is time for one.

    The one whose last try is oldest goes, the first of the queue among those never tried: a DAG that is itself at
    fault is not tried for all the others again and again.
    """
    candidates = [action for action in plan if isinstance(action, SubmitDag)]
    breaker = breaker_of(snapshot, policy) if candidates else None
    if breaker is None:
        return tuple(plan)
    trial: SubmitDag | None = None
    if breaker.trial_since is None and now >= breaker.due:
        by_id = {exposure.id: exposure for exposure in snapshot.exposures}
        trial = min(candidates, key=lambda action: _tried_at(snapshot, by_id[action.exposure_id]))
    next_ = breaker.next_trial(now) if trial is None else f"that of {trial.expnum} is on trial now"
    why = f"its DAG is made; {breaker.words}. Only one at a time is submitted, on trial, until one is taken: {next_}"
    return tuple(
        Wait(exposure_id=action.exposure_id, expnum=action.expnum, reason=why)
        if isinstance(action, SubmitDag) and action is not trial
        else action
        for action in plan
    )


def _tried_at(snapshot: Snapshot, exposure: Exposure) -> datetime:
    own = exposure.own_submission
    last = None if own is None else last_try(snapshot, own)
    return _NEVER if last is None else last.started_at
