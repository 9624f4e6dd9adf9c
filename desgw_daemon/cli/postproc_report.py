"""`postproc report`: the hand-over of a season, for the morning; from the database alone."""

from __future__ import annotations

import argparse
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from desgw_daemon.cli.opening import season_number
from desgw_daemon.errors import Refused


def add(what: argparse._SubParsersAction[Any]) -> None:
    """Describe the command."""
    report = what.add_parser(
        "report",
        help="the hand-over of a season: what went in, what was left out, failures, times, what needs a person",
        description="Print the hand-over of a season as markdown: what needs a person, with the commands; what went\n"
        "into which run; what was left out and why; run times; CCD failures by step and by host.",
    )
    report.add_argument("--season", required=True, metavar="N")
    report.add_argument("--json", action="store_true", help="the same as JSON")
    report.add_argument("--output", metavar="FILE", type=Path, help="into this file instead of the terminal")
    report.set_defaults(run=_report)


def _report(args: argparse.Namespace) -> int:
    from desgw_daemon.cli.reading import find_place, read
    from desgw_daemon.report.handover import read_handover
    from desgw_daemon.report.handovertext import as_markdown

    season = season_number(args.season)
    now = datetime.now(UTC).replace(microsecond=0)
    handover = read(find_place(args).database, lambda db: read_handover(db, season, now=now))
    if not handover["exposures"]:
        raise Refused(f"season {season} has no exposures; `desgw-daemon status` shows which seasons have")
    text = json.dumps(handover, indent=2) + "\n" if args.json else as_markdown(handover)
    if args.output is None:
        print(text, end="")
        return 0
    _write(args.output, text)
    print(f"the hand-over of season {season} is in {args.output}")
    return 0


def _write(path: Path, text: str) -> None:
    """The file appears whole, or stays as it was."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text)
        part.replace(path)
    except OSError as error:
        raise Refused(f"{path} cannot be written: {error.strerror}") from error
