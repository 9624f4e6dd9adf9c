"""Telling alerts to the log, and what of them goes into the outbox, too."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from desgw_daemon.decide.raising import calm
from desgw_daemon.decide.telling import tellings
from desgw_daemon.domain.alerts import Telling
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.times import utc
from desgw_daemon.report.events import Event
from desgw_daemon.report.logs import Field, Log
from desgw_daemon.store.alerts import load_alerts, load_pending, load_silences, told


def alerts_to_tell(connection: Connection, policy: Policy, *, at: datetime) -> tuple[Telling, ...]:
    """What is to be told now: new alerts, those that stay up for long, and the ends of those that were told."""
    known = load_alerts(connection, cleared_since=at - calm(policy))
    return tellings(known, load_pending(connection), load_silences(connection, at=at), policy, at)


def tell_alerts(connection: Connection, log: Log, policy: Policy, *, at: datetime) -> tuple[Telling, ...]:
    """Log what is to be told now, and write down that it was. Returns what goes into the outbox, too."""
    found = alerts_to_tell(connection, policy, at=at)
    for telling in found:
        _log(log, telling)
        told(connection, telling, at=at)
    return tuple(telling for telling in found if not telling.trial)


def words(telling: Telling) -> str:
    """What is told of it, in one line."""
    match telling.kind:
        case "raised":
            return telling.text
        case "still":
            changed = f"; {telling.changed}" if telling.changed else ", nothing has changed"
            return f"still up since {utc(telling.since)}{changed}: {telling.text}"
    together = f", and with it {', '.join(telling.over)}" if telling.over else ""
    return f"over, up since {utc(telling.since)}{together}: {telling.text}"


def _log(log: Log, telling: Telling) -> None:
    fields: dict[str, Field] = {
        "alert": telling.key,
        "expnum": telling.expnum,
        "nite": telling.nite,
        "season": telling.season,
    }
    shown = {name: value for name, value in fields.items() if value is not None}
    text = f"ALERT {'(on trial) ' if telling.trial else ''}{words(telling)}"
    if telling.kind == "cleared":
        log.warning(Event.ALERT_CLEARED, text, **shown)
    elif telling.severity == "critical" and not telling.trial:
        log.error(Event.ALERT_RAISED, text, cause=None, **shown)
    elif telling.severity == "info":
        log.info(Event.ALERT_RAISED, text, **shown)
    else:
        log.warning(Event.ALERT_RAISED, text, **shown)
