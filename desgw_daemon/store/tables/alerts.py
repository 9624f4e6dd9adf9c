"""The tables of what people are told."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Column, Index, Text, text
from sqlmodel import Field, SQLModel

from desgw_daemon.domain.states import DeliveryState
from desgw_daemon.store.columns import state_is_one_of, when


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
    since: datetime | None = when()
    raised_at: datetime = when(nullable=False)
    cleared_at: datetime | None = when()
    told_at: datetime | None = when()
    told_text: str | None = None
    cleared_told_at: datetime | None = when()
    times_told: int = 0
    active: bool = Field(default=True, sa_column_kwargs={"server_default": "1"})
    acked_at: datetime | None = when()
    acked_by: str | None = None
    ack_reason: str | None = None


class AlertPendingRow(SQLModel, table=True):
    """A condition that holds, and is no alert yet: it waits for its delay, or its cause is up."""

    __tablename__ = "alert_pending"

    key: str = Field(primary_key=True)
    rule: str
    severity: str
    text: str = Field(sa_column=Column(Text, nullable=False))
    since: datetime = when(nullable=False)
    muted_by: str | None = None


class SilenceRow(SQLModel, table=True):
    """A person wants to hear nothing of some alerts until then."""

    __tablename__ = "silence"

    id: int | None = Field(default=None, primary_key=True)
    what: str
    at: datetime = when(nullable=False)
    until: datetime = when(nullable=False)
    ended_at: datetime | None = when()
    who: str
    reason: str


class DeliveryRow(SQLModel, table=True):
    """A message to people, for one channel. Written before it is sent."""

    __tablename__ = "delivery"
    __table_args__ = (
        Index("ix_delivery_state", "state", "channel"),
        state_is_one_of(DeliveryState, "ck_delivery_state"),
    )

    id: int | None = Field(default=None, primary_key=True)
    channel: str
    kind: str
    alert_id: int | None = Field(default=None, foreign_key="alert.id")
    severity: str
    title: str
    body: str = Field(sa_column=Column(Text, nullable=False))
    at: datetime = when(nullable=False)
    state: str = DeliveryState.WAITING.value
    tries: int = 0
    next_at: datetime | None = when()
    folder: str | None = None
    ended_at: datetime | None = when()
    problem: str | None = None
    digest_id: int | None = Field(default=None, foreign_key="delivery.id")


class CheckupRow(SQLModel, table=True):
    """What the last `doctor` of the daemon found, a row for each check."""

    __tablename__ = "checkup"

    name: str = Field(primary_key=True)
    outcome: str
    text: str = Field(sa_column=Column(Text, nullable=False))
    todo: str | None = None
    at: datetime = when(nullable=False)
