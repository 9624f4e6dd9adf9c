"""What tells whether a night is over, and that its report was written."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects.sqlite import insert as upsert

from desgw_daemon.domain.nights import Watch
from desgw_daemon.domain.states import ExposureState
from desgw_daemon.store.tables import ExposureRow, PollRow, SettingRow, TransitionRow, table

_KEY: Final = "night_reported"
_GO_ON: Final = (
    ExposureState.QUEUED,
    ExposureState.MAKING,
    ExposureState.SUBMITTING,
    ExposureState.PROCESSING,
    ExposureState.POSTPROCESSING,
)
#: Changes that are the night's work, not people's or the daemon's own.
_WORK: Final = ("exposure", "ccd", "dagmaker_run", "submission", "postproc_run")


def load_watch(connection: Connection, *, auto: bool) -> Watch:
    """auto: what is ready goes on by itself, too."""
    polls, settings, rows, exposures = table(PollRow), table(SettingRow), table(TransitionRow), table(ExposureRow)
    states = [state.value for state in (*_GO_ON, *((ExposureState.READY,) if auto else ()))]
    return Watch(
        first_cycle=connection.execute(select(func.min(polls.c.started_at))).scalar_one(),
        reported=connection.execute(select(settings.c.value).where(settings.c.key == _KEY)).scalar_one_or_none(),
        open=connection.execute(
            select(func.count()).where(exposures.c.state.in_(states), exposures.c.held.is_(False))
        ).scalar_one(),
        # The newest of a few: the log of transitions is long, and has no index by time.
        last_change=connection.execute(
            select(rows.c.at).where(rows.c.kind.in_(_WORK)).order_by(rows.c.id.desc()).limit(1)
        ).scalar_one_or_none(),
    )


def mark_reported(connection: Connection, nite: str, *, at: datetime) -> None:
    """The report of this night is written, with the caller's transaction."""
    values = {"value": nite, "at": at, "who": "daemon"}
    statement = upsert(table(SettingRow)).values(key=_KEY, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["key"], set_=values))
