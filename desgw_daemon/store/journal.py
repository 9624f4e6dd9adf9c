"""Changes of state, each with its row in `transition`. Nothing else changes a state."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, insert, update
from sqlmodel import SQLModel

from desgw_daemon.domain.runs import PostprocRun
from desgw_daemon.domain.snapshot import Exposure
from desgw_daemon.domain.states import (
    SUBMISSION_TRANSITIONS,
    ExposureState,
    MakingState,
    RunState,
    SubmissionState,
    may_follow,
)
from desgw_daemon.domain.submissions import Making, Submission
from desgw_daemon.store.tables import (
    ExposureRow,
    MakingRow,
    PostprocRunRow,
    SubmissionRow,
    TransitionRow,
    table,
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
    done = _set_state(connection, ExposureRow, exposure, after, why, {"since": at, "news_at": at, **columns})
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
    return done


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
    before = submission.state
    if after is not before and after not in SUBMISSION_TRANSITIONS[before]:
        raise ValueError(f"{submission.tag}: {before} may not become {after}")
    done = _set_state(connection, SubmissionRow, submission, after, why, values or {})
    if done and after is not before:
        note(
            connection,
            at=at,
            kind="submission",
            subject=submission.tag,
            before=before.value,
            after=after.value,
            why=why,
            who=who,
            exposure_id=submission.exposure_id,
        )
    return done


def move_making(
    connection: Connection, making: Making, after: MakingState, *, at: datetime, why: str, **columns: Any
) -> bool:
    """Change the state of a DAGMaker run, if it still is what `making` says."""
    done = _set_state(connection, MakingRow, making, after, why, columns)
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
    return done


def move_run(
    connection: Connection, run: PostprocRun, after: RunState, *, at: datetime, why: str, **columns: Any
) -> bool:
    """Change the state of a run of post-processing, if it still is what `run` says."""
    done = _set_state(connection, PostprocRunRow, run, after, why, columns)
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
    return done


def _set_state(
    connection: Connection,
    model: type[SQLModel],
    known: Exposure | Submission | Making | PostprocRun,
    after: StrEnum,
    why: str,
    columns: Mapping[str, Any],
) -> bool:
    """Set state and reason of a row that still is in the state that is known of it."""
    rows = table(model)
    return bool(
        connection.execute(
            update(rows)
            .where(rows.c.id == known.id, rows.c.state == known.state.value)
            .values(state=after.value, reason=why, **columns)
        ).rowcount
    )
