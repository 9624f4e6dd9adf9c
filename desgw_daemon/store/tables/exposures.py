"""The tables of exposures, their CCDs and forcephoto files."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Column, Index, text
from sqlmodel import JSON, Field, SQLModel

from desgw_daemon.domain.states import CcdState, ExposureState, Ready
from desgw_daemon.store.columns import names, state_is_one_of, when


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
    hung_at: datetime | None = when()
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
