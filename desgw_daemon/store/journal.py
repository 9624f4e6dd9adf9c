"""Changes of state, each with its row in `transition`. Nothing else changes a state."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, update

from desgw_daemon.domain.snapshot import Exposure, Making, PostprocRun, Submission
from desgw_daemon.domain.states import (
    SUBMISSION_TRANSITIONS,
    ExposureState,
    MakingState,
    RunState,
    SubmissionState,
    may_follow,
)
from desgw_daemon.store.load import table
from desgw_daemon.store.tables import (
    ExposureRow,
    MakingRow,
    PostprocRunRow,
    SubmissionRow,
    TransitionRow,
)


def note(
    connection: Connection,
    *,
    at: datetime,
    kind: str,
    subject: str,
    before: str | None,
    after: str,
    why: str,
    who: str = "daemon",
    exposure_id: int | None = None,
    ccd: int | None = None,
    season: int | None = None,
) -> None:
    """Add a row to the history."""
    connection.execute(
        insert(table(TransitionRow)).values(
            at=at,
            kind=kind,
            subject=subject,
            before=before,
            after=after,
            why=why,
            who=who,
            exposure_id=exposure_id,
            ccd=ccd,
            season=season,
        )
    )


def move_exposure(
    connection: Connection,
    exposure: Exposure,
    after: ExposureState,
    *,
    at: datetime,
    why: str,
    who: str = "daemon",
    **columns: Any,
) -> bool:
    """Change an exposure's state, if it still is what `exposure` says. Returns whether it was changed.

    columns: further columns to set with it. Raises ValueError for a change that the transition table forbids.
    """
    if not may_follow(exposure.state, after):
        raise ValueError(f"{exposure.label}: {exposure.state} may not become {after}")
    rows = table(ExposureRow)
    done = connection.execute(
        update(rows)
        .where(rows.c.id == exposure.id, rows.c.state == exposure.state.value)
        .values(state=after.value, reason=why, since=at, news_at=at, **columns)
    ).rowcount
    if done:
        note(
            connection,
            at=at,
            kind="exposure",
            subject=exposure.label,
            before=exposure.state.value,
            after=after.value,
            why=why,
            who=who,
            exposure_id=exposure.id,
            season=exposure.season,
        )
    return bool(done)


def move_submission(
    connection: Connection,
    submission: Submission,
    after: SubmissionState,
    *,
    at: datetime,
    why: str,
    who: str = "daemon",
    values: Mapping[str, Any] | None = None,
) -> bool:
    """Change a submission's state, if it still is what `submission` says. Returns whether it was changed.

    The same state with another reason or other values is no change of state, and leaves no transition.
    """
    if after is not submission.state and after not in SUBMISSION_TRANSITIONS[submission.state]:
        raise ValueError(f"{submission.tag}: {submission.state} may not become {after}")
    rows = table(SubmissionRow)
    done = connection.execute(
        update(rows)
        .where(rows.c.id == submission.id, rows.c.state == submission.state.value)
        .values(state=after.value, reason=why, **(values or {}))
    ).rowcount
    if done and after is not submission.state:
        note(
            connection,
            at=at,
            kind="submission",
            subject=submission.tag,
            before=submission.state.value,
            after=after.value,
            why=why,
            who=who,
            exposure_id=submission.exposure_id,
        )
    return bool(done)


def move_making(
    connection: Connection,
    making: Making,
    after: MakingState,
    *,
    at: datetime,
    why: str,
    **columns: Any,
) -> bool:
    """Change the state of a DAGMaker run, if it still is what `making` says."""
    rows = table(MakingRow)
    done = connection.execute(
        update(rows)
        .where(rows.c.id == making.id, rows.c.state == making.state.value)
        .values(state=after.value, reason=why, **columns)
    ).rowcount
    if done:
        note(
            connection,
            at=at,
            kind="dagmaker_run",
            subject=f"DAGMaker run {making.id}",
            before=making.state.value,
            after=after.value,
            why=why,
            exposure_id=making.exposure_id,
        )
    return bool(done)


def move_run(
    connection: Connection,
    run: PostprocRun,
    after: RunState,
    *,
    at: datetime,
    why: str,
    **columns: Any,
) -> bool:
    """Change the state of a run of post-processing, if it still is what `run` says."""
    rows = table(PostprocRunRow)
    done = connection.execute(
        update(rows)
        .where(rows.c.id == run.id, rows.c.state == run.state.value)
        .values(state=after.value, reason=why, **columns)
    ).rowcount
    if done:
        note(
            connection,
            at=at,
            kind="postproc_run",
            subject=f"season {run.season} run {run.number}",
            before=run.state.value,
            after=after.value,
            why=why,
            season=run.season,
        )
    return bool(done)
