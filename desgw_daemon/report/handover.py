"""The hand-over of a season's post-processing, for whoever comes in the morning: as values, from the database alone.

What went into which run, what was left out and why, where CCDs failed, how long it took, what needs a person.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from desgw_daemon.domain.alertrules import OF_EACH_EXPOSURE
from desgw_daemon.domain.times import age, utc
from desgw_daemon.report.postproc import read_runs

#: A command in a reason or an alert; those with a word to fill in are shown all the same.
_COMMAND: Final = re.compile("`(desgw-daemon [^`]*)`")
#: A cycle may take its time; with the last one so long ago, the daemon does not run.
_AWAY: Final = timedelta(minutes=15)
#: Exposures in these states come into a run, or have come, without anybody's doing.
_TO_COME: Final = ("queued", "making", "submitting", "processing")


def read_handover(db: sqlite3.Connection, season: int, *, now: datetime) -> dict[str, Any]:
    """All of it; `exposures` is empty for a season that has none."""
    db.row_factory = sqlite3.Row
    runs = read_runs(db, season)
    exposures = list(_exposures(db, season, runs))
    good = next((run for run in reversed(runs) if run["state"] == "done"), None)
    last = db.execute("SELECT max(started_at) FROM v_poll").fetchone()[0]
    return {
        "season": season,
        "as_of": utc(now),
        "last_cycle": last,
        "nites": sorted({e["nite"] for e in exposures if e["nite"]}),
        "summary": _summary(exposures, good),
        "needs_person": [*_daemon_is_away(last, now), *_needs_person(db, season)],
        "exposures": exposures,
        "runs": runs,
        "failures": _failures(db, season),
    }


def _summary(exposures: Sequence[Mapping[str, Any]], good: Mapping[str, Any] | None) -> dict[str, Any]:
    count = {
        "exposures": len(exposures),
        "in_last_good_run": sum(good is not None and good["number"] in e["runs"] for e in exposures),
        "ready": sum(e["state"] == "ready" for e in exposures),
        "postprocessing": sum(e["state"] == "postprocessing" for e in exposures),
        "attention": sum(e["state"] == "attention" for e in exposures),
        "still_to_come": sum(e["state"] in _TO_COME for e in exposures),
        "held": sum(e["held"] for e in exposures),
    }
    return count | {"last_good_run": None if good is None else good["number"]}


def _exposures(db: sqlite3.Connection, season: int, runs: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Each with the runs it was in, and why it is not in the last that ended well, or in none."""
    inside = defaultdict[int, list[int]](list)
    members = "SELECT exposure_id, number FROM v_postproc_exposure WHERE season = ? ORDER BY number"
    for row in db.execute(members, [season]):
        inside[row["exposure_id"]].append(row["number"])
    good = next((run["number"] for run in reversed(runs) if run["state"] == "done"), None)
    told: dict[str, str] = next((run["left_out"] for run in runs if run["number"] == good), {})
    query = "SELECT * FROM v_exposure WHERE season = ? AND state <> 'removed' ORDER BY expnum, nite"
    for row in db.execute(query, [season]):
        numbers = inside[row["exposure_id"]]
        why = None
        if good is None or good not in numbers:
            # The run has kept its own words; what is true of the exposure now is newer where it still goes on.
            kept = told.get(str(row["expnum"])) if row["state"] == "done" else None
            why = kept or row["reason"]
        yield {
            "expnum": row["expnum"],
            "band": row["band"],
            "nite": row["nite"],
            "state": row["state"],
            "held": bool(row["held"]),
            "reason": row["reason"],
            "since": row["since"],
            "runs": numbers,
            "left_out": why,
            "ccds": {
                name: row[f"ccds_{name}"] for name in ("complete", "failed", "missing", "broken", "lost", "pending")
            },
            "forcefiles": {
                "expected": row["forcefiles_expected"],
                "found": row["forcefiles_found"],
                "missing": json.loads(row["forcefiles_missing"]),
            },
        }


