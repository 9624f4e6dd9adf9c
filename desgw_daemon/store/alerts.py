"""The rows of alerts: those that are up, wait, are silenced. What becomes of them is decided elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from desgw_daemon.domain.actions import AlertWanted
from desgw_daemon.domain.alerts import Alert, AlertChanges, Pending, Silence, Telling
from desgw_daemon.store.tables import AlertPendingRow, AlertRow, SilenceRow, table


def load_alerts(connection: Connection, *, cleared_since: datetime) -> tuple[Alert, ...]:
    """The alerts that are up, those that were cleared since then, and those whose end is still to be told."""
    rows = table(AlertRow)
    untold = rows.c.cleared_told_at.is_(None) & rows.c.told_at.is_not(None)
    query = select(rows).where(rows.c.cleared_at.is_(None) | (rows.c.cleared_at > cleared_since) | untold)
    return tuple(_alert(row) for row in connection.execute(query.order_by(rows.c.id)).mappings())


def _alert(row: Any) -> Alert:
    values = {name: row[name] for name in row if name not in ("acked_by", "ack_reason")}
    # Alerts of earlier versions have no beginning of their own.
    return Alert(**values | {"since": row["since"] or row["raised_at"]})


def load_pending(connection: Connection) -> tuple[Pending, ...]:
    """The conditions that hold and are no alert yet."""
    rows = table(AlertPendingRow)
    return tuple(Pending(**row) for row in connection.execute(select(rows).order_by(rows.c.key)).mappings())


def load_silences(connection: Connection, *, at: datetime) -> tuple[Silence, ...]:
    """The silences that are in force at that moment."""
    rows = table(SilenceRow)
    query = select(rows.c.id, rows.c.what, rows.c.until).where(
        rows.c.ended_at.is_(None), rows.c.at <= at, rows.c.until > at
    )
    return tuple(Silence(**row) for row in connection.execute(query.order_by(rows.c.id)).mappings())


def standing_alerts(connection: Connection, *, without: str) -> tuple[AlertWanted, ...]:
    """What is up or waits, as it was wanted: for a cycle that cannot tell what should be. Not those of one rule."""
    up, waiting = table(AlertRow), table(AlertPendingRow)
    about = ("key", "rule", "text", "since")
    rows = connection.execute(select(up).where(up.c.cleared_at.is_(None), up.c.rule != without)).mappings()
    more = connection.execute(select(waiting).where(waiting.c.rule != without)).mappings()
    return (
        *(AlertWanted(**{name: row[name] for name in (*about, "season", "nite", "expnum")}) for row in rows),
        *(AlertWanted(**{name: row[name] for name in about}) for row in more),
    )


def told_elsewhere(
    connection: Connection, wanted: AlertWanted, *, severity: str, active: bool, calm_since: datetime, at: datetime
) -> None:
    """Write down an alert that people were told of when it could not be written down. It is up from now on.

    One with its key that is up, or whose end nobody has been told, is the same one; of those that nobody has heard of
    only one that was cleared after calm_since.
    """
    rows = table(AlertRow)
    same = (rows.c.key == wanted.key) & (
        rows.c.cleared_at.is_(None)
        | (rows.c.cleared_told_at.is_(None) & (rows.c.told_at.is_not(None) | (rows.c.cleared_at > calm_since)))
    )
    found = connection.execute(select(rows.c.id).where(same).order_by(rows.c.id.desc()).limit(1)).scalar_one_or_none()
    if found is not None:
        connection.execute(update(rows).where(rows.c.id == found).values(cleared_at=None, **_words(wanted, severity)))
        return
    since = wanted.since or at
    connection.execute(
        insert(rows).values(
            key=wanted.key,
            rule=wanted.rule,
            **_words(wanted, severity),
            since=since,
            raised_at=since,
            told_at=since,
            told_text=wanted.text,
            times_told=1,
            active=active,
        )
    )


def write_changes(connection: Connection, changes: AlertChanges, *, at: datetime) -> None:
    """Raise, refresh and clear alerts, and set which conditions wait."""
    rows = table(AlertRow)
    for raised in changes.raised:
        connection.execute(
            insert(rows).values(
                key=raised.wanted.key,
                rule=raised.wanted.rule,
                **_words(raised.wanted, raised.severity),
                since=raised.since,
                raised_at=at,
                times_told=0,
                active=raised.active,
            )
        )
    for alert_id, wanted, severity in changes.refreshed:
        connection.execute(update(rows).where(rows.c.id == alert_id).values(_words(wanted, severity)))
    for ids, values in (
        (changes.reopened, {"cleared_at": None, "cleared_told_at": None}),
        (changes.ended, {"cleared_at": at}),
        (changes.closed, {"cleared_told_at": at}),
        # Whatever the log has told of it, nobody has heard of it yet.
        (changes.tried, {"active": True, "told_at": None, "told_text": None, "times_told": 0}),
    ):
        for alert_id in ids:
            connection.execute(update(rows).where(rows.c.id == alert_id).values(values))
    _write_pending(connection, changes.waiting)


def _words(wanted: AlertWanted, severity: str) -> dict[str, Any]:
    """What of an alert may change while it is up."""
    return {
        "text": wanted.text,
        "severity": severity,
        "season": wanted.season,
        "nite": wanted.nite,
        "expnum": wanted.expnum,
    }


def _write_pending(connection: Connection, waiting: Sequence[Pending]) -> None:
    rows = table(AlertPendingRow)
    before = {row.key: row for row in load_pending(connection)}
    wanted = {row.key: row for row in waiting}
    for key in before.keys() - wanted.keys():
        connection.execute(delete(rows).where(rows.c.key == key))
    for key, row in wanted.items():
        if before.get(key) == row:
            continue
        values = {name: getattr(row, name) for name in ("rule", "severity", "text", "since", "muted_by")}
        if key in before:
            connection.execute(update(rows).where(rows.c.key == key).values(values))
        else:
            connection.execute(insert(rows).values(key=key, **values))


def told(connection: Connection, telling: Telling, *, at: datetime) -> None:
    """An alert was told, or put into the outbox in the same transaction."""
    rows = table(AlertRow)
    if telling.kind == "cleared":
        over = update(rows).where(rows.c.id.in_([telling.id, *telling.over_ids]))
        connection.execute(over.values(cleared_told_at=at))
        return
    row = update(rows).where(rows.c.id == telling.id)
    connection.execute(row.values(told_at=at, told_text=telling.text, times_told=rows.c.times_told + 1))
