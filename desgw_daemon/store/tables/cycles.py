"""The tables of the daemon itself: its cycles, its history, what people ask of it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Column, Index
from sqlmodel import JSON, Field, SQLModel

from desgw_daemon.store.columns import when


class TransitionRow(SQLModel, table=True):
    """One change of state: when, what, from, to, why, who. Rows are only ever added."""

    __tablename__ = "transition"
    __table_args__ = (Index("ix_transition_exposure", "exposure_id", "id"),)

    id: int | None = Field(default=None, primary_key=True)
    at: datetime = when(nullable=False)
    kind: str
    exposure_id: int | None = Field(default=None, foreign_key="exposure.id")
    ccd: int | None = None
    season: int | None = None
    subject: str = ""
    before: str | None = None
    after: str
    why: str
    who: str = "daemon"


class PollRow(SQLModel, table=True):
    """One cycle: how long it took, what it looked at, and what that cost."""

    __tablename__ = "poll"

    id: int | None = Field(default=None, primary_key=True)
    started_at: datetime = when(nullable=False)
    ended_at: datetime | None = when()
    exposures: int = 0
    listings: int = 0
    stats: int = 0
    reads: int = 0
    look_seconds: float | None = None
    unseen: int = 0
    pnfs_problem: str | None = None
    engine_problem: str | None = None
    engine_calls: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    workflow_problem: str | None = None
    making_problem: str | None = None
    credential_problem: str | None = None
    actions: int = 0
    error: str | None = None
    postprocessing_problem: str | None = None
    part_errors: dict[str, str] = Field(
        default_factory=dict, sa_column=Column(JSON, nullable=False, server_default="{}")
    )
    seconds: float | None = None
    boot_id: str | None = None
    boottime: float | None = None
    clock_jump: float | None = None
    free_bytes: int | None = None
    stuck: int = Field(default=0, sa_column_kwargs={"server_default": "0"})


class DaemonRunRow(SQLModel, table=True):
    """A start of the daemon, and how it ended."""

    __tablename__ = "daemon_run"

    id: int | None = Field(default=None, primary_key=True)
    started_at: datetime = when(nullable=False)
    stopped_at: datetime | None = when()
    pid: int
    boot_id: str
    version: str
    stopped: str | None = None


class StuckRow(SQLModel, table=True):
    """A process that hangs in a call on a tree, and was abandoned. Gone when the process is."""

    __tablename__ = "stuck_process"

    pid: int = Field(primary_key=True)
    start: int = Field(primary_key=True)
    boot_id: str = Field(primary_key=True)
    tree: str
    what: str
    since: datetime = when(nullable=False)


class RequestRow(SQLModel, table=True):
    """A person's wish that only the daemon carries out."""

    __tablename__ = "request"

    id: int | None = Field(default=None, primary_key=True)
    kind: str
    season: int
    skipto: int | None = None
    asked_at: datetime = when(nullable=False)
    asked_by: str
    answered_at: datetime | None = when()
    answer: str | None = None


class SettingRow(SQLModel, table=True):
    """A switch that people turn: `paused`."""

    __tablename__ = "setting"

    key: str = Field(primary_key=True)
    value: str
    at: datetime = when(nullable=False)
    who: str