def _daemon_is_away(last_cycle: str | None, now: datetime) -> Iterator[dict[str, Any]]:
    """Without the daemon nothing goes on, and no alert says so."""
    if last_cycle is None or now - datetime.fromisoformat(last_cycle) < _AWAY:
        return
    ago = age(now - datetime.fromisoformat(last_cycle))
    why = (
        f"the daemon's last cycle began {ago} ago, so it seems not to run, and what stands here is as old:"
        " `desgw-daemon run` starts it"
    )
    yield _wanted("daemon", "critical", last_cycle, why, None)


def _needs_person(db: sqlite3.Connection, season: int) -> Iterator[dict[str, Any]]:
    """Each with the commands to type: alerts of the season and of everything, exposures, holds, a pause."""
    alerts = list(
        db.execute(
            "SELECT * FROM v_alert WHERE cleared_at IS NULL AND (season = ? OR season IS NULL)"
            # Those that are told exposure by exposure below.
            f" AND rule NOT IN ({', '.join('?' * len(OF_EACH_EXPOSURE))}) AND severity <> 'info'"
            " ORDER BY severity <> 'critical', raised_at, key",
            [season, *OF_EACH_EXPOSURE],
        )
    )
    for row in alerts:
        yield _wanted(row["rule"], row["severity"], row["raised_at"], row["text"], None)
    run_failed = any(row["rule"] == "postproc_failed" for row in alerts)
    for row in db.execute("SELECT * FROM v_attention WHERE season = ? ORDER BY expnum, nite", [season]):
        # Those of a failed run are in its alert, all together.
        if run_failed and row["reason"].startswith("post-processing run "):
            continue
        more = ""
        if row["kind"] == "disagreement":
            more = f". Nothing is done about it by itself: `desgw-daemon status {row['expnum']} --season {season}`"
        yield _wanted(row["kind"], "warning", row["since"], row["reason"] + more, row)
    held = "SELECT * FROM v_exposure WHERE season = ? AND held AND state <> 'removed' ORDER BY expnum, nite"
    for row in db.execute(held, [season]):
        why = f"somebody holds it ({row['hold_reason'] or 'no reason was given'}):"
        text = f"{why} `desgw-daemon queue release {row['expnum']} --season {season}` lets it go on"
        yield _wanted("held", "info", row["since"], text, row)
    if not any(row["rule"] == "paused" for row in alerts):
        for row in db.execute("SELECT * FROM v_pause"):
            text = f"everything is paused: {row['reason']} (by {row['who']}): `desgw-daemon resume` goes on"
            yield _wanted("paused", "warning", row["at"], text, None)


def _wanted(what: str, severity: str, since: str, why: str, exposure: sqlite3.Row | None) -> dict[str, Any]:
    whose = {name: None if exposure is None else exposure[name] for name in ("expnum", "band", "nite")}
    # The same command may be named twice.
    commands = list(dict.fromkeys(_COMMAND.findall(why)))
    return {"what": what, "severity": severity, "since": since, **whose, "why": why, "commands": commands}


def _failures(db: sqlite3.Connection, season: int) -> dict[str, Any]:
    """How many CCDs failed, at which step and on which host; and those without a sign."""
    of_season = "FROM v_failures WHERE season = ?"
    by_step = (
        "SELECT step, count(*) AS ccds, count(DISTINCT nite || expnum) AS exposures, count(DISTINCT host) AS hosts"
        f" {of_season} AND state = 'failed' GROUP BY step ORDER BY ccds DESC, step"
    )
    by_host = (
        "SELECT host, count(*) AS ccds, count(DISTINCT nite || expnum) AS exposures, count(DISTINCT step) AS steps"
        f" {of_season} AND state = 'failed' GROUP BY host ORDER BY ccds DESC, host"
    )
    signless = (
        "SELECT state, count(*) AS ccds, count(DISTINCT nite || expnum) AS exposures"
        f" {of_season} AND state <> 'failed' GROUP BY state ORDER BY ccds DESC, state"
    )
    return {
        name: [dict(row) for row in db.execute(query, [season])]
        for name, query in (("by_step", by_step), ("by_host", by_host), ("without_result", signless))
    }
