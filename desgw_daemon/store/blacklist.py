"""Which exposures the blacklist of post-processing names, written down with each of them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, select, update

from desgw_daemon.store.tables import ExposureRow, table

#: SQLite takes 32,766 variables.
_AT_ONCE = 5000


def record_blacklist(connection: Connection, numbers: Collection[int], *, at: datetime) -> None:
    """Since when each is named; one that is named no more says nothing. Most cycles write nothing."""
    rows = table(ExposureRow)
    named = connection.execute(select(rows.c.id, rows.c.expnum).where(rows.c.blacklisted_since.is_not(None))).all()
    _set(connection, [row.id for row in named if row.expnum not in numbers], None)
    wanted = sorted(numbers)
    for first in range(0, len(wanted), _AT_ONCE):
        found = select(rows.c.id).where(
            rows.c.expnum.in_(wanted[first : first + _AT_ONCE]), rows.c.blacklisted_since.is_(None)
        )
        _set(connection, list(connection.execute(found).scalars()), at)


def _set(connection: Connection, ids: list[int], since: datetime | None) -> None:
    rows = table(ExposureRow)
    for first in range(0, len(ids), _AT_ONCE):
        some = rows.c.id.in_(ids[first : first + _AT_ONCE])
        connection.execute(update(rows).where(some).values(blacklisted_since=since))
