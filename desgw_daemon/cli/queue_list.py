"""`queue list`: what waits to be made or submitted, in its order. Part of the queue command; reads the views alone."""

from __future__ import annotations

import argparse
import sqlite3
from typing import Any, Final

from desgw_daemon.cli.opening import season_number
from desgw_daemon.cli.output import print_json, print_table
from desgw_daemon.cli.reading import find_place, read
from desgw_daemon.report.dags import newest_submissions
from desgw_daemon.report.statustypes import SubmissionStatus

#: The order of the planner: the views show seconds, several exposures are added in one.
_QUERY: Final = """
SELECT v.expnum, v.season, v.nite, v.band, v.state, v.held, v.priority, v.queued_at, v.reason, v.disagreement,
  v.exposure_id
FROM v_exposure v JOIN exposure e ON e.id = v.exposure_id
WHERE v.state IN ('queued', 'making', 'submitting') AND (?1 IS NULL OR v.season = ?1)
ORDER BY v.priority DESC, e.queued_at, e.id
"""


def show(args: argparse.Namespace) -> int:
    """Carry out `queue list`. Raises Refused when there is no database yet."""
    season = season_number(args.season) if args.season else None
    rows = read(find_place(args).database, lambda db: _rows(db, season))
    if args.json:
        print_json(rows)
        return 0
    if not rows:
        print("the queue is empty; `desgw-daemon status` shows what has left it")
        return 0
    print_table(
        ["exposure", "band", "nite", "season", "prio", "state", "queued", "reason"],
        [
            [
                str(row["expnum"]),
                row["band"] or "?",
                row["nite"] or "?",
                str(row["season"]),
                str(row["priority"]),
                row["state"] + (" (held)" if row["held"] else ""),
                row["queued_at"],
                _dag(row["submission"]) + row["reason"],
            ]
            for row in rows
        ],
        right=["exposure", "season", "prio"],
    )
    return 0


def _rows(db: sqlite3.Connection, season: int | None) -> list[dict[str, Any]]:
    cursor = db.cursor()
    cursor.row_factory = sqlite3.Row
    rows = [dict(row) for row in cursor.execute(_QUERY, (season,))]
    in_line = "exposure_id IN (SELECT id FROM exposure WHERE state IN ('queued', 'making', 'submitting'))"
    dags = newest_submissions(db, f" WHERE {in_line}", ())
    return [{**row, "held": bool(row["held"]), "submission": dags.get(row["exposure_id"])} for row in rows]


def _dag(submission: SubmissionStatus | None) -> str:
    """Where its newest DAG is, under which id, and how often it was handed over: before the reason."""
    if submission is None:
        return ""
    job = f" as {submission['job_id']}" if submission["job_id"] else ""
    cause = f": {submission['last_cause']}" if submission["last_cause"] else ""
    tries = "1 try" if submission["tries"] == 1 else f"{submission['tries']} tries"
    return f"[DAG {submission['state']}{job}, {tries}{cause}] "
