"""The tables of DAGs: made, submitted, followed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from desgw_daemon.domain.states import MakingState, SubmissionState
from desgw_daemon.store.columns import numbers, state_is_one_of, when


class MakingRow(SQLModel, table=True):
    """A run of DAGMaker."""

    __tablename__ = "dagmaker_run"
    __table_args__ = (
        Index("ix_dagmaker_run_exposure", "exposure_id"),
        state_is_one_of(MakingState, "ck_dagmaker_run_state"),
    )

    id: int | None = Field(default=None, primary_key=True)
    exposure_id: int = Field(foreign_key="exposure.id")
    attempt: int
    state: str = MakingState.INTENT.value
    folder: str
    dag_sha256: str | None = None
    templates: list[int] = numbers()
    rc_sha256: str | None = None
    intent_at: datetime = when(nullable=False)
    ended_at: datetime | None = when()
    exit_code: int | None = None
    reason: str | None = None
    last_words: str | None = None


class SubmissionRow(SQLModel, table=True):
    """An attempt to run an exposure's DAG."""

    __tablename__ = "submission"
    __table_args__ = (
        Index("ux_submission_attempt", "exposure_id", "attempt", unique=True),
        Index("ux_submission_tag", "tag", unique=True),
        Index("ix_submission_state", "state"),
        state_is_one_of(SubmissionState, "ck_submission_state"),
    )

    id: int | None = Field(default=None, primary_key=True)
    exposure_id: int = Field(foreign_key="exposure.id")
    attempt: int
    tag: str
    engine: str
    state: str = SubmissionState.INTENT.value
    dag_path: str
    dag_sha256: str
    intent_at: datetime = when(nullable=False)
    job_id: str | None = None
    submitted_at: datetime | None = when()
    ended_at: datetime | None = when()
    absent_at: datetime | None = when()
    nodes_total: int | None = None
    nodes_done: int | None = None
    nodes_failed: int | None = None
    nodes_running: int | None = None
    nodes_waiting: int | None = None
    nodes_held: int | None = None
    hold_reason: str | None = None
    held_since: datetime | None = when()
    exit_code: int | None = None
    reason: str | None = None
    as_of: datetime | None = when()
    templates: list[int] = numbers()
    nodes_at: datetime | None = when()


class SubmitTryRow(SQLModel, table=True):
    """One time that a DAG was handed to the engine. Written before, completed after."""

    __tablename__ = "submit_try"
    __table_args__ = (Index("ux_submit_try_number", "submission_id", "number", unique=True),)

    id: int | None = Field(default=None, primary_key=True)
    submission_id: int = Field(foreign_key="submission.id")
    number: int
    started_at: datetime = when(nullable=False)
    ended_at: datetime | None = when()
    outcome: str | None = None
    cause: str | None = None
    text: str | None = None


class DagNodeRow(SQLModel, table=True):
    """A job of a DAG that has ended, as the queue remembered it."""

    __tablename__ = "dag_node"

    submission_id: int = Field(foreign_key="submission.id", primary_key=True)
    name: str = Field(primary_key=True)
    process: int = Field(primary_key=True)
    ccd: int | None = None
    state: str
    exit_code: int | None = None
    signal: int | None = None
    hold_reason: str | None = None
    host: str | None = None


class ForeignDagRow(SQLModel, table=True):
    """A DAG in the queue with a tag of our kind that is none of ours, as long as it lives."""

    __tablename__ = "foreign_dag"

    tag: str = Field(primary_key=True)
    job_id: str = Field(primary_key=True)
    expnum: int | None = None
    state: str
    owner: str
    first_seen: datetime = when(nullable=False)
    as_of: datetime = when(nullable=False)
