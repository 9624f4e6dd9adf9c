"""The daemon's own condition, as its cycles and starts write it down."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from sqlalchemy import Connection, insert, select, update

from desgw_daemon.domain.vitals import ClockJump, Pulse, Vitals
from desgw_daemon.store.tables import DaemonRunRow, PollRow, table

#: Jumps and starts count for so long.
LATELY: Final = timedelta(hours=1)
#: Starts are kept for as long as cycles are.
_KEEP_RUNS: Final = timedelta(days=60)


def record_pulse(connection: Connection, poll_id: int, pulse: Pulse, *, clock_jump: timedelta) -> float | None:
    """Write it down with the cycle. Returns by how many seconds the clock was set since the cycle before, if by more
    than `clock_jump`.
    """
    rows = table(PollRow)
    same_boot = (rows.c.boot_id == pulse.boot_id) & (rows.c.id < poll_id)
    before = connection.execute(
        select(rows.c.started_at, rows.c.boottime).where(same_boot).order_by(rows.c.id.desc()).limit(1)
    ).first()
    jump = None
    if before is not None:
        jump = (pulse.at - before.started_at).total_seconds() - (pulse.boottime - before.boottime)
    if jump is not None and abs(jump) <= clock_jump.total_seconds():
        jump = None
    connection.execute(
        update(rows)
        .where(rows.c.id == poll_id)
        .values(boot_id=pulse.boot_id, boottime=pulse.boottime, clock_jump=jump, free_bytes=pulse.free)
    )
    return jump


def load_vitals(connection: Connection) -> Vitals:
    """What the newest cycles and starts say."""
    rows = table(PollRow)
    newest = connection.execute(select(rows).order_by(rows.c.id.desc()).limit(1)).mappings().first()
    if newest is None:
        return Vitals()
    jumps = []
    if newest["boottime"] is not None:
        # By the time since the boot: the clock itself is what is in doubt.
        since = newest["boottime"] - LATELY.total_seconds()
        lately = (rows.c.boot_id == newest["boot_id"]) & (rows.c.boottime > since) & rows.c.clock_jump.is_not(None)
        found = connection.execute(select(rows.c.started_at, rows.c.clock_jump).where(lately).order_by(rows.c.id))
        jumps = [ClockJump(at=row.started_at, seconds=row.clock_jump) for row in found]
    seconds = connection.execute(
        select(rows.c.seconds).where(rows.c.seconds.is_not(None)).order_by(rows.c.id.desc()).limit(1)
    ).scalar_one_or_none()
    return Vitals(
        free=newest["free_bytes"],
        seconds=seconds,
        jumps=tuple(jumps),
        crashes=_crashes(connection, newest["started_at"] - LATELY),
    )


def _crashes(connection: Connection, since: datetime) -> tuple[datetime, ...]:
    """Each start whose predecessor was never stopped."""
    runs = table(DaemonRunRow)
    starts = connection.execute(select(runs.c.started_at, runs.c.stopped_at).order_by(runs.c.id.desc()).limit(100))
    newest_first = starts.all()
    return tuple(
        later.started_at
        for later, before in reversed(list(pairwise(newest_first)))
        if before.stopped_at is None and later.started_at > since
    )


def record_start(connection: Connection, *, at: datetime, pid: int, boot_id: str, version: str) -> int:
    """The daemon has started; the id of its row."""
    runs = table(DaemonRunRow)
    connection.execute(runs.delete().where(runs.c.started_at < at - _KEEP_RUNS))
    key = connection.execute(
        insert(runs).values(started_at=at, pid=pid, boot_id=boot_id, version=version)
    ).inserted_primary_key
    assert key is not None
    return int(key[0])


def record_stop(connection: Connection, run_id: int, *, at: datetime, how: str) -> None:
    """It was told to stop."""
    runs = table(DaemonRunRow)
    connection.execute(update(runs).where(runs.c.id == run_id).values(stopped_at=at, stopped=how))
