"""What the engine says of submissions, written down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from desgw_daemon.domain.states import SubmissionState
from desgw_daemon.domain.submissions import DagNode, ForeignDag, Submission
from desgw_daemon.store.journal import move_submission
from desgw_daemon.store.load_dags import submission_from
from desgw_daemon.store.tables import DagNodeRow, ForeignDagRow, SubmissionRow, SubmitTryRow, table


def submission_of(connection: Connection, submission_id: int) -> Submission:
    """One submission as it stands."""
    rows = table(SubmissionRow)
    row = connection.execute(select(rows).where(rows.c.id == submission_id)).mappings().one()
    return submission_from(dict(row))


def begin_try(connection: Connection, submission: Submission, *, at: datetime) -> int:
    """Write down that a submission is handed to the engine now; the number of this try.

    One that has no end yet is the same try, taken up again.
    """
    rows = table(SubmitTryRow)
    mine = select(rows.c.number, rows.c.ended_at).where(rows.c.submission_id == submission.id)
    last = connection.execute(mine.order_by(rows.c.number.desc()).limit(1)).first()
    if last is not None and last.ended_at is None:
        return int(last.number)
    number = 1 if last is None else int(last.number) + 1
    connection.execute(insert(rows).values(submission_id=submission.id, number=number, started_at=at))
    return number


def refused_alone(connection: Connection, submission: Submission) -> int:
    """How often a submission was refused for a cause that passes, if others were taken since its first try; else 0.

    As long as nothing is taken the trouble is not this DAG's.
    """
    rows = table(SubmitTryRow)
    mine = rows.c.submission_id == submission.id
    first = connection.execute(select(func.min(rows.c.id)).where(mine)).scalar()
    taken = select(func.count()).where(rows.c.id > first, rows.c.outcome == "accepted")
    if first is None or connection.execute(taken).scalar() == 0:
        return 0
    refused = select(func.count()).where(mine, rows.c.outcome == "transient")
    return int(connection.execute(refused).scalar_one())


def end_try(
    connection: Connection, submission: Submission, *, at: datetime, outcome: str, cause: str | None, text: str
) -> None:
    """What came of the try that has no end yet; nothing happens when there is none."""
    rows = table(SubmitTryRow)
    connection.execute(
        update(rows)
        .where(rows.c.submission_id == submission.id, rows.c.ended_at.is_(None))
        .values(ended_at=at, outcome=outcome, cause=cause, text=text)
    )


def record_nodes(connection: Connection, submission_id: int, nodes: Sequence[DagNode], *, at: datetime) -> None:
    """What became of the jobs of a DAG that has ended."""
    rows, submissions = table(DagNodeRow), table(SubmissionRow)
    connection.execute(delete(rows).where(rows.c.submission_id == submission_id))
    if nodes:
        connection.execute(insert(rows), [{"submission_id": submission_id, **asdict(node)} for node in nodes])
    connection.execute(update(submissions).where(submissions.c.id == submission_id).values(nodes_at=at))


def set_foreign_dags(connection: Connection, found: Sequence[ForeignDag]) -> None:
    """The DAGs of others that live in the queue; those that were known keep the time when they were first seen."""
    rows = table(ForeignDagRow)
    first = {
        (row.tag, row.job_id): row.first_seen
        for row in connection.execute(select(rows.c.tag, rows.c.job_id, rows.c.first_seen))
    }
    connection.execute(delete(rows))
    if found:
        connection.execute(
            insert(rows),
            [{**asdict(dag), "first_seen": first.get((dag.tag, dag.job_id), dag.first_seen)} for dag in found],
        )


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
