"""Reading what is written down of post-processing and of refreshes of exposures.list."""

from __future__ import annotations

from collections import defaultdict

from sqlalchemy import Connection, select, true

from desgw_daemon.domain.runs import PostprocRequest, PostprocRun, Refresh
from desgw_daemon.domain.states import ExposureState, RefreshState, RunState
from desgw_daemon.store.tables import (
    ExposureRow,
    PostprocExposureRow,
    PostprocRunRow,
    RefreshRow,
    RequestRow,
    table,
)


def load_runs(connection: Connection) -> tuple[PostprocRun, ...]:
    """All runs of post-processing, by season and number.

    Of a run that ended well only those exposures are named that are under way or need a person again: nobody asks it
    for the others, and a season that grows has most of them in each of its runs.
    """
    runs, members, exposures = table(PostprocRunRow), table(PostprocExposureRow), table(ExposureRow)
    named = select(members.c.run_id, members.c.exposure_id, exposures.c.expnum).select_from(
        exposures.join(runs, true()).join(
            members, (members.c.run_id == runs.c.id) & (members.c.exposure_id == exposures.c.id)
        )
    )
    under_way = (ExposureState.POSTPROCESSING.value, ExposureState.ATTENTION.value)
    inside: dict[int, set[tuple[int, int]]] = defaultdict(set)
    for some in (runs.c.state != RunState.DONE.value, exposures.c.state.in_(under_way)):
        for run_id, exposure_id, expnum in connection.execute(named.where(some)):
            inside[run_id].add((expnum, exposure_id))
    found = []
    for row in connection.execute(select(runs).order_by(runs.c.season, runs.c.number)).mappings():
        values = dict(row)
        for only_shown in ("skipto_reason", "asked_by", "signal", "last_words", "list_name", "evidence"):
            del values[only_shown]
        values["state"] = RunState(values["state"])
        values["bands"], values["notes"] = tuple(values["bands"]), tuple(values["notes"])
        named_in_order = sorted(inside[row["id"]])
        values["exposures"] = tuple(exposure_id for _, exposure_id in named_in_order)
        values["expnums"] = tuple(expnum for expnum, _ in named_in_order)
        found.append(PostprocRun(**values))
    return tuple(found)


def load_refresh(connection: Connection, state: RefreshState | None = None) -> Refresh | None:
    """The newest refresh of exposures.list, or the newest in this state."""
    rows = table(RefreshRow)
    query = select(rows).order_by(rows.c.id.desc()).limit(1)
    row = connection.execute(query if state is None else query.where(rows.c.state == state.value)).mappings().first()
    return None if row is None else Refresh(**{**row, "state": RefreshState(row["state"])})


def load_requests(connection: Connection) -> dict[int, PostprocRequest]:
    """What people have asked for and nobody has answered yet, by season."""
    requests = table(RequestRow)
    rows = connection.execute(
        select(requests).where(requests.c.kind == "postproc", requests.c.answered_at.is_(None)).order_by(requests.c.id)
    ).mappings()
    # The newest wish for a season is the one that counts.
    return {
        row["season"]: PostprocRequest(
            id=row["id"],
            season=row["season"],
            asked_at=row["asked_at"],
            by=row["asked_by"],
            skipto=row["skipto"],
        )
        for row in rows
    }
