"""Reading what is written down, as the values that decide works on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, Connection, Select, Table, select, true
from sqlmodel import SQLModel

from desgw_daemon.domain.snapshot import NO_FOLDER, Ccd, Exposure, Forcefile, Snapshot
from desgw_daemon.domain.states import (
    IN_FLIGHT,
    CcdState,
    ExposureState,
    MakingState,
    Ready,
    RefreshState,
    SubmissionState,
)
from desgw_daemon.domain.submissions import DagNode, Making
from desgw_daemon.store.load_dags import load_foreign_dags, load_nodes, load_tries, slices, submission_from
from desgw_daemon.store.load_runs import load_refresh, load_requests, load_runs
from desgw_daemon.store.tables import (
    CcdRow,
    ExposureRow,
    ForcefileRow,
    ForeignDagRow,
    MakingRow,
    RequestRow,
    SettingRow,
    SubmissionRow,
    table,
)

#: States in which the CCDs and forcefiles of an exposure matter to a plan.
WATCHED: Final = (ExposureState.PROCESSING, ExposureState.READY, ExposureState.ATTENTION)
Scope = Literal["open", "seasons", "all"]


def load_snapshot(
    connection: Connection, *, scope: Scope = "seasons", with_ccds_of: Iterable[int] | None = None
) -> Snapshot:
    """What is written down, as a snapshot.

    scope: "open", the exposures for which something may still happen, which are also those that are done and looked at
    once more before their season's next run; "seasons", which is what a plan is computed
    from, those and the done ones of their seasons (without their makings and submissions); "all", for commands.
    CCDs and forcefiles are loaded for the exposures that are watched, or whose DAG is in doubt, or for the ids in
    `with_ccds_of`.
    """
    rows, submissions = table(ExposureRow), table(SubmissionRow)
    # A DAG may outlive its exposure's last state: it counts against the cap, and is followed to its end.
    flying = select(submissions.c.exposure_id).where(submissions.c.state.in_([state.value for state in IN_FLIGHT]))
    # Or the queue may have one that has ended for us.
    there = select(submissions.c.exposure_id).where(submissions.c.tag.in_(select(table(ForeignDagRow).c.tag)))
    closed = (ExposureState.DONE.value, ExposureState.REMOVED.value)
    is_open = (
        rows.c.state.not_in(closed)
        | rows.c.id.in_(flying)
        | rows.c.id.in_(there)
        | rows.c.disagreement.is_not(None)
        | _looked_at_again(rows)
    )
    match scope:
        case "open":
            exposures = _exposures(connection, is_open, with_ccds_of=with_ccds_of)
        case "seasons":
            open_seasons = select(rows.c.season).where(is_open).distinct()
            asked = select(table(RequestRow).c.season).where(table(RequestRow).c.answered_at.is_(None))
            is_done = (rows.c.state == ExposureState.DONE.value) & (
                rows.c.season.in_(open_seasons) | rows.c.season.in_(asked)
            )
            exposures = _exposures(connection, is_open | is_done, with_ccds_of=with_ccds_of, with_runs_of=is_open)
        case "all":
            exposures = _exposures(connection, true(), with_ccds_of=with_ccds_of)
    paused = connection.execute(select(table(SettingRow)).where(table(SettingRow).c.key == "paused")).mappings().first()
    return Snapshot(
        exposures=exposures,
        runs=load_runs(connection),
        paused=paused is not None,
        paused_reason=None if paused is None else f"{paused['value']} (by {paused['who']})",
        paused_since=None if paused is None else paused["at"],
        postproc_requests=load_requests(connection),
        tries=load_tries(connection),
        foreign_dags=load_foreign_dags(connection),
        refresh=load_refresh(connection, RefreshState.RUNNING) or load_refresh(connection),
        refreshed=load_refresh(connection, RefreshState.DONE),
        refresh_failed=load_refresh(connection, RefreshState.FAILED),
    )


def _looked_at_again(rows: Table) -> ColumnElement[bool]:
    """What is done, and was asked for since: only while something of its season waits for a run."""
    ready = select(rows.c.season).where(rows.c.state == ExposureState.READY.value).distinct()
    return (
        (rows.c.state == ExposureState.DONE.value)
        & (rows.c.recheck_asked_at >= rows.c.since)
        & rows.c.season.in_(ready.scalar_subquery())
    )


def lacking_folders(connection: Connection) -> tuple[int, ...]:
    """The ready exposures of which a CCD has no folder: alerts are about these, and load the CCDs of no others."""
    rows, ccds = table(ExposureRow), table(CcdRow)
    query = (
        select(rows.c.id)
        .join(ccds, ccds.c.exposure_id == rows.c.id)
        .where(
            rows.c.state == ExposureState.READY.value,
            (ccds.c.state == CcdState.MISSING.value) | ccds.c.reason.startswith(NO_FOLDER),
        )
        .distinct()
    )
    return tuple(connection.execute(query).scalars())


def load_exposures(connection: Connection, ids: Collection[int]) -> tuple[Exposure, ...]:
    """Some exposures, without their CCDs and forcefiles, in the order of their ids."""
    wanted, rows = list(ids), table(ExposureRow)
    return tuple(
        exposure for few in slices(wanted) for exposure in _exposures(connection, rows.c.id.in_(few), with_ccds_of=())
    )


def load_exposure(connection: Connection, exposure_id: int) -> Exposure:
    """One exposure, without its CCDs and forcefiles."""
    (exposure,) = load_exposures(connection, (exposure_id,))
    return exposure


def _exposures(
    connection: Connection,
    chosen: ColumnElement[bool],
    *,
    with_ccds_of: Iterable[int] | None,
    with_runs_of: ColumnElement[bool] | None = None,
) -> tuple[Exposure, ...]:
    """with_runs_of: those whose makings and submissions are loaded; None: all."""
    rows = table(ExposureRow)
    found = connection.execute(select(rows).where(chosen).order_by(rows.c.id)).mappings().all()
    if with_ccds_of is None:
        submissions = table(SubmissionRow)
        doubted = select(submissions.c.exposure_id).where(submissions.c.state == SubmissionState.UNKNOWN.value)
        in_doubt = set(connection.execute(doubted).scalars())
        watched = [
            row["id"] for row in found if row["state"] in WATCHED or row["id"] in in_doubt or _is_looked_at_again(row)
        ]
    else:
        watched = list(with_ccds_of)
    ids = select(rows.c.id).where(chosen if with_runs_of is None else with_runs_of)
    ccds = _by_exposure(connection, CcdRow, slices(watched), order="ccd")
    files = _by_exposure(connection, ForcefileRow, slices(watched), order="name")
    makings = _by_exposure(connection, MakingRow, [ids], order="id")
    attempts = _by_exposure(connection, SubmissionRow, [ids], order="attempt")
    nodes = load_nodes(connection, watched)
    return tuple(
        _exposure(
            row,
            ccds=ccds.get(row["id"], ()),
            files=files.get(row["id"], ()),
            makings=makings.get(row["id"], ()),
            submissions=attempts.get(row["id"], ()),
            nodes=nodes.get(row["id"], ()),
        )
        for row in found
    )


def _is_looked_at_again(row: Any) -> bool:
    asked = row["recheck_asked_at"]
    return row["state"] == ExposureState.DONE and asked is not None and asked >= row["since"]


def _by_exposure(
    connection: Connection, model: type[SQLModel], ids: Iterable[list[int] | Select[tuple[int]]], *, order: str
) -> dict[int, list[Any]]:
    rows: dict[int, list[Any]] = defaultdict(list)
    columns = table(model).c
    query = select(table(model)).order_by(columns.exposure_id, columns[order])
    for some in ids:
        result = connection.execute(query.where(columns.exposure_id.in_(some)))
        # Tens of thousands of rows: plain dictionaries cost half as much as the result's own mappings.
        names = tuple(result.keys())
        for values in result:
            row = dict(zip(names, values, strict=True))
            rows[row["exposure_id"]].append(row)
    return rows


def _exposure(
    row: Any,
    *,
    ccds: Iterable[Any],
    files: Iterable[Any],
    makings: Iterable[Any],
    submissions: Iterable[Any],
    nodes: Iterable[Any],
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
        hung_at=row["hung_at"],
        unlisted_since=row["unlisted_since"],
        blacklisted_since=row["blacklisted_since"],
        disagreement=row["disagreement"],
        disagreement_since=row["disagreement_since"],
        forcefiles_expected=row["forcefiles_expected"],
        forcefiles_found=row["forcefiles_found"],
        forcefiles_missing=tuple(row["forcefiles_missing"]),
        forcefiles_surplus=tuple(row["forcefiles_surplus"]),
        ccds=tuple(_ccd(ccd) for ccd in ccds),
        forcefiles=tuple(Forcefile(**file) for file in files),
        makings=tuple(
            Making(**{**making, "state": MakingState(making["state"]), "templates": tuple(making["templates"])})
            for making in makings
        ),
        submissions=tuple(submission_from(submission) for submission in submissions),
        nodes=tuple(DagNode(**node) for node in nodes),
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
