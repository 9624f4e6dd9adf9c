"""The times that exposures.list was written anew: claimed before they begin, never two at a time."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, insert, update

from desgw_daemon.domain.runs import Refresh
from desgw_daemon.domain.states import RefreshState
from desgw_daemon.store.journal import note
from desgw_daemon.store.load_runs import load_refresh
from desgw_daemon.store.tables import RefreshRow, table

#: Why a person's refresh failed that has left no end.
CUT_OFF = "its process ended without a word (it was killed, or the machine restarted)"
_SUBJECT = "exposures.list"


def claim_refresh(connection: Connection, *, folder_of: str, why: str, at: datetime) -> Refresh | None:
    """Write down that the daemon is about to refresh. None while another refresh is under way.

    folder_of: template of its folder, with ``{number}``.
    """
    if load_refresh(connection, RefreshState.RUNNING) is not None:
        return None
    number = _begin(connection, who="daemon", why=why, at=at)
    rows = table(RefreshRow)
    connection.execute(update(rows).where(rows.c.id == number).values(folder=folder_of.format(number=number)))
    return _newest(connection)


def begin_refresh(connection: Connection, *, who: str, why: str, at: datetime) -> Refresh:
    """Write down that a person refreshes. The caller holds the lock: no other refresh of a person lives."""
    while (cut_off := load_refresh(connection, RefreshState.RUNNING)) is not None and cut_off.folder is None:
        finish_refresh(connection, cut_off, RefreshState.FAILED, at=at, reason=CUT_OFF)
    _begin(connection, who=who, why=why, at=at)
    return _newest(connection)


def finish_refresh(
    connection: Connection,
    refresh: Refresh,
    state: RefreshState,
    *,
    at: datetime,
    exposures: int | None = None,
    reason: str | None = None,
) -> None:
    """Write down how a refresh ended, if nobody has."""
    rows = table(RefreshRow)
    ended = connection.execute(
        update(rows)
        .where(rows.c.id == refresh.id, rows.c.state == RefreshState.RUNNING.value)
        .values(state=state.value, ended_at=at, exposures=exposures, reason=reason)
    ).rowcount
    if ended:
        known = "" if exposures is None else f" with {exposures} exposures"
        why = f"written anew{known}" if state is RefreshState.DONE else reason or "no reason is known"
        _note(connection, before=RefreshState.RUNNING, after=state, why=why, who=refresh.who, at=at)


def _newest(connection: Connection) -> Refresh:
    newest = load_refresh(connection)
    assert newest is not None
    return newest


def _begin(connection: Connection, *, who: str, why: str, at: datetime) -> int:
    key = connection.execute(
        insert(table(RefreshRow)).values(state=RefreshState.RUNNING.value, started_at=at, who=who, why=why)
    ).inserted_primary_key
    assert key is not None
    _note(connection, before=None, after=RefreshState.RUNNING, why=why, who=who, at=at)
    return int(key[0])


def _note(
    connection: Connection, *, before: RefreshState | None, after: RefreshState, why: str, who: str, at: datetime
) -> None:
    old = None if before is None else before.value
    note(connection, at=at, kind="refresh", subject=_SUBJECT, before=old, after=after.value, why=why, who=who)
