"""Processes that hang on a tree, written down: the next daemon must count them too."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, insert, select, update

from desgw_daemon.domain.facts import Stuck
from desgw_daemon.store.tables import ExposureRow, StuckRow, table


def known_stuck(connection: Connection) -> tuple[Stuck, ...]:
    """Those that were written down last."""
    rows = connection.execute(select(table(StuckRow))).mappings()
    return tuple(Stuck(**row) for row in rows)


def record_stuck(connection: Connection, living: Sequence[Stuck]) -> None:
    """Write down those that live. One on /pnfs that has died was let go by the mount: what was put aside is looked
    at again at once."""
    known = {(each.pid, each.start, each.boot_id): each for each in known_stuck(connection)}
    new = {(each.pid, each.start, each.boot_id): each for each in living}
    rows, exposures = table(StuckRow), table(ExposureRow)
    gone = known.keys() - new.keys()
    for pid, start, boot_id in gone:
        connection.execute(delete(rows).where(rows.c.pid == pid, rows.c.start == start, rows.c.boot_id == boot_id))
    for key in new.keys() - known.keys():
        each = new[key]
        connection.execute(
            insert(rows).values(
                pid=each.pid, start=each.start, boot_id=each.boot_id, tree=each.tree, what=each.what, since=each.since
            )
        )
    if any(known[key].tree == "pnfs" for key in gone):
        connection.execute(update(exposures).where(exposures.c.hung_at.is_not(None)).values(hung_at=None))
