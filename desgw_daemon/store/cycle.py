"""The row that each cycle leaves in `poll`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from desgw_daemon.store.tables import PollRow, table


def begin_poll(connection: Connection, *, at: datetime) -> int:
    """A new row; its id."""
    key = connection.execute(
        insert(table(PollRow)).values(started_at=at, exposures=0, listings=0, stats=0, reads=0, unseen=0, actions=0)
    ).inserted_primary_key
    assert key is not None
    return int(key[0])


def last_part_errors(connection: Connection) -> dict[str, str]:
    """Which parts of the newest cycle that came to its end failed, and how."""
    rows = table(PollRow)
    newest = select(rows.c.part_errors).where(rows.c.ended_at.is_not(None)).order_by(rows.c.id.desc()).limit(1)
    return dict(connection.execute(newest).scalar_one_or_none() or {})


def write_poll(connection: Connection, poll_id: int, values: Mapping[str, Any]) -> None:
    """Fill in columns of a cycle's row."""
    rows = table(PollRow)
    connection.execute(update(rows).where(rows.c.id == poll_id).values(**values))


def silent_since(connection: Connection, column: str) -> tuple[datetime, str] | None:
    """Since when, and why, a source (``pnfs_problem``, ...) has not answered; None when the newest cycle heard it."""
    rows = table(PollRow)
    # A cycle that was cut off before it had asked proves nothing.
    asked = rows.c.look_seconds.is_not(None)
    newest = connection.execute(
        select(rows.c[column]).where(asked).order_by(rows.c.id.desc()).limit(1)
    ).scalar_one_or_none()
    if newest is None:
        return None
    last_good = connection.execute(select(func.max(rows.c.id)).where(asked, rows.c[column].is_(None))).scalar_one()
    first_bad = connection.execute(select(func.min(rows.c.started_at)).where(asked, rows.c.id > (last_good or 0)))
    return (first_bad.scalar_one(), str(newest))


def forget_polls(connection: Connection, *, before: datetime) -> None:
    """Old cycles are of no use to anybody: a poll a minute makes half a million rows a year."""
    rows = table(PollRow)
    connection.execute(rows.delete().where(rows.c.started_at < before))
