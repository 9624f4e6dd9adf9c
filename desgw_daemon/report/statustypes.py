"""The keys of `status --json`, and so what the page and other programs may build on. Times are text as the views give
them, `2026-11-22T02:14:05Z`.
"""

from __future__ import annotations

from typing import TypedDict


class CcdCounts(TypedDict):
    """How many of the CCDs are in which state; they add up to `expected`."""

    expected: int
    complete: int
    failed: int
    pending: int
    missing: int
    broken: int
    lost: int


class Forcefiles(TypedDict):
    """The forcephoto files of the complete CCDs. missing: ``i_05 .psf``; surplus: names of files."""

    expected: int
    found: int
    missing: list[str]
    surplus: list[str]


class SubmissionStatus(TypedDict):
    """An attempt to run the DAG of an exposure. nodes_...: its jobs; None where the engine does not tell.

    held_since: since when nothing of it can run because it, or all that is left of it, is held. tries: how often it
    was handed to the engine; last_...: what came of the newest of these. as_of: when the engine last answered for it.
    """

    attempt: int
    tag: str
    engine: str
    state: str
    job_id: str | None
    nodes_total: int | None
    nodes_waiting: int | None
    nodes_running: int | None
    nodes_done: int | None
    nodes_failed: int | None
    nodes_held: int | None
    hold_reason: str | None
    held_since: str | None
    exit_code: int | None
    reason: str | None
    intent_at: str
    submitted_at: str | None
    ended_at: str | None
    as_of: str | None
    tries: int
    last_outcome: str | None
    last_cause: str | None
    last_text: str | None
    templates: list[int]


class SubmitTryStatus(TypedDict):
    """One time that a DAG was handed to the engine. outcome: None while nobody knows what came of it."""

    attempt: int
    number: int
    started_at: str
    ended_at: str | None
    outcome: str | None
    cause: str | None
    text: str | None


class Age(TypedDict):
    """How old numbers are. as_of: when they were last seen. stale: they are older than two polls and may have changed.

    stale_because: what keeps them from being seen: `pnfs` or `postprocessing` (the tree is silent), `exposure` (its own
    folders are), `daemon` (nothing has looked), `schedule` (it is looked at seldom). stale_since: since when.
    """

    as_of: str | None
    stale: bool
    stale_because: str | None
    stale_since: str | None


class ExposureStatus(Age):
    """One exposure. as_of: when all that was asked for of it was last seen; problem: why not, since unseen_since.

    unlisted_since: since when exposures.list has no line for it, while it is queued. disagreement: in what the queue
    and /pnfs do not say the same of it. submission: the newest attempt to run its DAG, if there was one.
    """

    expnum: int
    nite: str | None
    band: str | None
    season: int
    state: str
    held: bool
    hold_reason: str | None
    watch_only: bool
    reason: str
    ready: str
    since: str
    queued_at: str
    news_at: str
    priority: int
    attempt: int
    ccds: CcdCounts
    forcefiles: Forcefiles
    unseen_since: str | None
    problem: str | None
    unlisted_since: str | None
    disagreement: str | None
    disagreement_since: str | None
    submission: SubmissionStatus | None
    exposure_id: int


class RunStatus(Age):
    """A run of post-processing. as_of: when its output was last read; when it ended, once it has."""

    season: int
    number: int
    state: str
    skipto: int
    skipto_reason: str
    step: int | None
    step_at: str | None
    expnums: list[int]
    bands: list[str]
    intent_at: str
    started_at: str | None
    ended_at: str | None
    exit_code: int | None
    reason: str | None
    asked_by: str | None
    folder: str


class AlertStatus(TypedDict):
    """An alert that is up. active: not on trial. acked_by: who sees to it."""

    key: str
    rule: str
    severity: str
    text: str
    season: int | None
    nite: str | None
    expnum: int | None
    raised_at: str
    active: bool
    acked_by: str | None


class Cycle(TypedDict):
    """The newest cycle. ended_at is None while it goes on, or when it was cut off. overdue: none has followed."""

    started_at: str
    ended_at: str | None
    age_seconds: float
    overdue: bool
    listings: int
    stats: int
    reads: int
    error: str | None


class Silence(TypedDict):
    """Something that does not answer: pnfs, engine, workflow, postprocessing or making (the set-up script).

    means: what follows for what is shown.
    """

    what: str
    since: str
    problem: str
    means: str


class Pause(TypedDict):
    """Who has paused the daemon, and why."""

    since: str
    who: str
    reason: str


class Request(TypedDict):
    """A person's wish for a run of post-processing that the daemon has not taken up yet."""

    season: int
    asked_at: str
    asked_by: str
    skipto: int | None


class Status(TypedDict):
    """Everything. as_of: when it was read from the database."""

    as_of: str
    paused: bool
    pause: Pause | None
    exposures: list[ExposureStatus]
    runs: list[RunStatus]
    requests: list[Request]
    alerts: list[AlertStatus]
    silent: list[Silence]
    last_cycle: Cycle | None
