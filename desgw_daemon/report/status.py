"""What `status` and its like show, as plain values: read from the views by sqlite3 alone, at once.

Must stay light (the standard library only) and must not look at anything but the database.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, cast

from desgw_daemon.domain.times import utc
from desgw_daemon.report.dags import newest_submissions
from desgw_daemon.report.statustypes import (
    AlertStatus,
    CcdCounts,
    Cycle,
    ExposureStatus,
    Forcefiles,
    Pause,
    Request,
    RunStatus,
    Silence,
    Status,
    SubmissionStatus,
)

#: A last cycle that began longer ago than so many poll intervals is overdue: the daemon seems not to run.
OVERDUE_AFTER: Final = 3
#: ... but never sooner than this: a cycle that starts many things takes its time, however short the interval.
OVERDUE_AT_LEAST: Final = timedelta(seconds=15)
#: What follows when something does not answer.
_MEANS: Final = {
    "pnfs": "what is said of CCDs and files is as of then",
    "engine": "what is said of DAGs is as of then; nothing is taken for ended or lost, and new ones wait",
    "workflow": "nothing is made or submitted that needs it",
    "postprocessing": "no run is started, and none that goes on is taken for dead",
    "making": "no DAG is made; what is made, watched or post-processed goes on",
}
#: Sorted behind every nite: those whose nite is not known yet.
_LAST: Final = "unknown"


class Scope(NamedTuple):
    """What is asked for; None is any."""

    season: int | None = None
    nite: str | None = None
    expnum: int | None = None


#: A nite of a season; None for exposures whose nite is not known yet.
Nite = tuple[int, str | None]


def read_status(
    db: sqlite3.Connection, scope: Scope, *, now: datetime, interval: timedelta, without: Collection[Nite] = ()
) -> Status:
    """The status of what is asked for, in the order season, nite, expnum. `interval`: of the polls.

    without: nites to leave out (see `finished_nites`).
    """
    exposures = read_exposures(db, scope, without)
    seasons = sorted({exposure["season"] for exposure in exposures})
    pauses = list(_rows(db, "SELECT at AS since, who, reason FROM v_pause"))
    return Status(
        as_of=utc(now),
        paused=bool(pauses),
        pause=cast(Pause, dict(pauses[0])) if pauses else None,
        exposures=exposures,
        runs=[run for season in seasons for run in _runs(db, season)],
        requests=_requests(db, seasons),
        alerts=_alerts(db, scope),
        silent=_silent(db),
        last_cycle=_last_cycle(db, now, interval),
    )


def finished_nites(db: sqlite3.Connection, *, before: datetime) -> dict[Nite, int]:
    """Nites that are all done, without news since `before`, and how many exposures they have."""
    query = "SELECT season, nite, exposures FROM v_night WHERE done = exposures AND news_at < ?"
    return {(row["season"], row["nite"]): row["exposures"] for row in _rows(db, query, [utc(before)])}


def read_exposures(db: sqlite3.Connection, scope: Scope, without: Collection[Nite] = ()) -> list[ExposureStatus]:
    """The exposures that are asked for, removed ones too (but not of nites that have only those, with `without`)."""
    asked = [(f"{name} = ?", value) for name, value in scope._asdict().items() if value is not None]
    if not without:
        return _exposures(db, asked)
    nites = [(row["season"], row["nite"]) for row in _rows(db, "SELECT season, nite FROM v_night")]
    # SQLite counts the CCDs of a nite at once, and those of 100 seasons in a second.
    return [
        exposure
        for season, nite in sorted(nites, key=lambda known: (known[0], known[1] or _LAST))
        if (season, nite) not in without
        for exposure in _exposures(db, [*asked, ("season = ?", season), ("nite IS ?", nite)])
    ]


def _exposures(db: sqlite3.Connection, asked: Sequence[tuple[str, object]]) -> list[ExposureStatus]:
    where = " WHERE " + " AND ".join(condition for condition, _ in asked) if asked else ""
    wanted = [value for _, value in asked]
    dags = newest_submissions(db, where, wanted)
    rows = _rows(db, f"SELECT * FROM v_exposure{where}", wanted)
    exposures = [_exposure(row, dags.get(row["exposure_id"])) for row in rows]
    return sorted(exposures, key=lambda e: (e["season"], e["nite"] or _LAST, e["expnum"]))


def _exposure(row: sqlite3.Row, submission: SubmissionStatus | None) -> ExposureStatus:
    values = dict(row) | {
        "submission": submission,
        "held": bool(row["held"]),
        "watch_only": bool(row["watch_only"]),
        "problem": row["unseen_problem"],
        "ccds": cast(CcdCounts, {name: row[f"ccds_{name}"] for name in CcdCounts.__annotations__}),
        "forcefiles": Forcefiles(
            expected=row["forcefiles_expected"],
            found=row["forcefiles_found"],
            missing=json.loads(row["forcefiles_missing"]),
            surplus=json.loads(row["forcefiles_surplus"]),
        ),
    }
    return cast(ExposureStatus, {name: values[name] for name in ExposureStatus.__annotations__})


def _runs(db: sqlite3.Connection, season: int) -> Iterator[RunStatus]:
    """The runs of post-processing of a season, the oldest first."""
    for row in _rows(db, f"SELECT {_columns(RunStatus)} FROM v_postproc WHERE season = ? ORDER BY number", [season]):
        expnums = sorted(int(expnum) for expnum in (row["expnums"] or "").split())
        yield cast(RunStatus, dict(row) | {"expnums": expnums, "bands": json.loads(row["bands"])})


def _requests(db: sqlite3.Connection, seasons: Sequence[int]) -> list[Request]:
    query = f"SELECT {_columns(Request)} FROM v_request WHERE kind = 'postproc' AND answered_at IS NULL ORDER BY season"
    return [cast(Request, dict(row)) for row in _rows(db, query) if row["season"] in seasons]


def _alerts(db: sqlite3.Connection, scope: Scope) -> list[AlertStatus]:
    """Those that are up, critical ones first; one that is about no exposure or season in particular is everybody's."""
    order = "severity = 'info', severity <> 'critical', raised_at, key"
    query = f"SELECT {_columns(AlertStatus)} FROM v_alert WHERE cleared_at IS NULL ORDER BY {order}"
    return [
        cast(AlertStatus, dict(row) | {"active": bool(row["active"])})
        for row in _rows(db, query)
        if all(value is None or row[name] in (None, value) for name, value in scope._asdict().items())
    ]


