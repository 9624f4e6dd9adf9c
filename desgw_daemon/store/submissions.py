"""What the engine says of submissions, written down."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from desgw_daemon.domain.snapshot import Submission
from desgw_daemon.domain.states import SubmissionState
from desgw_daemon.store.journal import move_submission
from desgw_daemon.store.load import table
from desgw_daemon.store.tables import SubmissionRow


def submission_of(connection: Connection, submission_id: int) -> Submission:
    """One submission as it stands."""
    rows = table(SubmissionRow)
    row = connection.execute(select(rows).where(rows.c.id == submission_id)).mappings().one()
    return Submission(**{**row, "state": SubmissionState(row["state"])})


def note_absent(connection: Connection, submission: Submission, *, at: datetime) -> None:
    """A successful answer that does not know the tag: the first of two."""
    rows = table(SubmissionRow)
    if submission.state is not SubmissionState.UNKNOWN:
        move_submission(
            connection,
            submission,
            SubmissionState.UNKNOWN,
            at=at,
            why="the queue does not know it (first answer)",
            values={"absent_at": at},
        )
    elif submission.absent_at is None:
        connection.execute(update(rows).where(rows.c.id == submission.id).values(absent_at=at))


def record_status(
    connection: Connection,
    submission: Submission,
    state: SubmissionState,
    *,
    at: datetime,
    why: str,
    values: Mapping[str, Any],
) -> bool:
    """The engine's word on one submission. Returns whether its state changed."""
    if state is not submission.state:
        return move_submission(connection, submission, state, at=at, why=why, values={**values, "as_of": at})
    rows = table(SubmissionRow)
    connection.execute(
        update(rows)
        .where(rows.c.id == submission.id, rows.c.state == submission.state.value)
        .values(**values, as_of=at)
    )
    return False
