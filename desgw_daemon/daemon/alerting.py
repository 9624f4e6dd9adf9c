"""Brings the rows of alerts up to date with the conditions of this cycle, in the transaction of its report."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from desgw_daemon.decide.raising import alert_changes, calm, cause_of, causes
from desgw_daemon.domain.actions import AlertWanted
from desgw_daemon.domain.policy import Policy
from desgw_daemon.store.alerts import load_alerts, load_pending, told_elsewhere, write_changes


def set_alerts(
    connection: Connection,
    wanted: Sequence[AlertWanted],
    policy: Policy,
    *,
    at: datetime,
    told: AlertWanted | None = None,
) -> None:
    """Raise what has held for as long as it must, refresh what is up, clear what has gone, have the rest wait.

    told: what people were told of before this cycle, which could be written down nowhere; it is over when it is not
    wanted any more.
    """
    lately = at - calm(policy)
    if told is not None:
        severity = policy.alerts.rules[told.rule].severity
        active = told.rule not in policy.alerts.on_trial
        told_elsewhere(connection, told, severity=severity, active=active, calm_since=lately, at=at)
    known = load_alerts(connection, cleared_since=lately)
    write_changes(connection, alert_changes(wanted, known, load_pending(connection), policy, at), at=at)


def told_cause(connection: Connection, rule: str, policy: Policy, *, at: datetime) -> str | None:
    """The rule that mutes this one, when people were told of it and it is still up."""
    up = [alert.rule for alert in load_alerts(connection, cleared_since=at) if alert.told_at and not alert.cleared_at]
    return cause_of(policy.alerts.rules[rule], causes(up, policy.alerts))
