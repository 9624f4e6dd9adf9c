"""What people say of alerts: seen to, or to be silent for a while. The daemon sees it in its next cycle."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from desgw_daemon.domain.alertrules import RULES
from desgw_daemon.domain.times import utc
from desgw_daemon.errors import Refused, UsageError
from desgw_daemon.store.journal import note
from desgw_daemon.store.tables import AlertRow, SilenceRow, table


def acknowledge(connection: Connection, which: str, *, who: str, why: str, at: datetime) -> str:
    """Somebody sees to the alert with this key or id: it is not repeated while it stays up. Returns its key.

    Raises Refused when no such alert is up, or somebody has said so already.
    """
    rows = table(AlertRow)
    fits = rows.c.id == int(which) if which.isascii() and which.isdigit() else rows.c.key == which
    found = connection.execute(select(rows).where(fits).order_by(rows.c.id.desc()).limit(1)).mappings().first()
    if found is None:
        raise Refused(f"there is no alert {which}; `desgw-daemon alerts list` shows those that are up")
    if found["cleared_at"] is not None:
        raise Refused(f"alert {found['key']} is over since {utc(found['cleared_at'])}; there is nothing to acknowledge")
    if found["acked_at"] is not None:
        raise Refused(
            f"alert {found['key']} was acknowledged by {found['acked_by']} at {utc(found['acked_at'])}:"
            f" {found['ack_reason']}"
        )
    connection.execute(update(rows).where(rows.c.id == found["id"]).values(acked_at=at, acked_by=who, ack_reason=why))
    note(
        connection,
        at=at,
        kind="alert",
        subject=found["key"],
        before="up",
        after="acknowledged",
        why=why,
        who=who,
        season=found["season"],
    )
    return str(found["key"])


def silence(connection: Connection, what: str, *, until: datetime, who: str, why: str, at: datetime) -> int:
    """Tell nobody of what fits (a rule, a pattern of keys, an EXPNUM) until then. Returns the silence's id.

    Raises UsageError when nothing could ever fit.
    """
    if not (what.isascii() and what.isdigit()) and what.partition(":")[0] not in RULES and not set("*?[") & set(what):
        raise UsageError(
            f"{what!r} is no rule (docs/runbook.md has them), no key of an alert, no pattern of keys and no EXPNUM"
        )
    rows = table(SilenceRow)
    key = connection.execute(
        insert(rows).values(what=what, at=at, until=until, who=who, reason=why)
    ).inserted_primary_key
    assert key is not None
    _note(connection, what, before=None, after=f"silenced until {utc(until)}", why=why, who=who, at=at)
    return int(key[0])


def end_silence(connection: Connection, silence_id: int, *, who: str, at: datetime) -> str:
    """End a silence before its time. Returns what it was about. Raises Refused when it is not in force."""
    rows = table(SilenceRow)
    found = connection.execute(select(rows).where(rows.c.id == silence_id)).mappings().first()
    if found is None:
        raise Refused(f"there is no silence {silence_id}; `desgw-daemon alerts list` shows those that are in force")
    end = found["ended_at"] or found["until"]
    if end <= at:
        raise Refused(f"silence {silence_id} of {found['what']} has ended at {utc(end)}")
    connection.execute(update(rows).where(rows.c.id == silence_id).values(ended_at=at))
    _note(connection, found["what"], before="silenced", after="told again", why="ended by hand", who=who, at=at)
    return str(found["what"])


def _note(
    connection: Connection, what: str, *, before: str | None, after: str, why: str, who: str, at: datetime
) -> None:
    note(connection, at=at, kind="alert", subject=what, before=before, after=after, why=why, who=who)
