"""Brings the rows of alerts up to date with the conditions of this cycle, in the transaction of its report."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from desgw_daemon.decide.raising import alert_changes, calm
from desgw_daemon.domain.actions import AlertWanted
from desgw_daemon.domain.policy import Policy
from desgw_daemon.store.alerts import load_alerts, load_pending, write_changes


def set_alerts(connection: Connection, wanted: Sequence[AlertWanted], policy: Policy, *, at: datetime) -> None:
    """Raise what has held for as long as it must, refresh what is up, clear what has gone, have the rest wait."""
    known = load_alerts(connection, cleared_since=at - calm(policy))
    write_changes(connection, alert_changes(wanted, known, load_pending(connection), policy, at), at=at)
