"""Reading what is written down of DAGs: submissions, their jobs, the tries, and DAGs of others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, select

from desgw_daemon.domain.states import SubmissionState
from desgw_daemon.domain.submissions import ForeignDag, Submission, SubmitTry
from desgw_daemon.store.tables import DagNodeRow, ExposureRow, ForeignDagRow, SubmissionRow, SubmitTryRow, table

#: Of the submissions that were tried, the newest so many are looked at for a cause that they share.
_NEWEST_TRIES: Final = 100


def submission_from(row: Mapping[str, Any]) -> Submission:
    """A submission from its row."""
    return Submission(
        **{**row, "state": SubmissionState(row["state"]), "templates": tuple(row["templates"])},
    )


def load_nodes(connection: Connection, exposures: list[int]) -> dict[int, list[Any]]:
    """The jobs of the DAG of each exposure's present attempt."""
    nodes, submissions, rows = table(DagNodeRow), table(SubmissionRow), table(ExposureRow)
    found: dict[int, list[Any]] = defaultdict(list)
    query = (
        select(submissions.c.exposure_id, *(column for column in nodes.c if column.name != "submission_id"))
        .select_from(
            nodes.join(submissions, submissions.c.id == nodes.c.submission_id).join(
                rows, (rows.c.id == submissions.c.exposure_id) & (rows.c.attempt == submissions.c.attempt)
            )
        )
        .order_by(nodes.c.name, nodes.c.process)
    )
    for some in slices(exposures):
        for values in connection.execute(query.where(submissions.c.exposure_id.in_(some))).mappings():
            row = dict(values)
            found[row.pop("exposure_id")].append(row)
    return found


def load_tries(connection: Connection) -> tuple[SubmitTry, ...]:
    """The newest tries, and all of those submissions that are not queued yet."""
    tries, submissions = table(SubmitTryRow), table(SubmissionRow)
    newest = select(tries.c.id).order_by(tries.c.id.desc()).limit(_NEWEST_TRIES)
    open_ = select(submissions.c.id).where(
        submissions.c.state.in_(
            [state.value for state in (SubmissionState.INTENT, SubmissionState.SUBMITTING, SubmissionState.UNKNOWN)]
        )
    )
    query = select(tries).where(tries.c.id.in_(newest) | tries.c.submission_id.in_(open_)).order_by(tries.c.id)
    return tuple(SubmitTry(**row) for row in connection.execute(query).mappings())


def load_foreign_dags(connection: Connection) -> tuple[ForeignDag, ...]:
    """DAGs in the queue that are not those in flight here."""
    rows = table(ForeignDagRow)
    query = select(rows).order_by(rows.c.tag, rows.c.job_id)
    return tuple(ForeignDag(**row) for row in connection.execute(query).mappings())


def slices(ids: list[int]) -> list[list[int]]:
    """SQLite takes 32,766 variables: lists of ids are bound far below that."""
    return [ids[i : i + 5000] for i in range(0, len(ids), 5000)]
