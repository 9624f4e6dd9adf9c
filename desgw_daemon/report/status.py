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
from desgw_daemon.report.ages import Watch, exposure_age, may_change, read_watch, run_age
from desgw_daemon.report.dags import newest_submissions
from desgw_daemon.report.statustypes import (
    Age,
    AlertStatus,
    CcdCounts,
    ExposureStatus,
    Forcefiles,
    Pause,
    Request,
    RunStatus,
    Status,
    SubmissionStatus,
)

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
    watch = read_watch(db, now=now, interval=interval)
    exposures = read_exposures(db, scope, watch, without)
    seasons = sorted({exposure["season"] for exposure in exposures})
    pauses = list(_rows(db, "SELECT at AS since, who, reason FROM v_pause"))
    return Status(
        as_of=utc(now),
        paused=bool(pauses),
        pause=cast(Pause, dict(pauses[0])) if pauses else None,
        exposures=exposures,
        runs=[run for season in seasons for run in _runs(db, season, watch)],
        requests=_requests(db, seasons),
        alerts=_alerts(db, scope),
        silent=watch.silent,
        last_cycle=watch.last_cycle,
    )


def finished_nites(db: sqlite3.Connection, *, before: datetime) -> dict[Nite, int]:
    """Nites that are all done, without news since `before`, and how many exposures they have."""
    query = "SELECT season, nite, exposures FROM v_night WHERE done = exposures AND news_at < ?"
    return {(row["season"], row["nite"]): row["exposures"] for row in _rows(db, query, [utc(before)])}


def read_exposures(
    db: sqlite3.Connection, scope: Scope, watch: Watch, without: Collection[Nite] = ()
) -> list[ExposureStatus]:
    """The exposures that are asked for, removed ones too (but not of nites that have only those, with `without`)."""
    asked = [(f"{name} = ?", value) for name, value in scope._asdict().items() if value is not None]
    if not without:
        return _exposures(db, asked, watch)
    nites = [(row["season"], row["nite"]) for row in _rows(db, "SELECT season, nite FROM v_night")]
    # SQLite counts the CCDs of a nite at once, and those of 100 seasons in a second.
    return [
        exposure
        for season, nite in sorted(nites, key=lambda known: (known[0], known[1] or _LAST))
        if (season, nite) not in without
        for exposure in _exposures(db, [*asked, ("season = ?", season), ("nite IS ?", nite)], watch)
    ]


def _exposures(db: sqlite3.Connection, asked: Sequence[tuple[str, object]], watch: Watch) -> list[ExposureStatus]:
    where = " WHERE " + " AND ".join(condition for condition, _ in asked) if asked else ""
    wanted = [value for _, value in asked]
    dags = newest_submissions(db, where, wanted)
    rows = _rows(db, f"SELECT * FROM v_exposure{where}", wanted)
    exposures = [_exposure(row, dags.get(row["exposure_id"]), watch) for row in rows]
    return sorted(exposures, key=lambda e: (e["season"], e["nite"] or _LAST, e["expnum"]))


def _exposure(row: sqlite3.Row, submission: SubmissionStatus | None, watch: Watch) -> ExposureStatus:
    changing = may_change(
        pending=row["ccds_pending"],
        found=row["forcefiles_found"],
        expected=row["forcefiles_expected"],
        ready=row["ready"],
        dag=submission and submission["state"],
    )
    age = exposure_age(row["state"], row["as_of"], row["unseen_since"], watch, changing=changing)
    values: dict[str, Any] = {**dict(row), **age} | {
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


def _runs(db: sqlite3.Connection, season: int, watch: Watch) -> Iterator[RunStatus]:
    """The runs of post-processing of a season, the oldest first."""
    columns = ", ".join(name for name in RunStatus.__annotations__ if name not in Age.__annotations__)
    for row in _rows(db, f"SELECT {columns} FROM v_postproc WHERE season = ? ORDER BY number", [season]):
        expnums = sorted(int(expnum) for expnum in (row["expnums"] or "").split())
        age = run_age(row["state"], row["started_at"], row["ended_at"], watch)
        yield cast(RunStatus, dict(row) | {"expnums": expnums, "bands": json.loads(row["bands"]), **age})


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


def _columns(keys: type[Any]) -> str:
    return ", ".join(keys.__annotations__)


def _rows(db: sqlite3.Connection, query: str, values: Sequence[object] = ()) -> Iterable[sqlite3.Row]:
    cursor = db.cursor()
    cursor.row_factory = sqlite3.Row
    return cursor.execute(query, list(values))
