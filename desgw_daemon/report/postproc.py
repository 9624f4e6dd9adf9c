"""Runs of post-processing as people and programs are shown them: read from the views by sqlite3 alone.

Must stay light (the standard library only) and must not look at anything but the database.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from typing import Any, Final

#: What each step does, in the words of Post-Processing.
STEP_NAMES: Final = {
    -1: "environment",
    0: "first list, check of the outputs",
    1: "final list",
    2: "forcephoto",
    3: "host match",
    4: "truth table",
    5: "data files",
    6: "plots",
    7: "web pages",
}
#: Columns of v_postproc that hold JSON.
_JSON: Final = ("bands", "evidence", "left_out", "notes")


def read_runs(db: sqlite3.Connection, season: int | None, number: int | None = None) -> list[dict[str, Any]]:
    """The runs that are asked for (None is any), by season and number, with their steps and exposures."""
    runs = []
    query = (
        "SELECT * FROM v_postproc WHERE (?1 IS NULL OR season = ?1) AND (?2 IS NULL OR number = ?2)"
        " ORDER BY season, number"
    )
    for row in _rows(db, query, season, number):
        run = row | {name: json.loads(row[name]) for name in _JSON}
        run["expnums"] = sorted(int(expnum) for expnum in (row["expnums"] or "").split())
        steps = "SELECT step, at, until, seconds FROM v_postproc_step WHERE run_id = ? ORDER BY step"
        run["steps"] = [{"name": STEP_NAMES.get(step["step"], "?")} | step for step in _rows(db, steps, row["run_id"])]
        runs.append(run)
    return runs


def _rows(db: sqlite3.Connection, query: str, *values: object) -> Iterator[dict[str, Any]]:
    cursor = db.cursor()
    cursor.row_factory = sqlite3.Row
    for row in cursor.execute(query, values):
        yield dict(row)
