"""A database with alerts alone: cycles with conditions that a test gives, and what each of them tells."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from desgw_daemon.daemon.alerting import set_alerts
from desgw_daemon.domain.actions import AlertWanted
from desgw_daemon.domain.alerts import Telling
from desgw_daemon.domain.policy import Policy
from desgw_daemon.report.alerts import alerts_to_tell
from desgw_daemon.store.alerts import told
from desgw_daemon.store.database import create_or_check, writing

START: Final = datetime(2026, 11, 22, tzinfo=UTC)


def wanted(rule: str, key: str | None = None, text: str | None = None, **values: Any) -> AlertWanted:
    """A condition that holds."""
    return AlertWanted(key=key or rule, rule=rule, text=text or f"{rule} holds", **values)


class Cut(Exception):
    """The process was killed here."""


class AlertBook:
    """One database; each cycle is a transaction of its own, and nothing is kept in memory."""

    def __init__(self, path: Path, policy: Policy, *, copy_of: Path | None = None) -> None:
        """copy_of: a new database, which is made faster so."""
        if copy_of is not None:
            shutil.copy(copy_of, path)
        self.path = path
        self.policy = policy
        self.now = START
        #: What was told, by those cycles that were written down.
        self.said: list[Telling] = []
        self.engine = create_or_check(path)

    def restart(self) -> None:
        """Another process goes on with the same file."""
        self.engine.dispose()
        self.engine = create_or_check(self.path)

    def cycle(self, *conditions: AlertWanted, after: timedelta | None = None, cut: int | None = None) -> list[Telling]:
        """One cycle, so long after the last (an interval); what it told. cut: it is killed after so many steps."""
        self.now += self.policy.poll_interval if after is None else after
        try:
            with writing(self.engine) as connection:
                steps = iter(range(1000))

                def step() -> None:
                    if next(steps) == cut:
                        raise Cut

                step()
                set_alerts(connection, conditions, self.policy, at=self.now)
                step()
                tellings = alerts_to_tell(connection, self.policy, at=self.now)
                for telling in tellings:
                    told(connection, telling, at=self.now)
                    step()
        except Cut:
            self.restart()
            return []
        self.said += tellings
        return list(tellings)

    def cycles(self, count: int, *conditions: AlertWanted) -> list[Telling]:
        """Several cycles with the same conditions; all that they told."""
        return [telling for _ in range(count) for telling in self.cycle(*conditions)]

    def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        """As other programs read the database."""
        connection = sqlite3.connect(self.path)
        connection.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in connection.execute(query, values)]
        finally:
            connection.close()

    @property
    def up(self) -> list[str]:
        """The keys of the alerts that are up."""
        return [row["key"] for row in self.rows("SELECT key FROM v_alert WHERE cleared_at IS NULL ORDER BY key")]

    @property
    def waiting(self) -> dict[str, str | None]:
        """The keys of the conditions that wait, and what mutes them."""
        return {row["key"]: row["muted_by"] for row in self.rows("SELECT key, muted_by FROM v_alert_pending")}


def kinds(tellings: Iterable[Telling]) -> list[tuple[str, str]]:
    """What was told, in short."""
    return [(telling.kind, telling.key) for telling in tellings]
