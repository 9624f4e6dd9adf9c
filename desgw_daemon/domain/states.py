"""The states of things, and which change may follow which: the one transition table.

"Could not be seen" is no state: the last one stays, with its age.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class ExposureState(StrEnum):
    """Where an exposure is on its way. `held` and `watch_only` are flags beside it."""

    QUEUED = "queued"
    MAKING = "making"
    SUBMITTING = "submitting"
    PROCESSING = "processing"
    READY = "ready"
    POSTPROCESSING = "postprocessing"
    DONE = "done"
    ATTENTION = "attention"
    REMOVED = "removed"


class CcdState(StrEnum):
    """What is known of one CCD. The counts of these add up to 59 for an exposure."""

    PENDING = "pending"  # no final sign yet
    COMPLETE = "complete"
    FAILED = "failed"  # with the step
    MISSING = "missing"  # no folder, although the others have one
    BROKEN = "broken"  # an empty or foreign tarball that stays
    LOST = "lost"  # its DAG ended, or the deadline passed, without a sign


class SubmissionState(StrEnum):
    """Where a submission attempt is (facts/grid.md, "Never twice, never lost")."""

    INTENT = "intent"
    SUBMITTING = "submitting"
    QUEUED = "queued"
    RUNNING = "running"
    HELD = "held"
    DONE = "done"
    FAILED = "failed"
    REMOVED = "removed"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    LOST = "lost"


class MakingState(StrEnum):
    """One run of DAGMaker for one exposure."""

    INTENT = "intent"
    RUNNING = "running"
    MADE = "made"
    FAILED = "failed"
    LOST = "lost"  # ended without an exit status: the machine restarted, or somebody killed it


class RunState(StrEnum):
    """One run of post-processing."""

    INTENT = "intent"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    LOST = "lost"


#: How far a run has come before run_postproc.py says its steps: what its preparation does, in order.
RUN_STAGES: Final = ("lock", "setup", "links", "trial", "program")


class RunResult(StrEnum):
    """What a run of post-processing that ended well has come to."""

    CANDIDATES = "candidates"  # it is complete
    NO_CANDIDATES = "no_candidates"
    FEW_CANDIDATES = "few_candidates"  # fewer than it has processes for: it stops at step 5
    NONE_PASSES = "none_passes"  # none of them passes the cuts


class RefreshState(StrEnum):
    """A time that exposures.list was written anew."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class DeliveryState(StrEnum):
    """A message on its way to people, by one channel."""

    WAITING = "waiting"  # for its turn, for the next try, or for room in the hour
    SENDING = "sending"  # handed to a process, whose answer is not known yet
    SENT = "sent"
    DIGESTED = "digested"  # its words went out in another message
    TOO_OLD = "too_old"  # it could not be delivered in time


class Ready(StrEnum):
    """Whether an exposure may go on to post-processing."""

    NO = "no"
    PARTIAL = "partial"  # more than half of the forcefiles are there, not all
    FULL = "full"


#: Submissions that may still run, or of which nobody knows: they count against the cap.
IN_FLIGHT: Final = frozenset(
    {
        SubmissionState.INTENT,
        SubmissionState.SUBMITTING,
        SubmissionState.QUEUED,
        SubmissionState.RUNNING,
        SubmissionState.HELD,
        SubmissionState.UNKNOWN,
    }
)
#: Submissions that have come to an end, whatever it was.
ENDED: Final = frozenset(SubmissionState) - IN_FLIGHT
#: Runs of post-processing that may still be going on.
RUN_LIVE: Final = frozenset({RunState.INTENT, RunState.RUNNING})
#: DAGMaker runs that may still be going on.
MAKING_LIVE: Final = frozenset({MakingState.INTENT, MakingState.RUNNING})
#: CCDs with nothing more to wait for.
CCD_FINAL: Final = frozenset({CcdState.COMPLETE, CcdState.FAILED, CcdState.MISSING, CcdState.BROKEN, CcdState.LOST})

_E = ExposureState
#: From each state of an exposure, the states that may follow. A person may always remove one that
#: does not run; attention may be left by `queue retry`, or by evidence that the cause has gone.
EXPOSURE_TRANSITIONS: Final[Mapping[ExposureState, frozenset[ExposureState]]] = {
    _E.QUEUED: frozenset({_E.MAKING, _E.PROCESSING, _E.ATTENTION, _E.REMOVED}),
    _E.MAKING: frozenset({_E.SUBMITTING, _E.QUEUED, _E.ATTENTION, _E.REMOVED}),
    _E.SUBMITTING: frozenset({_E.PROCESSING, _E.QUEUED, _E.ATTENTION, _E.REMOVED}),
    _E.PROCESSING: frozenset({_E.READY, _E.ATTENTION, _E.REMOVED}),
    _E.READY: frozenset({_E.POSTPROCESSING, _E.PROCESSING, _E.ATTENTION, _E.REMOVED}),
    _E.POSTPROCESSING: frozenset({_E.DONE, _E.READY, _E.ATTENTION}),
    _E.DONE: frozenset({_E.POSTPROCESSING, _E.QUEUED, _E.ATTENTION, _E.REMOVED}),
    _E.ATTENTION: frozenset({_E.QUEUED, _E.PROCESSING, _E.READY, _E.REMOVED}),
    _E.REMOVED: frozenset({_E.QUEUED, _E.PROCESSING}),
}

_S = SubmissionState
_LIVE = frozenset({_S.QUEUED, _S.RUNNING, _S.HELD, _S.DONE, _S.FAILED, _S.REMOVED, _S.UNKNOWN, _S.LOST})
#: What may follow each state of a submission. An ended one never lives again: a retry is a new attempt.
SUBMISSION_TRANSITIONS: Final[Mapping[SubmissionState, frozenset[SubmissionState]]] = {
    _S.INTENT: frozenset({_S.SUBMITTING, _S.REMOVED, _S.REJECTED}) | _LIVE,
    # Back to the intent: proven not to be queued, for a cause that passes.
    _S.SUBMITTING: frozenset({_S.INTENT, _S.REJECTED}) | _LIVE,
    _S.QUEUED: _LIVE,
    _S.RUNNING: _LIVE,
    _S.HELD: _LIVE,
    _S.UNKNOWN: frozenset({_S.INTENT, _S.REJECTED}) | _LIVE,
    _S.DONE: frozenset(),
    _S.FAILED: frozenset(),
    _S.REMOVED: frozenset(),
    _S.REJECTED: frozenset(),
    _S.LOST: frozenset({_S.DONE, _S.FAILED}),
}


def may_follow(before: ExposureState, after: ExposureState) -> bool:
    """Whether the transition table lets an exposure go from one state to the other."""
    return after in EXPOSURE_TRANSITIONS[before]