def _last_cycle(db: sqlite3.Connection, now: datetime, interval: timedelta) -> Cycle | None:
    for row in _rows(db, "SELECT * FROM v_poll ORDER BY id DESC LIMIT 1"):
        age = now - datetime.fromisoformat(row["started_at"])
        return Cycle(
            started_at=row["started_at"],
            ended_at=row["ended_at"],
            age_seconds=age.total_seconds(),
            overdue=age > max(OVERDUE_AFTER * interval, OVERDUE_AT_LEAST),
            listings=row["listings"],
            stats=row["stats"],
            reads=row["reads"],
            error=row["error"],
        )
    return None


def _silent(db: sqlite3.Connection) -> list[Silence]:
    """What did not answer in the newest cycle that came so far as to ask, and since which cycle it has not."""
    asked = "SELECT * FROM v_poll WHERE look_seconds IS NOT NULL"
    found = []
    for newest in _rows(db, f"{asked} ORDER BY id DESC LIMIT 1"):
        for what in ("pnfs", "engine", "workflow", "postprocessing", "making"):
            problem = newest[f"{what}_problem"]
            if problem is None:
                continue
            good = [row["id"] for row in _rows(db, f"{asked} AND {what}_problem IS NULL ORDER BY id DESC LIMIT 1")]
            first = _rows(db, f"{asked} AND id > ? ORDER BY id LIMIT 1", good or [0])
            found += [Silence(what=what, since=row["started_at"], problem=problem, means=_MEANS[what]) for row in first]
    return found


def _columns(keys: type[Any]) -> str:
    return ", ".join(keys.__annotations__)


def _rows(db: sqlite3.Connection, query: str, values: Sequence[object] = ()) -> Iterable[sqlite3.Row]:
    cursor = db.cursor()
    cursor.row_factory = sqlite3.Row
    return cursor.execute(query, list(values))
