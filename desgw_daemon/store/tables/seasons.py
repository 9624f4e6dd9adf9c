"""The tables of seasons, and the files of the workflow folder that are written for them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Column, Text
from sqlmodel import JSON, Field, SQLModel

from desgw_daemon.domain.states import RefreshState
from desgw_daemon.store.columns import names, state_is_one_of, when


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
