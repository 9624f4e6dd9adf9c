"""The tables of runs of post-processing."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Column, Index
from sqlmodel import JSON, Field, SQLModel

from desgw_daemon.domain.states import RunState
from desgw_daemon.store.columns import names, state_is_one_of, when


class PostprocRunRow(SQLModel, table=True):
    """A run of post-processing."""

    __tablename__ = "postproc_run"
    __table_args__ = (
        Index("ux_postproc_run_number", "season", "number", unique=True),
        state_is_one_of(RunState, "ck_postproc_run_state"),
    )

    id: int | None = Field(default=None, primary_key=True)
    season: int
    number: int
    state: str = RunState.INTENT.value
    bands: list[str] = names()
    fingerprint: str
    skipto: int = 0
    skipto_reason: str = ""
    folder: str
    asked_by: str | None = None
    intent_at: datetime = when(nullable=False)
    started_at: datetime | None = when()
    ended_at: datetime | None = when()
    exit_code: int | None = None
    signal: int | None = None
    stage: str | None = None
    step: int | None = None
    step_at: datetime | None = when()
    reason: str | None = None
    result: str | None = None
    last_words: str | None = None
    list_name: str | None = None
    evidence: list[dict[str, object]] = Field(
        default_factory=list, sa_column=Column(JSON, nullable=False, server_default="[]")
    )
    left_out: dict[str, str] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False, server_default="{}"))
    files_fingerprint: str = Field(default="", sa_column_kwargs={"server_default": ""})
    retry_of: int | None = None
    notes: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False, server_default="[]"))
    stopped_by: str | None = None
    stopped_at: datetime | None = when()
    stop_reason: str | None = None


class PostprocStepRow(SQLModel, table=True):
    """A step that a run of post-processing has come to."""

    __tablename__ = "postproc_step"

    run_id: int = Field(foreign_key="postproc_run.id", primary_key=True)
    step: int = Field(primary_key=True)
    at: datetime = when(nullable=False)


class PostprocExposureRow(SQLModel, table=True):
    """Which exposures are in which run."""

    __tablename__ = "postproc_exposure"

    run_id: int = Field(foreign_key="postproc_run.id", primary_key=True)
    exposure_id: int = Field(foreign_key="exposure.id", primary_key=True)
