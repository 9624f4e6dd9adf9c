"""Reading what is written down, as the values that decide works on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, Table, select
from sqlmodel import SQLModel

from desgw_daemon.domain.snapshot import (
    Ccd,
    Exposure,
    Forcefile,
    Making,
    PostprocRequest,
    PostprocRun,
    Snapshot,
    Submission,
)
from desgw_daemon.domain.states import (
    IN_FLIGHT,
    CcdState,
    ExposureState,
    MakingState,
    Ready,
    RunState,
    SubmissionState,
)
from desgw_daemon.store.tables import (
    CcdRow,
    ExposureRow,
    ForcefileRow,
    MakingRow,
    PostprocExposureRow,
    PostprocRunRow,
    RequestRow,
    SettingRow,
    SubmissionRow,
)

#: States in which the CCDs and forcefiles of an exposure matter to a plan.
WATCHED: Final = (ExposureState.PROCESSING, ExposureState.READY, ExposureState.ATTENTION)


def table(model: type[SQLModel]) -> Table:
    """The table of a model, for statements that handle many rows."""
    found: Table = SQLModel.metadata.tables[str(model.__tablename__)]
    return found


def load_snapshot(
    connection: Connection, *, with_ccds_of: Iterable[int] | None = None, whole: bool = False
) -> Snapshot:
    """Everything that a plan is computed from: the seasons in which something is still open, with their runs.

    CCDs and forcefiles are loaded for the exposures that are watched, or for the ids in `with_ccds_of`.
    whole: seasons in which everything is done or removed, too (for commands; a tick has no use for them).
    """
    rows = table(ExposureRow)
    closed = (ExposureState.DONE.value, ExposureState.REMOVED.value)
    open_seasons = select(rows.c.season).where(rows.c.state.not_in(closed)).distinct()
    asked = select(table(RequestRow).c.season).where(table(RequestRow).c.answered_at.is_(None))
    submissions = table(SubmissionRow)
    # A DAG may outlive its exposure's last state: it counts against the cap, and is followed to its end.
    flying = (
        select(rows.c.season)
        .join(submissions, submissions.c.exposure_id == rows.c.id)
        .where(submissions.c.state.in_([state.value for state in IN_FLIGHT]))
    )
    chosen = None
    if not whole:
        chosen = rows.c.season.in_(open_seasons) | rows.c.season.in_(asked) | rows.c.season.in_(flying)
    exposures = _exposures(connection, chosen, with_ccds_of)
    paused = connection.execute(select(table(SettingRow)).where(table(SettingRow).c.key == "paused")).mappings().first()
    return Snapshot(
        exposures=exposures,
        runs=load_runs(connection),
        paused=paused is not None,
        paused_reason=None if paused is None else f"{paused['value']} (by {paused['who']})",
        paused_since=None if paused is None else paused["at"],
        postproc_requests=_requests(connection),
    )


def load_exposures(connection: Connection, ids: Collection[int]) -> tuple[Exposure, ...]:
    """Some exposures, without their CCDs and forcefiles, in the order of their ids."""
    return _exposures(connection, table(ExposureRow).c.id.in_(ids), ())


def load_exposure(connection: Connection, exposure_id: int) -> Exposure:
    """One exposure, without its CCDs and forcefiles."""
    (exposure,) = load_exposures(connection, (exposure_id,))
    return exposure


def _exposures(
    connection: Connection, chosen: ColumnElement[bool] | None, with_ccds_of: Iterable[int] | None
) -> tuple[Exposure, ...]:
    rows = table(ExposureRow)
    query = select(rows).order_by(rows.c.id)
    ids = select(rows.c.id)
    if chosen is not None:
        query, ids = query.where(chosen), ids.where(chosen)
    found = connection.execute(query).mappings().all()
    if with_ccds_of is None:
        watched = [row["id"] for row in found if row["state"] in WATCHED]
    else:
        watched = list(with_ccds_of)
    ccds = _by_exposure(connection, CcdRow, watched, order="ccd")
    files = _by_exposure(connection, ForcefileRow, watched, order="name")
    makings = _by_exposure(connection, MakingRow, ids, order="id")
    submissions = _by_exposure(connection, SubmissionRow, ids, order="attempt")
    return tuple(
        _exposure(
            row,
            ccds=ccds.get(row["id"], ()),
            files=files.get(row["id"], ()),
            makings=makings.get(row["id"], ()),
            submissions=submissions.get(row["id"], ()),
        )
        for row in found
    )


def _by_exposure(
    connection: Connection, model: type[SQLModel], ids: list[int] | Select[tuple[int]], *, order: str
) -> dict[int, list[Any]]:
    rows: dict[int, list[Any]] = defaultdict(list)
    columns = table(model).c
    query = select(table(model)).order_by(columns.exposure_id, columns[order])
    # SQLite takes 32,766 variables; a list of ids far below that is bound, in slices.
    slices: Sequence[list[int] | Select[tuple[int]]] = (
        [ids[i : i + 5000] for i in range(0, len(ids), 5000)] if isinstance(ids, list) else [ids]
    )
    for some in slices:
        for row in connection.execute(query.where(columns.exposure_id.in_(some))).mappings():
            rows[row["exposure_id"]].append(row)
    return rows


def _exposure(
    row: Any, *, ccds: Iterable[Any], files: Iterable[Any], makings: Iterable[Any], submissions: Iterable[Any]
) -> Exposure:
    return Exposure(
        id=row["id"],
        season=row["season"],
        expnum=row["expnum"],
        nite=row["nite"],
        band=row["band"],
        state=ExposureState(row["state"]),
        reason=row["reason"],
        since=row["since"],
        queued_at=row["queued_at"],
        held=bool(row["held"]),
        hold_reason=row["hold_reason"],
        watch_only=bool(row["watch_only"]),
        priority=row["priority"],
        attempt=row["attempt"],
        ready=Ready(row["ready"]),
        news_at=row["news_at"],
        folders_at=row["folders_at"],
        forcefiles_at=row["forcefiles_at"],
        full_look_at=row["full_look_at"],
        recheck_asked_at=row["recheck_asked_at"],
        as_of=row["as_of"],
        unseen_since=row["unseen_since"],
        unseen_problem=row["unseen_problem"],
        forcefiles_expected=row["forcefiles_expected"],
        forcefiles_found=row["forcefiles_found"],
        forcefiles_missing=tuple(row["forcefiles_missing"]),
        forcefiles_surplus=tuple(row["forcefiles_surplus"]),
        ccds=tuple(_ccd(ccd) for ccd in ccds),
        forcefiles=tuple(Forcefile(**file) for file in files),
        makings=tuple(Making(**{**making, "state": MakingState(making["state"])}) for making in makings),
        submissions=tuple(
            Submission(**{**submission, "state": SubmissionState(submission["state"])}) for submission in submissions
        ),
    )


def _ccd(row: Any) -> Ccd:
    return Ccd(
        **{
            **row,
            "state": CcdState(row["state"]),
            "fails": tuple(row["fails"]),
            "fail_stats": {name: (size, mtime) for name, (size, mtime) in row["fail_stats"].items()},
            "stale": tuple(row["stale"]),
            "foreign": tuple(row["foreign"]),
        }
    )


def load_runs(connection: Connection) -> tuple[PostprocRun, ...]:
    """All runs of post-processing, by season and number."""
    runs, members, exposures = table(PostprocRunRow), table(PostprocExposureRow), table(ExposureRow)
    inside: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for run_id, exposure_id, expnum in connection.execute(
        select(members.c.run_id, members.c.exposure_id, exposures.c.expnum)
        .join(exposures, exposures.c.id == members.c.exposure_id)
        .order_by(members.c.run_id, exposures.c.expnum, exposures.c.id)
    ):
        inside[run_id].append((exposure_id, expnum))
    found = []
    for row in connection.execute(select(runs).order_by(runs.c.season, runs.c.number)).mappings():
        values = dict(row)
        for only_shown in ("skipto_reason", "asked_by"):
            del values[only_shown]
        values["state"] = RunState(values["state"])
        values["bands"] = tuple(values["bands"])
        values["exposures"] = tuple(exposure_id for exposure_id, _ in inside[row["id"]])
        values["expnums"] = tuple(expnum for _, expnum in inside[row["id"]])
        found.append(PostprocRun(**values))
    return tuple(found)


def _requests(connection: Connection) -> dict[int, PostprocRequest]:
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
