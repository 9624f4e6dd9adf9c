"""`history EXPNUM`: every change of state of an exposure, its DAGMaker runs and its submissions, oldest first."""

from __future__ import annotations

import argparse
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

from desgw_daemon.cli.filters import add_filters

if TYPE_CHECKING:
    from desgw_daemon.cli.nights import Line
    from desgw_daemon.cli.screen import Screen
    from desgw_daemon.report.statustypes import ExposureStatus


def add(sub: argparse._SubParsersAction[Any]) -> None:
    """Describe the command."""
    parser = sub.add_parser(
        "history",
        help="one exposure: every change of state, when and why",
        description="Show every change of state of an exposure, oldest first. What its CCDs did is summed up for each\n"
        "minute, or shown one by one with --ccds.",
    )
    add_filters(parser, expnum=None)
    parser.add_argument("--ccds", action="store_true", help="a line for each CCD, too")


def run(args: argparse.Namespace) -> int:
    """Print the history. Raises Refused, UsageError, ConfigError, SchemaError."""
    from desgw_daemon.cli.output import print_json, print_lines
    from desgw_daemon.cli.reading import find_place, label, read, scope_of, the_one
    from desgw_daemon.cli.screen import this_screen
    from desgw_daemon.report.ages import read_watch
    from desgw_daemon.report.status import read_exposures

    scope, place = scope_of(args), find_place(args)
    now = datetime.now(UTC).replace(microsecond=0)

    def ask(db: sqlite3.Connection) -> tuple[ExposureStatus, list[dict[str, Any]]]:
        watch = read_watch(db, now=now, interval=place.policy.poll_interval)
        exposure = the_one(read_exposures(db, scope, watch), scope)
        cursor = db.cursor()
        cursor.row_factory = sqlite3.Row
        query = (
            "SELECT at, kind, ccd, subject, before, after, why, who FROM v_history WHERE exposure_id = ? ORDER BY id"
        )
        return exposure, [dict(row) for row in cursor.execute(query, [exposure["exposure_id"]])]

    exposure, changes = read(place.database, ask)
    shown = changes if args.ccds else list(summed_up(changes))
    if args.json:
        print_json({"exposure": exposure, "changes": shown})
        return 0
    screen = this_screen(now)
    print_lines([(label(exposure), "bold"), *(change_line(change, screen) for change in shown)])
    return 0


def summed_up(changes: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The changes, with those of CCDs that come together within a minute made one: kind `ccds`, `counts` by state."""
    for (kind, _), group in groupby(changes, key=lambda change: (change["kind"], _minute(change))):
        rows = list(group)
        if kind != "ccd":
            yield from rows
            continue
        counts = Counter(row["after"] for row in rows)
        steps = Counter(row["why"] for row in rows if row["after"] != "complete")
        yield {
            "at": rows[-1]["at"],
            "kind": "ccds",
            "ccd": None,
            "subject": "CCDs",
            "before": None,
            "after": ", ".join(f"{number} {state}" for state, number in counts.most_common()),
            "why": "; ".join(f"{number} x {why}" for why, number in steps.most_common(5)),
            "who": rows[0]["who"],
            "counts": dict(counts),
        }


def _minute(change: dict[str, Any]) -> str | None:
    """Of what is summed up; each other change stands for itself."""
    return change["at"][: len("2026-11-22T02:14")] if change["kind"] == "ccd" else None


def change_line(change: dict[str, Any], screen: Screen) -> Line:
    """One change as a line: when, what, from, to, why, and who if it was a person."""
    start = f"  {screen.when(change['at'])}  "
    what = {"exposure": "", "dagmaker_run": "DAGMaker ", "submission": "submission ", "ccds": "CCDs: "}.get(
        change["kind"], f"{change['subject']} "
    )
    moved = f"{change['before']} -> {change['after']}" if change["before"] else change["after"]
    who = "" if change["who"] == "daemon" else f" (by {change['who']})"
    why = f": {change['why']}" if change["why"] else ""
    bad = change["kind"] == "exposure" and change["after"] == "attention"
    text = screen.wrapped(screen.said(f"{what}{moved}{why}{who}"), first=start, indent=len(start))
    return text, "red" if bad else "dim" if change["kind"] in ("ccd", "ccds") else None
