"""Templates are never processed by two DAGs at once: both would write the same single-epoch files.

A DAG writes those of its own exposure and of its templates. It is submitted when none of them is in the hands of a DAG
in flight, nor wanted by one before it in the line: that one has reserved all that it needs. So each has its turn. And
since a DAG gets all that it needs at once or waits with nothing, no two can wait for each other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from desgw_daemon.decide.held import held_words
from desgw_daemon.decide.rivals import stranger_words, strangers
from desgw_daemon.decide.words import at, some
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.snapshot import Exposure, Snapshot
from desgw_daemon.domain.states import IN_FLIGHT, ExposureState, MakingState, SubmissionState
from desgw_daemon.domain.submissions import Making, Submission

#: So many of those that it waits for are told apart in a reason.
_MOST: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptBack:
    """Why a DAG is not submitted, and the exposures for which it waits."""

    reason: str
    waits_for: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Holder:
    """Who has a single-epoch output in hand, or will have it first. next: when that is over."""

    expnum: int
    words: str
    next: str


class Templates:
    """Who processes what, from what is written down and from what this plan starts. Asked in the order of the queue."""

    def __init__(self, snapshot: Snapshot, policy: Policy) -> None:
        self._exclusive = policy.submit_templates == "exclusive"
        self._holders: dict[int, _Holder] = {}
        for exposure in snapshot.exposures:
            for submission in exposure.submissions:
                if submission.state in IN_FLIGHT:
                    numbers = self._chosen(exposure.expnum, submission.templates)
                    self._note(numbers, _in_flight(exposure, submission))
            if exposure.watch_only and exposure.state is ExposureState.PROCESSING:
                # Which templates somebody else's DAG has is not known; its own exposure it does have.
                words = (
                    f"the DAG of {exposure.label}, submitted by somebody else and followed since {at(exposure.since)}"
                )
                next_ = "when that exposure's processing has ended"
                self._note({exposure.expnum}, _Holder(expnum=exposure.expnum, words=words, next=next_))
        for dag in strangers(snapshot):
            if dag.expnum is not None:
                words = f"a DAG in the queue that is none of ours ({stranger_words(dag)})"
                next_ = "when that has left the queue"
                self._note({dag.expnum}, _Holder(expnum=dag.expnum, words=words, next=next_))

    def keeps_back(self, exposure: Exposure) -> KeptBack | None:
        """Why a DAG that is made waits for others; None when it does not."""
        wanted = self._wanted(exposure)
        met: dict[_Holder, set[int]] = {}
        for number in sorted(wanted & self._holders.keys()):
            met.setdefault(self._holders[number], set()).add(number)
        if not met:
            return None
        said = [f"{_what(exposure, numbers)}: {holder.words}" for holder, numbers in list(met.items())[:_MOST]]
        more = f"; and {len(met) - _MOST} more" if len(met) > _MOST else ""
        next_ = next(iter(met)).next if len(met) == 1 else "when those have ended"
        return KeptBack(
            reason=f"its DAG is made, and processes what another one does. {'; '.join(said)}{more}. It goes on {next_}",
            waits_for=tuple(dict.fromkeys(holder.expnum for holder in met)),
        )

    def submit(self, exposure: Exposure) -> None:
        """Its DAG is submitted by this plan."""
        words = f"the DAG of {exposure.label}, which is submitted now"
        self._note(self._wanted(exposure), _Holder(expnum=exposure.expnum, words=words, next="when that has ended"))

    def reserve(self, exposure: Exposure) -> None:
        """It waits, or its DAG is made anew: what it needs goes to nobody behind it."""
        words = f"{exposure.label} stands before it in the line"
        next_ = "when that one's DAG has ended"
        self._note(self._wanted(exposure), _Holder(expnum=exposure.expnum, words=words, next=next_))

    def _wanted(self, exposure: Exposure) -> set[int]:
        made = last_made(exposure)
        return self._chosen(exposure.expnum, () if made is None else made.templates)

    def _chosen(self, expnum: int, templates: Iterable[int]) -> set[int]:
        """What counts: two DAGs of the very same exposure are never in flight together, whatever the policy."""
        return {expnum, *templates} if self._exclusive else {expnum}

    def _note(self, numbers: Iterable[int], holder: _Holder) -> None:
        for number in numbers:
            self._holders.setdefault(number, holder)


def last_made(exposure: Exposure) -> Making | None:
    """The newest DAG that was made for the present attempt."""
    return next(
        (
            making
            for making in reversed(exposure.makings)
            if making.state is MakingState.MADE and making.attempt == exposure.attempt
        ),
        None,
    )


def stands_in_line(exposure: Exposure) -> bool:
    """Whether it keeps its place in the line although it has no DAG to submit now: one is made anew."""
    return (
        exposure.state in (ExposureState.QUEUED, ExposureState.MAKING)
        and not exposure.held
        and last_made(exposure) is not None
    )


def processed_since(snapshot: Snapshot, exposure: Exposure, policy: Policy) -> str | None:
    """Why its DAG is to be made anew: a template that it lists was processed after DAGMaker had looked for it.

    The new DAGMaker begins later than what is said here, so the same evidence is never used twice.
    """
    made = last_made(exposure)
    if made is None or not made.templates or policy.submit_templates == "ignore":
        return None
    for other in snapshot.exposures:
        for submission in other.submissions:
            if other.id == exposure.id or submission.state is not SubmissionState.DONE:
                continue
            both = {other.expnum, *submission.templates} & set(made.templates)
            ended = _known_to_have_ended(submission)
            if both and ended is not None and ended > made.intent_at:
                return (
                    f"its DAG lists {_templates(both)}, which the DAG of {other.label} has processed since: that ended"
                    f" at {at(submission.ended_at)}, and DAGMaker was run at {at(made.intent_at)}. It is made again"
                )
    return None


def _known_to_have_ended(submission: Submission) -> datetime | None:
    """The end by our own clock at the latest: the queue's may be ahead of it."""
    times = [time for time in (submission.ended_at, submission.as_of) if time is not None]
    return min(times, default=None)


def _in_flight(exposure: Exposure, submission: Submission) -> _Holder:
    since = at(submission.submitted_at or submission.intent_at)
    words, next_ = f"the DAG of {exposure.label}, {submission.state} since {since}", "when that has ended"
    if submission.state is SubmissionState.INTENT:
        words = f"the DAG of {exposure.label}, which is to be submitted since {at(submission.intent_at)}"
        if exposure.held:
            next_ += f"; that one is held, until `desgw-daemon queue release {exposure.expnum}`"
    elif held := held_words(submission):
        words = f"the DAG of {exposure.label}, submitted at {since}, {held}"
        next_ += f"; `desgw-daemon queue remove --dag {exposure.expnum}` ends it"
    return _Holder(expnum=exposure.expnum, words=words, next=next_)


def _what(exposure: Exposure, numbers: set[int]) -> str:
    templates = numbers - {exposure.expnum}
    own = ["the exposure itself"] if exposure.expnum in numbers else []
    return " and ".join([*([_templates(templates)] if templates else []), *own])


def _templates(numbers: set[int]) -> str:
    one = "template" if len(numbers) == 1 else "templates"
    return f"{one} {some(str(number) for number in sorted(numbers))}"
