"""The switches that people turn, and the wishes that only the daemon carries out."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from desgw_daemon.domain.states import RUN_LIVE, ExposureState
from desgw_daemon.errors import Refused
from desgw_daemon.store.journal import note
from desgw_daemon.store.load import load_snapshot
from desgw_daemon.store.tables import RequestRow, SettingRow, table


def pause(connection: Connection, *, who: str, why: str, at: datetime) -> bool:
    """Start nothing new at all. False when it was paused already."""
    rows = table(SettingRow)
    if connection.execute(select(rows).where(rows.c.key == "paused")).first():
        return False
    connection.execute(insert(rows).values(key="paused", value=why, at=at, who=who))
    note(connection, at=at, kind="daemon", subject="daemon", before="running", after="paused", why=why, who=who)
    return True


def resume(connection: Connection, *, who: str, at: datetime) -> bool:
    """Go on after a pause. False when it was not paused."""
    rows = table(SettingRow)
    if not connection.execute(delete(rows).where(rows.c.key == "paused")).rowcount:
        return False
    note(connection, at=at, kind="daemon", subject="daemon", before="paused", after="running", why="resumed", who=who)
    return True


def ask_postproc(connection: Connection, *, season: int, skipto: int | None, who: str, at: datetime) -> str:
    """Leave the wish that post-processing of a season starts. Returns what happens next, in words."""
    snapshot = load_snapshot(connection, with_ccds_of=(), scope="all")
    if not any(e.season == season and e.state is not ExposureState.REMOVED for e in snapshot.exposures):
        raise Refused(f"season {season} has no exposures; `desgw-daemon status` shows which seasons have")
    live = next((run for run in snapshot.runs if run.season == season and run.state in RUN_LIVE), None)
    if live is not None:
        raise Refused(f"run {live.number} of season {season} goes on since {live.intent_at:%Y-%m-%dT%H:%M:%SZ}")
    requests = table(RequestRow)
    connection.execute(
        update(requests)
        .where(requests.c.kind == "postproc", requests.c.season == season, requests.c.answered_at.is_(None))
        .values(answered_at=at, answer="replaced by a newer wish")
    )
    connection.execute(
        insert(requests).values(kind="postproc", season=season, skipto=skipto, asked_at=at, asked_by=who)
    )
    note(
        connection,
        at=at,
        kind="postproc_run",
        subject=f"season {season}",
        before=None,
        after="asked for",
        why="asked for by hand" + (f", at SKIPTO {skipto}" if skipto is not None else ""),
        who=who,
        season=season,
    )
    return "it starts in the next cycle, after a last look at its exposures"


def answer_request(connection: Connection, request_id: int, *, answer: str, at: datetime) -> None:
    """Close a wish."""
    rows = table(RequestRow)
    connection.execute(update(rows).where(rows.c.id == request_id).values(answered_at=at, answer=answer))
