"""Intents: what is about to be done is written down before it is done.

Each claim looks once more at what is written down, inside its own transaction: two that would claim the same cannot
both succeed, and a person's hold or removal that came in between wins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, func, insert, select, update

from desgw_daemon.domain.runs import PostprocRun
from desgw_daemon.domain.snapshot import Exposure
from desgw_daemon.domain.states import (
    IN_FLIGHT,
    MAKING_LIVE,
    RUN_LIVE,
    ExposureState,
    MakingState,
    RunState,
    SubmissionState,
)
from desgw_daemon.domain.submissions import Making, Submission
from desgw_daemon.store.journal import move_exposure, note
from desgw_daemon.store.load import load_exposure, load_exposures
from desgw_daemon.store.load_runs import load_runs
from desgw_daemon.store.rc import live_makings
from desgw_daemon.store.runs import files_fingerprint
from desgw_daemon.store.tables import (
    ExposureRow,
    MakingRow,
    PostprocExposureRow,
    PostprocRunRow,
    SubmissionRow,
    table,
)


def claim_making(
    connection: Connection, exposure_id: int, *, attempt: int, folder_of: str, at: datetime
) -> Making | None:
    """Write down that DAGMaker is about to run, and return it; the one already written down, if there is one.

    folder_of: template of its folder, with ``{number}``. None when the exposure has changed meanwhile.
    """
    exposure = load_exposure(connection, exposure_id)
    live = next((m for m in exposure.makings if m.state in MAKING_LIVE), None)
    if live is not None:
        return live
    if exposure.state is not ExposureState.QUEUED or exposure.attempt != attempt or exposure.held:
        return None
    if any(making.season != exposure.season for making in live_makings(connection)):
        return None  # DAGMaker reads its season from a file, which is never changed under one that runs
    rows = table(MakingRow)
    number = sum(m.attempt == attempt for m in exposure.makings) + 1
    connection.execute(
        insert(rows).values(
            exposure_id=exposure_id,
            attempt=attempt,
            state=MakingState.INTENT.value,
            folder=folder_of.format(number=number),
            intent_at=at,
        )
    )
    move_exposure(connection, exposure, ExposureState.MAKING, at=at, why="DAGMaker is started")
    return load_exposure(connection, exposure_id).makings[-1]


def claim_submission(
    connection: Connection,
    exposure_id: int,
    *,
    attempt: int,
    tag: str,
    engine: str,
    dag_path: str,
    dag_sha256: str,
    templates: Sequence[int],
    exclusive: bool,
    at: datetime,
) -> Submission | None:
    """Write down that a DAG is about to be submitted. None when it is no longer to be, or has been already.

    templates: the exposures that it processes besides its own; exclusive: not while another DAG in flight does.
    """
    exposure = load_exposure(connection, exposure_id)
    if exposure.state is not ExposureState.SUBMITTING or exposure.attempt != attempt or exposure.held:
        return None
    if any(s.attempt == attempt or s.state in IN_FLIGHT for s in exposure.submissions):
        return None
    if exclusive and {exposure.expnum, *templates} & _claimed(connection):
        return None
    connection.execute(
        insert(table(SubmissionRow)).values(
            exposure_id=exposure_id,
            attempt=attempt,
            tag=tag,
            engine=engine,
            state=SubmissionState.INTENT.value,
            dag_path=dag_path,
            dag_sha256=dag_sha256,
            templates=list(templates),
            intent_at=at,
        )
    )
    note(
        connection,
        at=at,
        kind="submission",
        subject=tag,
        before=None,
        after=SubmissionState.INTENT.value,
        why="about to be submitted",
        exposure_id=exposure_id,
        season=exposure.season,
    )
    return load_exposure(connection, exposure_id).submissions[-1]


def _claimed(connection: Connection) -> set[int]:
    """The exposures whose single-epoch outputs some DAG in flight writes: its own, and its templates."""
    submissions, exposures = table(SubmissionRow), table(ExposureRow)
    rows = connection.execute(
        select(exposures.c.expnum, submissions.c.templates)
        .join(exposures, exposures.c.id == submissions.c.exposure_id)
        .where(submissions.c.state.in_([state.value for state in IN_FLIGHT]))
    )
    return {number for expnum, templates in rows for number in (expnum, *templates)}


def claim_run(
    connection: Connection,
    *,
    season: int,
    exposure_ids: Sequence[int],
    bands: Sequence[str],
    fingerprint: str,
    skipto: int,
    skipto_reason: str,
    folder_of: str,
    number_after: Callable[[int], int] = lambda known: known + 1,
    asked_by: str | None,
    why: str,
    at: datetime,
    evidence: Sequence[Mapping[str, object]] = (),
    left_out: Mapping[int, str] | None = None,
    retry_of: int | None = None,
) -> PostprocRun | None:
    """Write down that post-processing is about to start, with its exposures. None when it may not any more.

    folder_of: template of its folder, with ``{number}``. number_after: its number, from the highest known.
    evidence: what was weighed for its SKIPTO, a row a start.
    left_out: what does not go in, and why, by exposure id. retry_of: id of the failed run that is tried again.
    """
    if any(run.state in RUN_LIVE for run in load_runs(connection)) or not exposure_ids:
        return None
    members = load_exposures(connection, exposure_ids)
    allowed = {ExposureState.READY, ExposureState.DONE, ExposureState.ATTENTION}
    if any(e.held or e.state not in allowed for e in members) or len(members) != len(exposure_ids):
        return None
    runs = table(PostprocRunRow)
    newest = connection.execute(select(func.max(runs.c.number)).where(runs.c.season == season)).scalar_one()
    number = number_after(newest or 0)
    key = connection.execute(
        insert(runs).values(
            season=season,
            number=number,
            state=RunState.INTENT.value,
            bands=list(bands),
            fingerprint=fingerprint,
            files_fingerprint=files_fingerprint(connection, exposure_ids),
            skipto=skipto,
            skipto_reason=skipto_reason,
            folder=folder_of.format(number=number),
            asked_by=asked_by,
            intent_at=at,
            evidence=[dict(row) for row in evidence],
            retry_of=retry_of,
        )
    ).inserted_primary_key
    assert key is not None
    _note_left_out(connection, key[0], f"run {number} of season {season}", left_out or {}, at)
    note(
        connection,
        at=at,
        kind="postproc_run",
        subject=f"season {season} run {number}",
        before=None,
        after=RunState.INTENT.value,
        why=why,
        who=asked_by or "daemon",
        season=season,
    )
    for exposure in members:
        connection.execute(insert(table(PostprocExposureRow)).values(run_id=key[0], exposure_id=exposure.id))
        into = f"goes into post-processing run {number} of season {season}"
        before = exposure
        if exposure.state is ExposureState.ATTENTION:
            move_exposure(
                connection, exposure, ExposureState.READY, at=at, why="asked for again", who=asked_by or "daemon"
            )
            before = load_exposure(connection, exposure.id)
        move_exposure(connection, before, ExposureState.POSTPROCESSING, at=at, why=into)
    return next(run for run in load_runs(connection) if run.id == key[0])


def _note_left_out(connection: Connection, run_id: int, name: str, left_out: Mapping[int, str], at: datetime) -> None:
    """Keep with the run, and in the history of each, what did not go in. One that is done says so from now on."""
    exposures = load_exposures(connection, left_out.keys())
    runs, rows = table(PostprocRunRow), table(ExposureRow)
    told = dict[str, str]()
    for exposure in exposures:
        why = left_out[exposure.id]
        # One number may be there in two nites.
        number = str(exposure.expnum)
        told[number if number not in told else f"{number} ({exposure.nite})"] = why
        note(
            connection,
            at=at,
            kind="exposure",
            subject=exposure.label,
            before=exposure.state.value,
            after="left out",
            why=f"left out of post-processing {name}: {why}",
            exposure_id=exposure.id,
            season=exposure.season,
        )
        if exposure.state is ExposureState.DONE:
            reason = f"done by an earlier run; left out of post-processing {name}: {why}"
            connection.execute(update(rows).where(rows.c.id == exposure.id).values(reason=reason))
    connection.execute(update(runs).where(runs.c.id == run_id).values(left_out=told))


def note_folders_made(connection: Connection, exposure: Exposure, ccds: Sequence[int], *, at: datetime) -> None:
    """Leave in the history of an exposure which of its folders the daemon has made."""
    names = ", ".join(f"{exposure.band}_{ccd:02d}" for ccd in ccds)
    note(
        connection,
        at=at,
        kind="exposure",
        subject=exposure.label,
        before=exposure.state.value,
        after="folders made",
        why=f"{names} had no folder, of which run_postproc.py dies: empty ones were made (postproc.missing_folders)",
        exposure_id=exposure.id,
        season=exposure.season,
    )


def ask_recheck(connection: Connection, exposure_id: int, *, at: datetime) -> None:
    """Have every CCD and forcefile of an exposure looked at in the next tick."""
    rows = table(ExposureRow)
    connection.execute(update(rows).where(rows.c.id == exposure_id).values(recheck_asked_at=at))


def set_reason(connection: Connection, exposure: Exposure, reason: str) -> None:
    """Write down why an exposure waits, if it has not moved meanwhile. No transition: its state stays."""
    if exposure.reason == reason:
        return
    rows = table(ExposureRow)
    connection.execute(
        update(rows).where(rows.c.id == exposure.id, rows.c.state == exposure.state.value).values(reason=reason)
    )
