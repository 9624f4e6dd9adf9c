"""The last part of a cycle: changes told to the log, alerts from what now stands in the database, alerts told.

All of it is the last transaction of a cycle: what was told is written down with what was raised, or neither is.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from sqlalchemy import Connection

from desgw_daemon.daemon.alerting import set_alerts
from desgw_daemon.daemon.morning import report_night
from desgw_daemon.daemon.parts import Part, Parts
from desgw_daemon.decide.alerts import wanted_alerts
from desgw_daemon.domain.actions import AlertWanted
from desgw_daemon.report.alerts import tell_alerts
from desgw_daemon.report.events import Event
from desgw_daemon.report.history import log_transitions
from desgw_daemon.report.logs import Log
from desgw_daemon.report.messages import message_of
from desgw_daemon.store.alerts import standing_alerts
from desgw_daemon.store.circumstances import with_circumstances
from desgw_daemon.store.cycle import forget_polls
from desgw_daemon.store.load import lacking_folders, load_snapshot
from desgw_daemon.store.nightfacts import load_night_facts
from desgw_daemon.store.outbox import forget_deliveries, put_out
from desgw_daemon.wiring import House

#: Cycles and messages are kept for this long.
_KEEP_POLLS: Final = timedelta(days=60)


def report(
    connection: Connection,
    house: House,
    log: Log,
    parts: Parts,
    *,
    now: datetime,
    errors: tuple[str, ...],
    more_alerts: tuple[AlertWanted, ...],
    told: AlertWanted | None,
    credential_until: datetime | None,
) -> None:
    """errors: of actions. more_alerts: those whose facts do not stand in the database. told: see tick."""
    for error in errors:
        log.warning(Event.ACTION_FAILED, error)
    own = (*_failed_actions(errors), *more_alerts)
    parts.record(connection, Part.HISTORY, "", partial(log_transitions, connection, log))
    wanted = parts.do(
        Part.ALERTS,
        lambda: (*_conditions(connection, house, now, credential_until), *own),
        lambda _: standing_alerts(connection, without="part_failed"),
    )
    work = partial(set_alerts, connection, parts.alerts(wanted), house.policy, at=now, told=told)
    parts.record(connection, Part.ALERTS, "", work)
    parts.record(connection, Part.TELLING, "", partial(_tell, connection, house, log, now))
    parts.record(
        connection, Part.TELLING, "the report of the night", partial(report_night, connection, house, log, now)
    )
    forget_polls(connection, before=now - _KEEP_POLLS)
    forget_deliveries(connection, before=now - _KEEP_POLLS)


def _tell(connection: Connection, house: House, log: Log, now: datetime) -> None:
    """To the log and into the outbox: both, or neither."""
    told = tell_alerts(connection, log, house.policy, at=now)
    put_out(connection, map(message_of, told), house.policy.alerts.channels, at=now)


def _conditions(
    connection: Connection, house: House, now: datetime, credential_until: datetime | None
) -> tuple[AlertWanted, ...]:
    loaded = load_snapshot(connection, scope="open", with_ccds_of=lacking_folders(connection))
    facts = load_night_facts(connection, at=now)
    snapshot = replace(with_circumstances(connection, loaded), credential_until=credential_until, facts=facts)
    return wanted_alerts(snapshot, house.policy, now)


def _failed_actions(errors: tuple[str, ...]) -> tuple[AlertWanted, ...]:
    return tuple(
        AlertWanted(
            key=f"action_failed:{error.partition(':')[0]}",
            rule="action_failed",
            text=f"one action of the cycle failed, and is tried again in the next: {error}",
        )
        for error in errors
    )
