"""The report of a night, as values: what was worked on, what came of it, what needs a person. From the views alone.

Must stay light (the standard library only) and must not look at anything but the database.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final

from desgw_daemon.domain.nights import Night
from desgw_daemon.domain.times import utc

#: Between two cycles: with more the daemon did not run, or hung.
_GAP: Final = timedelta(minutes=15)
_WORK: Final = "('exposure', 'ccd', 'dagmaker_run', 'submission', 'postproc_run')"
_SLOWEST: Final = 3


def read_night(db: sqlite3.Connection, night: Night) -> dict[str, Any]:
    """All of it."""
    since, until = utc(night.since), utc(night.until)
    exposures = list(_exposures(db, night, since))
    ids = ",".join(str(row["exposure_id"]) for row in exposures)
    return {
        "nite": night.nite,
        "since": since,
        "until": until,
        "exposures": len(exposures),
        "states": _count(row["state"] for row in exposures),
        "ccds": {
            state: sum(row[f"ccds_{state}"] for row in exposures)
            for state in ("complete", "failed", "missing", "broken", "lost", "pending")
        },
        "failures": list(
            _rows(
                db,
                "SELECT state, step, count(*) AS ccds, count(DISTINCT season || nite || expnum) AS exposures"
                f" FROM v_failures WHERE (season, nite, expnum) IN (SELECT season, nite, expnum FROM v_exposure"
                f" WHERE exposure_id IN ({ids})) GROUP BY state, step ORDER BY ccds DESC",
            )
        ),
        "runs": list(
            _rows(
                db,
                "SELECT season, number, state, result, step, exposures, reason, started_at, ended_at FROM v_postproc"
                " WHERE ended_at IS NULL OR ended_at >= ? ORDER BY season, number",
                since,
            )
        ),
        "alerts": list(
            _rows(
                db,
                "SELECT rule, key, severity, text, since, raised_at, cleared_at, acked_at FROM v_alert"
                " WHERE active AND (cleared_at IS NULL OR cleared_at >= ? OR raised_at >= ?)"
                " ORDER BY severity <> 'critical', raised_at",
                since,
                since,
            )
        ),
        "attention": list(
            _rows(db, "SELECT season, nite, expnum, band, kind, reason, since FROM v_attention ORDER BY expnum")
        ),
        "slow_dags": list(
            _rows(
                db,
                "SELECT expnum, band, submitted_at, ended_at,"
                " CAST(86400 * (julianday(ended_at) - julianday(submitted_at)) AS INTEGER) AS seconds FROM v_submission"
                " WHERE ended_at >= ? AND submitted_at IS NOT NULL ORDER BY seconds DESC LIMIT ?",
                since,
                _SLOWEST,
            )
        ),
        "cycles": _cycles(db, since, until),
    }


def _exposures(db: sqlite3.Connection, night: Night, since: str) -> Iterator[dict[str, Any]]:
    """Those that something happened to, and those of this nite."""
    worked_on = f"SELECT exposure_id FROM v_history WHERE at >= ? AND kind IN {_WORK} AND exposure_id IS NOT NULL"
    query = f"SELECT * FROM v_exposure WHERE state <> 'removed' AND (nite = ? OR exposure_id IN ({worked_on}))"
    yield from _rows(db, query, night.nite, since)


def _cycles(db: sqlite3.Connection, since: str, until: str) -> dict[str, Any]:
    rows = list(_rows(db, "SELECT started_at, seconds FROM v_poll WHERE started_at >= ? ORDER BY id", since))
    times = [since, *(row["started_at"] for row in rows), until]
    gaps = [
        {"from": before, "to": after}
        for before, after in pairwise(times)
        if datetime.fromisoformat(after) - datetime.fromisoformat(before) > _GAP
    ]
    return {"count": len(rows), "longest": max((row["seconds"] or 0 for row in rows), default=0), "gaps": gaps}


def _count(names: Iterator[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return counts


def _rows(db: sqlite3.Connection, query: str, *values: object) -> Iterator[dict[str, Any]]:
    cursor = db.cursor()
    cursor.row_factory = sqlite3.Row
    for row in cursor.execute(query, values):
        yield dict(row)
