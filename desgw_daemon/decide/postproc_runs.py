"""What earlier runs of post-processing mean for their exposures and their season: done, tried again, or a person.

A run that failed is tried again by itself, at growing intervals, as long as each try comes further than the one
before. Must not decide which exposures a run has, nor when a season starts without a failure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from desgw_daemon.decide.words import at
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.runs import PostprocRun
from desgw_daemon.domain.snapshot import Exposure, Snapshot
from desgw_daemon.domain.states import RUN_STAGES, ExposureState, Ready, RunState


def run_of(snapshot: Snapshot, exposure: Exposure) -> PostprocRun | None:
    """The newest run that the exposure is in."""
    runs = [run for run in snapshot.runs if exposure.id in run.exposures]
    return max(runs, key=lambda run: run.number, default=None)


def has_failed(run: PostprocRun) -> bool:
    """Whether the run has ended without doing its work. One that nobody saw end counts; no candidates is a result."""
    return run.state in (RunState.FAILED, RunState.LOST)


def failed_run_of(snapshot: Snapshot, exposure: Exposure) -> PostprocRun | None:
    """The failed run that has brought the exposure to attention; None when it is there for a cause of its own.

    It was ready when it went into the run, and still is but for that; a cause of its own makes it not ready.
    """
    if exposure.state is not ExposureState.ATTENTION or exposure.ready is Ready.NO:
        return None
    run = run_of(snapshot, exposure)
    return run if run is not None and has_failed(run) else None


def heals_by_itself(snapshot: Snapshot, exposure: Exposure) -> bool:
    """Whether evidence on /pnfs may lead an exposure out of attention.

    Not when its DAG was never made or accepted, and not after a run of post-processing that failed: the same
    exposures would start the same run again and again.
    """
    submission = exposure.own_submission
    accepted = submission is not None and submission.job_id is not None
    return (exposure.watch_only or accepted) and failed_run_of(snapshot, exposure) is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """The next try of a failed run: which one, the how many-th try, and from when on."""

    run: PostprocRun
    number: int
    at: datetime

    def words(self, policy: Policy) -> str:
        """What comes next, for the reasons of its exposures and its season."""
        return (
            f"post-processing run {self.run.number} of season {self.run.season}: {self.run.reason}. It is tried again"
            f" by itself from its SKIPTO at {at(self.at)} (try {self.number} of {policy.postproc_retries})"
        )


def next_retry(snapshot: Snapshot, season: int, policy: Policy) -> Retry | None:
    """The try that is due, now or later, for the newest run of a season; None when it is a person's turn.

    Only what was really started is tried again: a template or a value that cannot be used does not mend itself. One
    that a person has stopped is that person's.
    """
    mine = sorted((run for run in snapshot.runs if run.season == season), key=lambda run: run.number)
    if not mine or not policy.postproc_auto:
        return None
    run = mine[-1]
    if not has_failed(run) or run.stopped_by is not None or run.started_at is None:
        return None
    by_id = {run.id: run for run in mine}
    before = None if run.retry_of is None else by_id.get(run.retry_of)
    done = _tries(run, by_id)
    if done >= policy.postproc_retries or (before is not None and _reached(run) <= _reached(before)):
        return None
    waits_until = (run.ended_at or run.started_at) + policy.postproc_retry_after * 2**done
    return Retry(run=run, number=done + 1, at=max(waits_until, run.started_at + policy.postproc_min_interval))


def why_no_retry(snapshot: Snapshot, run: PostprocRun, policy: Policy) -> str:
    """Why a failed run is a person's now: so many tries, or no progress; empty for any other cause."""
    by_id = {other.id: other for other in snapshot.runs}
    done = _tries(run, by_id)
    if not done or run.stopped_by is not None:
        return ""
    if done >= policy.postproc_retries:
        return f" It was tried again {done} times by itself, as often as postproc.retries allows."
    before = None if run.retry_of is None else by_id.get(run.retry_of)
    if before is None or _reached(run) > _reached(before):
        return ""
    return f" As try {done} of run {run.number - done} it came no further than the one before."


def earliest_start(snapshot: Snapshot, season: int, policy: Policy) -> datetime | None:
    """Before when no run of the season starts by itself; None when it had none."""
    starts = [run.started_at or run.intent_at for run in snapshot.runs if run.season == season]
    return max(starts) + policy.postproc_min_interval if starts else None


def _tries(run: PostprocRun, by_id: Mapping[int, PostprocRun]) -> int:
    """How many tries have led to this run since somebody, or the season's own rules, started the first."""
    count = 0
    while run.retry_of is not None and run.retry_of in by_id:
        run = by_id[run.retry_of]
        count += 1
    return count


def _reached(run: PostprocRun) -> tuple[int, int]:
    """How far a run came, to be compared: the stage of its preparation, then the step."""
    stage = RUN_STAGES.index(run.stage) if run.stage in RUN_STAGES else -1
    # Steps begin at -1. A step proves that the program ran, whatever is known of the stage.
    return (stage, -2) if run.step is None else (len(RUN_STAGES), run.step)
