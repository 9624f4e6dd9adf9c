"""What goes on, in a few numbers: read after each cycle, so it must stay cheap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, func, select

from desgw_daemon.domain.states import ExposureState
from desgw_daemon.store.cycle import silent_since
from desgw_daemon.store.tables import AlertRow, ExposureRow, SettingRow, table

#: What may be silent, by its column of `poll`.
_SOURCES: Final = {
    "pnfs_problem": "/pnfs",
    "engine_problem": "the queue",
    "workflow_problem": "gw_workflow",
    "postprocessing_problem": "Post-Processing",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GoingsOn:
    """How many exposures are in each state, what is silent and since when, how
    many alerts are up, and whether the daemon is paused.
    """

    exposures: Mapping[ExposureState, int]
    silent: Mapping[str, datetime]
    alerts: int
    paused: bool


def goings_on(connection: Connection) -> GoingsOn:
    """All of it, as of now."""
    exposures, alerts, settings = table(ExposureRow), table(AlertRow), table(SettingRow)
    counts = connection.execute(select(exposures.c.state, func.count()).group_by(exposures.c.state))
    silent = ((name, silent_since(connection, column)) for column, name in _SOURCES.items())
    return GoingsOn(
        exposures={ExposureState(state): count for state, count in counts},
        silent={name: since[0] for name, since in silent if since is not None},
        alerts=connection.execute(select(func.count()).where(alerts.c.cleared_at.is_(None))).scalar_one(),
        paused=connection.execute(select(settings).where(settings.c.key == "paused")).first() is not None,
    )
