"""The row that each cycle leaves in `poll`, and the alerts that are up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from desgw_daemon.domain.actions import AlertWanted
from desgw_daemon.domain.alertrules import AlertRule
from desgw_daemon.store.load import table
from desgw_daemon.store.tables import AlertRow, PollRow


def begin_poll(connection: Connection, *, at: datetime) -> int:
    """A new row; its id."""
    key = connection.execute(
        insert(table(PollRow)).values(started_at=at, exposures=0, listings=0, stats=0, reads=0, unseen=0, actions=0)
    ).inserted_primary_key
    assert key is not None
    return int(key[0])


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """An alert that is to be told now: raised, still up, or cleared."""

    id: int
    key: str
    text: str
    severity: str
    kind: str  # raised | still | cleared
    since: datetime
    season: int | None
    nite: str | None
    expnum: int | None


def set_alerts(
    connection: Connection, wanted: Sequence[AlertWanted], rules: Mapping[str, AlertRule], *, at: datetime
) -> None:
    """Raise what is not up yet, refresh the text of what is, clear what has gone."""
    rows = table(AlertRow)
    up = {row["key"]: row for row in connection.execute(select(rows).where(rows.c.cleared_at.is_(None))).mappings()}
    for alert in wanted:
        if alert.key not in up:
            connection.execute(
                insert(rows).values(
                    key=alert.key,
                    rule=alert.rule,
                    severity=rules[alert.rule].severity,
                    text=alert.text,
                    season=alert.season,
                    nite=alert.nite,
                    expnum=alert.expnum,
                    since=alert.since or at,
                    raised_at=at,
                    times_told=0,
                )
            )
        elif up[alert.key]["text"] != alert.text:
            connection.execute(update(rows).where(rows.c.id == up[alert.key]["id"]).values(text=alert.text))
    gone = up.keys() - {alert.key for alert in wanted}
    for key in gone:
        connection.execute(update(rows).where(rows.c.id == up[key]["id"]).values(cleared_at=at))


def alerts_to_tell(connection: Connection, *, at: datetime, repeat_after: timedelta) -> tuple[Telling, ...]:
    """What report has to deliver: new alerts, those that stay up for long, and the ends of those that were told."""
    rows = table(AlertRow)
    tellings = []
    for row in connection.execute(
        select(rows)
        .where(rows.c.cleared_at.is_(None) | (rows.c.cleared_told_at.is_(None) & rows.c.told_at.is_not(None)))
        .order_by(rows.c.id)
    ).mappings():
        if row["cleared_at"] is not None:
            kind = "cleared"
        elif row["told_at"] is None:
            kind = "raised"
        elif at - row["told_at"] >= repeat_after:
            kind = "still"
        else:
            continue
        tellings.append(
            Telling(
                id=row["id"],
                key=row["key"],
                text=row["text"],
                severity=row["severity"],
                kind=kind,
                since=row["raised_at"],
                season=row["season"],
                nite=row["nite"],
                expnum=row["expnum"],
            )
        )
    return tuple(tellings)


def told(connection: Connection, telling: Telling, *, at: datetime) -> None:
    """An alert was delivered."""
    rows = table(AlertRow)
    row = update(rows).where(rows.c.id == telling.id)
    if telling.kind == "cleared":
        connection.execute(row.values(cleared_told_at=at))
    else:
        connection.execute(row.values(told_at=at, times_told=rows.c.times_told + 1))
