"""What `doctor` found when the daemon last had itself looked at."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from desgw_daemon.domain.checkup import Checkup, Finding, Outcome
from desgw_daemon.store.tables import AlertPendingRow, AlertRow, CheckupRow, table


def record_checkup(connection: Connection, findings: Iterable[Finding], *, at: datetime) -> None:
    """These take the place of those before."""
    rows = table(CheckupRow)
    connection.execute(delete(rows))
    for found in findings:
        values = {"name": found.name, "outcome": found.outcome.value, "text": found.text, "todo": found.todo, "at": at}
        connection.execute(insert(rows).values(values))


def load_checkup(connection: Connection) -> Checkup | None:
    """What failed then; None when nothing did, or nobody has looked yet."""
    rows, alerts, pending = table(CheckupRow), table(AlertRow), table(AlertPendingRow)
    failed = connection.execute(select(rows).where(rows.c.outcome == Outcome.FAIL.value)).mappings().all()
    if not failed:
        return None
    at: datetime = failed[0]["at"]
    held = alerts.c.cleared_at.is_(None) | (alerts.c.cleared_at >= at)
    rules = {rule for (rule,) in connection.execute(select(alerts.c.rule).where(held).distinct())}
    rules |= {rule for (rule,) in connection.execute(select(pending.c.rule).distinct())}
    findings = (Finding(name=r["name"], outcome=Outcome.FAIL, text=r["text"], todo=r["todo"]) for r in failed)
    return Checkup(failed=tuple(findings), at=at, rules=frozenset(rules))
