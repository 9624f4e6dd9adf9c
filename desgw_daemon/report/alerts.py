"""Delivering alerts. In this version: to the log, at WARNING and above, each once, repeated while it stays up."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection

from desgw_daemon.report.events import Event
from desgw_daemon.report.logs import Field, Log
from desgw_daemon.store.cycle import Telling, alerts_to_tell, told


def tell_alerts(connection: Connection, log: Log, *, at: datetime, repeat_after: timedelta) -> None:
    """Log what is to be told now, and write down that it was."""
    for telling in alerts_to_tell(connection, at=at, repeat_after=repeat_after):
        _log(log, telling)
        told(connection, telling, at=at)


def _log(log: Log, telling: Telling) -> None:
    fields: dict[str, Field] = {
        "alert": telling.key,
        "expnum": telling.expnum,
        "nite": telling.nite,
        "season": telling.season,
    }
    shown = {name: value for name, value in fields.items() if value is not None}
    since = f"{telling.since:%Y-%m-%dT%H:%M:%SZ}"
    if telling.kind == "cleared":
        log.warning(Event.ALERT_CLEARED, f"ALERT over, up since {since}: {telling.text}", **shown)
        return
    text = f"ALERT {telling.text}" if telling.kind == "raised" else f"ALERT still up since {since}: {telling.text}"
    if telling.severity == "critical":
        log.error(Event.ALERT_RAISED, text, cause=None, **shown)
    else:
        log.warning(Event.ALERT_RAISED, text, **shown)
