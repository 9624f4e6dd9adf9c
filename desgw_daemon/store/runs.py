"""What a run of post-processing shows of itself, written down."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, update

from desgw_daemon.domain.snapshot import PostprocRun
from desgw_daemon.store.journal import note
from desgw_daemon.store.load import table
from desgw_daemon.store.tables import PostprocRunRow


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
