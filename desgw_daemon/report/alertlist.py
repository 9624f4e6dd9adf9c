"""What `alerts list` shows, as plain values: read from the views by sqlite3 alone, at once.

Must stay light (the standard library only) and must not look at anything but the database.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final, TypedDict, cast

from desgw_daemon.domain.alertrules import RULES
from desgw_daemon.domain.alerts import is_about
from desgw_daemon.domain.times import utc

_GRAVE: Final = ("critical", "warning", "info")


class ListedAlert(TypedDict):
    """An alert. active: False on trial. silenced_by: id of a silence. page: where more is said than todo."""

    id: int
    key: str
    rule: str
    severity: str
    text: str
    season: int | None
    nite: str | None
    expnum: int | None
    since: str
    raised_at: str
    cleared_at: str | None
    active: bool
    times_told: int
    told_at: str | None
    acked_at: str | None
    acked_by: str | None
    ack_reason: str | None
    silenced_by: int | None
    muted_by: str | None
    todo: str
    page: str


class ListedPending(TypedDict):
    """A condition that holds and is no alert."""

    key: str
    rule: str
    severity: str
    text: str
    since: str
    muted_by: str | None
    todo: str
    page: str


class ListedSilence(TypedDict):
    """A silence that is in force."""

    id: int
    what: str
    at: str
    until: str
    who: str
    reason: str


class AlertList(TypedDict):
    """All of them: the gravest first, then the oldest."""

    as_of: str
    alerts: list[ListedAlert]
    pending: list[ListedPending]
    silences: list[ListedSilence]


def read_alerts(db: sqlite3.Connection, *, now: datetime, everything: bool) -> AlertList:
    """The alerts that are up, what waits to be one, what is silenced. everything: those that are over, too."""
    pending = [
        cast(ListedPending, dict(row) | _help(row["rule"]))
        for row in _rows(db, "SELECT * FROM v_alert_pending ORDER BY since, key")
    ]
    silences = [
        cast(ListedSilence, {name: row[name] for name in ListedSilence.__annotations__})
        for row in _rows(db, "SELECT * FROM v_silence ORDER BY until")
        if (row["ended_at"] or row["until"]) > utc(now)
    ]
    rows = list(_rows(db, f"SELECT * FROM v_alert {'' if everything else 'WHERE cleared_at IS NULL'}"))
    present = {row["rule"] for row in rows if row["cleared_at"] is None and row["active"]}
    present |= {row["rule"] for row in pending}
    alerts = [_alert(row, silences, present) for row in rows]
    return AlertList(
        as_of=utc(now),
        alerts=sorted(alerts, key=lambda a: (a["cleared_at"] is not None, _GRAVE.index(a["severity"]), a["since"])),
        pending=pending,
        silences=silences,
    )


def _alert(row: sqlite3.Row, silences: Sequence[ListedSilence], present: set[str]) -> ListedAlert:
    up = row["cleared_at"] is None
    names = ListedAlert.__annotations__.keys() & set(row.keys())
    return cast(
        ListedAlert,
        {name: row[name] for name in row.keys() if name in names}  # noqa: SIM118 - a Row iterates over its values
        | {
            "since": row["since"] or row["raised_at"],
            "active": bool(row["active"]),
            "silenced_by": next((s["id"] for s in silences if up and _about(s["what"], row)), None),
            "muted_by": next((cause for cause in _causes(row["rule"]) if up and cause in present), None),
        }
        | _help(row["rule"], season=row["season"], expnum=row["expnum"]),
    )


def _about(what: str, row: sqlite3.Row) -> bool:
    return is_about(what, rule=row["rule"], key=row["key"], expnum=row["expnum"])


def _causes(rule: str) -> tuple[str, ...]:
    return RULES[rule].muted_by if rule in RULES else ()


def _help(rule: str, *, season: int | None = None, expnum: int | None = None) -> dict[str, str]:
    """What to do, its commands ready to type where the alert is about one. A rule of another version is still shown."""
    known = RULES.get(rule)
    if known is None:
        return {"todo": "", "page": "docs/runbook.md"}
    todo = known.todo if expnum is None else known.todo.replace("EXPNUM", str(expnum))
    if season is not None:
        todo = todo.replace("--season N", f"--season {season}")
    return {"todo": todo, "page": known.runbook}


def _rows(db: sqlite3.Connection, query: str) -> Iterator[Any]:
    cursor = db.cursor()
    cursor.row_factory = sqlite3.Row
    return cursor.execute(query)
