"""`status`: every exposure, what is up, and whether the daemon runs; with EXPNUM, one exposure CCD by CCD.

From the views alone, so that it answers at once, whatever hangs.
"""

from __future__ import annotations

import argparse
import sqlite3
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from desgw_daemon.cli.filters import add_filters

if TYPE_CHECKING:
    from desgw_daemon.cli.oneexposure import CcdStatus
    from desgw_daemon.report.status import Nite
    from desgw_daemon.report.statustypes import Status

#: On a terminal, nites that are all done and have had no news for so long are only counted.
_FOLD_AFTER: Final = timedelta(hours=24)


def add(sub: argparse._SubParsersAction[Any]) -> None:
    """Describe the command."""
    parser = sub.add_parser(
        "status",
        help="every exposure by nite, alerts, runs, and whether the daemon works; or one exposure's CCDs",
        description="Show every exposure, a table for each nite, and below it what is up. With EXPNUM: its CCDs and\n"
        "forcephoto files, one by one. From the database alone: it answers at once, whatever hangs.",
        epilog="OK, FAIL, PEND: CCDs complete, failed, pending (no final sign yet). M/B/L: missing (no folder),\n"
        "broken (empty or foreign tarball), lost (nothing came). Together 59. FILES: forcephoto files found/\n"
        "expected, +n: too many. AS OF: when they were last seen, if that is longer ago than two polls and they\n"
        "may have changed. Times are UTC. A reason that\n"
        "ends in an ellipsis is cut: `desgw-daemon explain EXPNUM` has it whole, and so has a pipe.",
    )
    add_filters(parser, expnum="?")


def run(args: argparse.Namespace) -> int:
    """Print the status. Raises Refused, UsageError, ConfigError, SchemaError."""
    from desgw_daemon.cli.oneexposure import ccd_rows, exposure_lines, runs_of
    from desgw_daemon.cli.output import print_json, print_lines
    from desgw_daemon.cli.reading import find_place, nothing_known, read, scope_of, the_one
    from desgw_daemon.cli.screen import this_screen
    from desgw_daemon.cli.statuspage import status_lines
    from desgw_daemon.report.status import finished_nites, read_status

    scope, place = scope_of(args), find_place(args)
    now = datetime.now(UTC).replace(microsecond=0)
    screen = this_screen(now)
    everything = args.json or screen.width is None or any(scope)

    def ask(db: sqlite3.Connection) -> tuple[Status, dict[Nite, int], list[CcdStatus]]:
        finished = {} if everything else finished_nites(db, before=now - _FOLD_AFTER)
        status = read_status(db, scope, now=now, interval=place.policy.poll_interval, without=finished)
        if scope.expnum is None:
            return status, finished, []
        exposure = the_one(status["exposures"], scope)
        status["runs"] = runs_of(db, exposure, status["runs"])
        return status, finished, ccd_rows(db, exposure)

    status, finished, ccds = read(place.database, ask)
    if any(scope) and not status["exposures"]:
        raise nothing_known(scope)
    if scope.expnum is None:
        if args.json:
            print_json(status)
        else:
            print_lines(status_lines(status, screen, place.policy.poll_interval, finished=finished))
        return 0
    exposure = status["exposures"][0]
    if args.json:
        print_json({**status, "exposures": [{**exposure, "ccd": ccds}]})
    else:
        print_lines(exposure_lines(exposure, ccds, status, screen, place.policy.poll_interval))
    return 0
