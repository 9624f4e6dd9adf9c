"""The kinds of columns that the tables have."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, Column, Dialect
from sqlalchemy.types import DateTime, TypeDecorator
from sqlmodel import JSON, Field


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC datetimes outside, naive UTC inside."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To the file. Raises ValueError for a naive datetime: nobody could tell what it means."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive datetime {value!r}")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From the file."""
        return None if value is None else value.replace(tzinfo=UTC)


def when(nullable: bool = True) -> Any:
    """A column of a moment."""
    return Field(default=None, sa_column=Column(UtcDateTime(), nullable=nullable))


def names() -> Any:
    """A column of a list of names."""
    return Field(default_factory=list, sa_column=Column(JSON, nullable=False))


def numbers() -> Any:
    """A column of a list of numbers; older rows have an empty one."""
    return Field(default_factory=list, sa_column=Column(JSON, nullable=False, server_default="[]"))


def state_is_one_of(states: type[StrEnum], name: str) -> CheckConstraint:
    """The column `state` holds one of these."""
    allowed = ", ".join(f"'{state.value}'" for state in states)
    return CheckConstraint(f"state IN ({allowed})", name=name)
