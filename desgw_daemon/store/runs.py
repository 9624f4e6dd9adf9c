"""What a run of post-processing shows of itself, written down."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select, update

from desgw_daemon.domain.event import EVENT_KEYS, Event
from desgw_daemon.domain.snapshot import PostprocRun
from desgw_daemon.store.journal import note
from desgw_daemon.store.load import table
from desgw_daemon.store.tables import PostprocRunRow, SeasonRow


def record_step(connection: Connection, run: PostprocRun, step: int, *, at: datetime) -> None:
    """The run has come to a step."""
    rows = table(PostprocRunRow)
    connection.execute(update(rows).where(rows.c.id == run.id).values(step=step, step_at=at))
    note(
        connection,
        at=at,
        kind="postproc_run",
        subject=f"season {run.season} run {run.number}",
        before=None if run.step is None else f"step {run.step}",
        after=f"step {step}",
        why=f"its output says `Run STEP {step}:`",
        season=run.season,
    )


def record_skipto(connection: Connection, run: PostprocRun, skipto: int, reason: str) -> None:
    """The run began at another step than was computed, and why."""
    rows = table(PostprocRunRow)
    connection.execute(update(rows).where(rows.c.id == run.id).values(skipto=skipto, skipto_reason=reason))


def event_of(connection: Connection, season: int) -> Event:
    """The event that a season is for, as far as somebody has said."""
    rows = table(SeasonRow)
    found = connection.execute(select(*(rows.c[key] for key in EVENT_KEYS)).where(rows.c.season == season))
    row = found.mappings().first()
    return Event() if row is None else Event(**row)
