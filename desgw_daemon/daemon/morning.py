"""The report of the night: written once, into log and outbox, in the transaction of the cycle that finds it due."""

from __future__ import annotations

import sqlite3
from datetime import datetime

from sqlalchemy import Connection

from desgw_daemon.decide.morning import due_night
from desgw_daemon.report.events import Event
from desgw_daemon.report.logs import Log
from desgw_daemon.report.night import read_night
from desgw_daemon.report.nighttext import night_message, summary
from desgw_daemon.store.nights import load_watch, mark_reported
from desgw_daemon.store.outbox import put_out
from desgw_daemon.wiring import House


def report_night(connection: Connection, house: House, log: Log, now: datetime) -> None:
    """Does nothing while none is due."""
    night = due_night(load_watch(connection, auto=house.policy.postproc_auto), house.policy, now)
    if night is None:
        return
    database = connection.connection.dbapi_connection
    assert isinstance(database, sqlite3.Connection)
    seen = read_night(database, night)
    put_out(connection, [night_message(seen)], house.policy.alerts.channels, at=now)
    mark_reported(connection, night.nite, at=now)
    log.info(Event.NIGHT_REPORTED, f"night {night.nite}: {summary(seen)}; `desgw-daemon alerts report` shows all")
