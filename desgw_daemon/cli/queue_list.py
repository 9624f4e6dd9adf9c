"""`queue list`: what waits to be made or submitted, in its order. Part of the queue command; reads the views alone."""

from __future__ import annotations

import argparse
import sqlite3
from typing import Any, Final

from desgw_daemon.cli.opening import season_number
from desgw_daemon.cli.output import print_json, print_table
from desgw_daemon.cli.reading import find_place, read

#: The order of the planner: the views show seconds, several exposures are added in one.
_QUERY: Final = """
SELECT v.expnum, v.season, v.nite, v.band, v.state, v.held, v.priority, v.queued_at, v.reason
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
                row["reason"],
            ]
            for row in rows
        ],
        right=["exposure", "season", "prio"],
    )
    return 0


def _rows(db: sqlite3.Connection, season: int | None) -> list[dict[str, Any]]:
    db.row_factory = sqlite3.Row
    return [{**dict(row), "held": bool(row["held"])} for row in db.execute(_QUERY, (season,))]
