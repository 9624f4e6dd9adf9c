"""What is known of the making of a DAG, of its submission and of its nodes; and of DAGs that are not ours."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from desgw_daemon.domain.states import (
    MakingState,
    SubmissionState,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """One run of DAGMaker."""

    id: int
    exposure_id: int
    attempt: int
    state: MakingState
    folder: str
    intent_at: datetime
    #: Of the DAG that it made.
    dag_sha256: str | None = None
    #: Of the dagmaker.rc that it read.
    rc_sha256: str | None = None
    #: Exposures whose single-epoch outputs the DAG would write: its templates.
    templates: tuple[int, ...] = ()
    ended_at: datetime | None = None
    exit_code: int | None = None
    reason: str | None = None
    #: The last lines of its output.
    last_words: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One attempt to run an exposure's DAG. Its tag is unique for ever."""

    id: int
    exposure_id: int
    attempt: int
    tag: str
    engine: str
    state: SubmissionState
    dag_path: str
    dag_sha256: str
    intent_at: datetime
    job_id: str | None = None
    submitted_at: datetime | None = None
    ended_at: datetime | None = None
    #: First of the successful answers that did not know the tag.
    absent_at: datetime | None = None
    nodes_total: int | None = None
    nodes_done: int | None = None
    nodes_failed: int | None = None
    nodes_running: int | None = None
    nodes_waiting: int | None = None
    nodes_held: int | None = None
    #: Why it, or the first of its held jobs, is held.
    hold_reason: str | None = None
    #: Since when nothing of it can run because all that is left is held.
    held_since: datetime | None = None
    exit_code: int | None = None
    reason: str | None = None
    #: When the engine last answered for it.
    as_of: datetime | None = None
    #: Exposures whose single-epoch outputs it writes while it is in flight.
    templates: tuple[int, ...] = ()
    #: When the engine said what became of its jobs, after its end.
    nodes_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DagNode:
    """One job of a DAG, as the queue remembers it: one process of one node.

    ccd: of a search job. state: waiting, running, held, done, failed, removed. host: where it ran last.
    """

    name: str
    process: int = 0
    ccd: int | None = None
    state: str
    exit_code: int | None = None
    signal: int | None = None
    hold_reason: str | None = None
    host: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitTry:
    """One time that a DAG was handed to the engine, and what came of it.

    outcome: accepted, permanent, transient, credential or unclear; None while nobody knows. cause: a word for what was
    wrong, the same for the same trouble.
    """

    id: int
    submission_id: int
    number: int
    started_at: datetime
    ended_at: datetime | None = None
    outcome: str | None = None
    cause: str | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignDag:
    """A DAG that lives in the queue under a tag of our kind, and is none of ours."""

    tag: str
    job_id: str
    expnum: int | None
    state: str
    owner: str
    first_seen: datetime
    as_of: datetime
