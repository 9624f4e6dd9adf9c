"""The tables. docs/database.md describes each column; migrations/ brings older files up to date.

Times are stored as UTC without a zone (SQLite has no type for them); the views show them as
``2026-11-22T02:14:05Z``. Lists of names are JSON. `table=True` models do not validate: what comes here
has been checked before.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Column, Index, Text, text
from sqlmodel import JSON, Field, SQLModel

from desgw_daemon.domain.states import (
    CcdState,
    ExposureState,
    MakingState,
    Ready,
    RefreshState,
    RunState,
    SubmissionState,
)
from desgw_daemon.store.columns import names, numbers, state_is_one_of, when


class ExposureRow(SQLModel, table=True):
    """An exposure of the queue."""

    __tablename__ = "exposure"
    __table_args__ = (
        # Two indexes, since NULLs are distinct for SQLite: an exposure that waits for its data has no
        # nite yet, and there is one such per season.
        Index("ux_exposure_identity", "season", "nite", "expnum", unique=True),
        Index("ux_exposure_waiting", "season", "expnum", unique=True, sqlite_where=text("nite IS NULL")),
        Index("ix_exposure_expnum", "expnum"),
        Index("ix_exposure_season_state", "season", "state"),
        state_is_one_of(ExposureState, "ck_exposure_state"),
    )

    id: int | None = Field(default=None, primary_key=True)
    season: int
    nite: str | None = None
    expnum: int
    band: str | None = None
    state: str = ExposureState.QUEUED.value
    reason: str = ""
    since: datetime = when(nullable=False)
    queued_at: datetime = when(nullable=False)
    added_by: str = ""
    held: bool = False
    hold_reason: str | None = None
    watch_only: bool = False
    priority: int = 0
    attempt: int = 1
    ready: str = Ready.NO.value
    news_at: datetime = when(nullable=False)
    folders_at: datetime | None = when()
    forcefiles_at: datetime | None = when()
    full_look_at: datetime | None = when()
    recheck_asked_at: datetime | None = when()
    as_of: datetime | None = when()
    unseen_since: datetime | None = when()
    unseen_problem: str | None = None
    unlisted_since: datetime | None = when()
    blacklisted_since: datetime | None = when()
    disagreement: str | None = None
    disagreement_since: datetime | None = when()
    forcefiles_expected: int = 0
    forcefiles_found: int = 0
    forcefiles_missing: list[str] = names()
    forcefiles_surplus: list[str] = names()


class CcdRow(SQLModel, table=True):
    """One of the 59 CCDs of an exposure."""

    __tablename__ = "ccd"
    __table_args__ = (state_is_one_of(CcdState, "ck_ccd_state"),)

    exposure_id: int = Field(foreign_key="exposure.id", primary_key=True)
    ccd: int = Field(primary_key=True)
    state: str = CcdState.PENDING.value
    step: str | None = None
    fails: list[str] = names()
    fail_stats: dict[str, tuple[int, float]] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    stale: list[str] = names()
    job: str | None = None
    host: str | None = None
    tarball_size: int | None = None
    tarball_mtime: float | None = None
    foreign: list[str] = names()
    pair_at: datetime | None = when()
    changed_at: datetime | None = when()
    looks: int = 0
    settled_at: datetime | None = when()
    reason: str | None = None
    as_of: datetime | None = when()


class ForcefileRow(SQLModel, table=True):
    """A file of an exposure's forcephoto folder."""

    __tablename__ = "forcefile"

    exposure_id: int = Field(foreign_key="exposure.id", primary_key=True)
    name: str = Field(primary_key=True)
    ccd: int | None = None
    band: str | None = None
    kind: str | None = None
    size: int
    mtime: float
    first_seen: datetime = when(nullable=False)
    whole_at: datetime | None = when()
    as_of: datetime = when(nullable=False)


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


class AlertRow(SQLModel, table=True):
    """Something that a person should know. Cleared ones stay as history."""

    __tablename__ = "alert"
    __table_args__ = (
        # One alert per root cause at a time.
        Index("ux_alert_up", "key", unique=True, sqlite_where=text("cleared_at IS NULL")),
    )

    id: int | None = Field(default=None, primary_key=True)
    key: str
    rule: str
    severity: str
    text: str = Field(sa_column=Column(Text, nullable=False))
    season: int | None = None
    nite: str | None = None
    expnum: int | None = None
    raised_at: datetime = when(nullable=False)
    cleared_at: datetime | None = when()
    told_at: datetime | None = when()
    cleared_told_at: datetime | None = when()
    times_told: int = 0


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


class SeasonRow(SQLModel, table=True):
    """A season that somebody has taken, and the event that it is for."""

    __tablename__ = "season"

    season: int = Field(primary_key=True)
    taken_at: datetime = when(nullable=False)
    taken_by: str
    how: str
    answers: dict[str, str] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    unverified: list[str] = names()
    reused_at: datetime | None = when()
    reused_by: str | None = None
    ligoid: str | None = None
    triggerid: str | None = None
    propid: str | None = None
    triggermjd: float | None = None


class RcVersionRow(SQLModel, table=True):
    """A dagmaker.rc that a DAGMaker has read."""

    __tablename__ = "rc_version"

    sha256: str = Field(primary_key=True)
    first_read_at: datetime = when(nullable=False)
    text: str = Field(sa_column=Column(Text, nullable=False))


class RcChangeRow(SQLModel, table=True):
    """One change of one key of dagmaker.rc. Rows are only ever added."""

    __tablename__ = "rc_change"

    id: int | None = Field(default=None, primary_key=True)
    at: datetime = when(nullable=False)
    who: str
    path: str
    key: str
    before: str | None = None
    after: str | None = None
    why: str


class RefreshRow(SQLModel, table=True):
    """A time that exposures.list and the band lists were written anew."""

    __tablename__ = "refresh"
    __table_args__ = (state_is_one_of(RefreshState, "ck_refresh_state"),)

    id: int | None = Field(default=None, primary_key=True)
    state: str = RefreshState.RUNNING.value
    started_at: datetime = when(nullable=False)
    ended_at: datetime | None = when()
    who: str
    why: str
    folder: str | None = None
    exposures: int | None = None
    reason: str | None = None


class OutputRow(SQLModel, table=True):
    """What was last written to output.txt for a season."""

    __tablename__ = "output"

    season: int = Field(primary_key=True)
    path: str
    text: str = Field(sa_column=Column(Text, nullable=False))
    written_at: datetime = when(nullable=False)
