"""`alerts report`: the report of the night as it is sent, up to now. Part of the alerts command; reads views alone."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import Any


def add(what: argparse._SubParsersAction[Any]) -> None:
    """Describe the command."""
    parser = what.add_parser(
        "report",
        help="the report of the night, as it is sent in the morning",
        description="Show what the report of the night says, for the last day up to now. From the database alone.",
    )
    parser.add_argument("--json", action="store_true")
    parser.set_defaults(run=show)


def show(args: argparse.Namespace) -> int:
    """Carry it out. Raises Refused when there is no database yet, ConfigError, SchemaError."""
    from desgw_daemon.cli.output import print_json
    from desgw_daemon.cli.reading import find_place, read
    from desgw_daemon.decide.morning import last_night
    from desgw_daemon.report.night import read_night
    from desgw_daemon.report.nighttext import night_text, summary

    night = last_night(None, datetime.now(UTC).replace(microsecond=0))
    seen = read(find_place(args).database, lambda db: read_night(db, night))
    if args.json:
        print_json(seen)
    else:
        print(f"Night {seen['nite']}: {summary(seen)}\n{night_text(seen)}")
    return 0
