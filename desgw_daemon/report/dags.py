"""What the views say of DAGs: each attempt to run one, and each time that it was handed to the engine.

Must stay light (the standard library only) and must not look at anything but the database.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any, cast

from desgw_daemon.report.statustypes import SubmissionStatus, SubmitTryStatus


def newest_submissions(db: sqlite3.Connection, where: str, values: Sequence[object]) -> dict[int, SubmissionStatus]:
    """The newest attempt of each exposure that fits, by its id. where: a condition on v_submission, or nothing."""
    rows = _rows(
        db, f"SELECT exposure_id, {_columns(SubmissionStatus)} FROM v_submission{where} ORDER BY attempt", values
    )
    return {row.pop("exposure_id"): _submission(row) for row in rows}


def submissions_of(db: sqlite3.Connection, exposure_id: int) -> list[SubmissionStatus]:
    """Every attempt of an exposure, the oldest first."""
    query = f"SELECT {_columns(SubmissionStatus)} FROM v_submission WHERE exposure_id = ? ORDER BY attempt"
    return [_submission(row) for row in _rows(db, query, [exposure_id])]


def tries_of(db: sqlite3.Connection, exposure_id: int) -> list[SubmitTryStatus]:
    """Each time that a DAG of an exposure was handed to the engine, the oldest first."""
    query = f"SELECT {_columns(SubmitTryStatus)} FROM v_submit_try WHERE exposure_id = ? ORDER BY attempt, number"
    return [cast(SubmitTryStatus, row) for row in _rows(db, query, [exposure_id])]


def _submission(row: dict[str, Any]) -> SubmissionStatus:
    return cast(SubmissionStatus, row | {"templates": json.loads(row["templates"])})


def _columns(keys: type[Any]) -> str:
    return ", ".join(keys.__annotations__)


def _rows(db: sqlite3.Connection, query: str, values: Sequence[object]) -> list[dict[str, Any]]:
    cursor = db.cursor()
    cursor.row_factory = sqlite3.Row
    return [dict(row) for row in cursor.execute(query, list(values))]
