"""`postproc status`: the runs, or one of them in full."""

from __future__ import annotations

import argparse
import sqlite3
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from desgw_daemon.cli.opening import season_number
from desgw_daemon.errors import Refused, UsageError

if TYPE_CHECKING:
    from desgw_daemon.cli.screen import Screen
    from desgw_daemon.report.ages import Watch
    from desgw_daemon.report.statustypes import Age


def add(what: argparse._SubParsersAction[Any]) -> None:
    """Describe the command."""
    status = what.add_parser(
        "status",
        help="the runs, or one in full: list, ini, SKIPTO and its evidence, steps, end, what was left out",
        description="Show the runs of post-processing, or with RUN all that is known of one: its list and ini, its\n"
        "SKIPTO and the evidence, the time of each step, its end, and what was left out of it and why.",
    )
    status.add_argument("--season", metavar="N")
    status.add_argument("number", metavar="RUN", nargs="?", type=_number, help="the number of one run")
    status.add_argument("--json", action="store_true")
    status.set_defaults(run=_status)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r}: a run is a whole number such as 2")
    return int(text)


def _status(args: argparse.Namespace) -> int:
    from desgw_daemon.cli.agewords import in_brackets
    from desgw_daemon.cli.output import print_json, print_lines, print_table
    from desgw_daemon.cli.reading import find_place, read
    from desgw_daemon.cli.screen import this_screen
    from desgw_daemon.cli.statuspage import silence_lines
    from desgw_daemon.report.ages import read_watch, run_age
    from desgw_daemon.report.postproc import read_runs

    season, place = season_number(args.season) if args.season else None, find_place(args)
    now = datetime.now(UTC).replace(microsecond=0)

    def ask(db: sqlite3.Connection) -> tuple[Watch, list[dict[str, Any]]]:
        watch = read_watch(db, now=now, interval=place.policy.poll_interval)
        runs = read_runs(db, season, args.number)
        return watch, [run | run_age(run["state"], run["started_at"], run["ended_at"], watch) for run in runs]

    watch, runs = read(place.database, ask)
    screen = this_screen(now)
    silent = [each for each in watch.silent if each["what"] == "postprocessing"]
    if args.number is not None:
        run = _the_one(runs, args.number, season)
        if args.json:
            print_json(run)
        else:
            whole = [(line, "bold" if number == 0 else None) for number, line in enumerate(_in_full(run, screen))]
            print_lines([*silence_lines(silent, screen), *whole])
        return 0
    if args.json:
        print_json(runs)
        return 0
    if silent:
        print_lines(silence_lines(silent, screen))
    if not runs:
        print("no run of post-processing yet; `desgw-daemon postproc plan` says what it waits for")
        return 0
    print_table(
        [
            "season",
            "run",
            "state",
            "result",
            "SKIPTO",
            "step",
            "exposures",
            "left out",
            "started",
            "ended",
            "as of",
            "reason",
        ],
        [
            [
                str(run["season"]),
                str(run["number"]),
                run["state"],
                run["result"] or "-",
                str(run["skipto"]),
                "-" if run["step"] is None else str(run["step"]),
                str(run["exposures"]),
                str(len(run["left_out"])),
                screen.when(run["started_at"]) or "-",
                screen.when(run["ended_at"]) or "-",
                screen.when(_seen(run)) or "-",
                f"{run['reason'] or ''}{in_brackets(cast('Age', run), screen)}".strip(),
            ]
            for run in runs
        ],
        right=["season", "run", "SKIPTO", "step", "exposures", "left out"],
    )
    return 0


def _the_one(runs: Sequence[dict[str, Any]], number: int, season: int | None) -> dict[str, Any]:
    if not runs:
        where = f" of season {season}" if season is not None else ""
        raise Refused(f"there is no run {number}{where}; `desgw-daemon postproc status` shows those that there are")
    if len(runs) > 1:
        seasons = " or ".join(f"--season {run['season']}" for run in runs)
        raise UsageError(f"run {number} is known in {len(runs)} seasons; say which with {seasons}")
    return runs[0]


def _seen(run: Mapping[str, Any]) -> str | None:
    """When the step of a run that goes on was last seen; nothing more comes of one that has ended."""
    return run["as_of"] if run["state"] == "running" else None


def _in_full(run: Mapping[str, Any], screen: Screen) -> Iterator[str]:
    from desgw_daemon.cli.agewords import age_words

    result = f" ({run['result'].replace('_', ' ')})" if run["result"] else ""
    yield f"season {run['season']} run {run['number']}: {run['state']}{result}"
    yield from _field("reason", run["reason"] or "-")
    yield from _field(
        "asked by", run["asked_by"] or ("nobody: " + ("tried again" if run["retry_of"] else "it began by itself"))
    )
    yield from _field("times", f"{run['started_at'] or 'not started'} to {run['ended_at'] or 'now'}")
    ended = [
        f"{name.replace('_', ' ')} {run[name]}" for name in ("exit_code", "signal", "stage") if run[name] is not None
    ]
    yield from _field("end", ", ".join(ended) or "-")
    yield from _field("folder", run["folder"])
    yield from _field("list", f"{run['list_name'] or 'not written'}, in the folder")
    yield from _field("ini", f"postproc_{run['season']}.ini, in the folder")
    yield from _field("bands", ", ".join(run["bands"]))
    yield from _field("exposures", f"{run['exposures']}: {' '.join(map(str, run['expnums']))}")
    yield from _field("SKIPTO", f"{run['skipto']}: {run['skipto_reason']}")
    for row in run["evidence"]:
        yield from _field("", f"{'yes' if row.get('possible') else ' no'}  {row.get('skipto')}: {row.get('reason')}")
    for number, step in enumerate(run["steps"]):
        took = "goes on" if step["seconds"] is None else f"{step['seconds']} s"
        yield from _field("" if number else "steps", f"{step['step']:2} {step['name']}: {step['at']}, {took}")
    if seen := age_words(cast("Age", run), screen) or _seen(run):
        yield from _field("seen", seen)
    for number, (expnum, why) in enumerate(run["left_out"].items()):
        yield from _field("" if number else "left out", f"{expnum}: {why}")
    for number, text in enumerate(run["notes"]):
        yield from _field("" if number else "notes", text)
    if run["last_words"]:
        yield from _field("last words", run["last_words"])


def _field(name: str, text: str) -> list[str]:
    from desgw_daemon.errors import one_line

    return textwrap.wrap(
        one_line(text),
        110,
        initial_indent=f"  {name:11}",
        subsequent_indent=" " * 13,
        break_on_hyphens=False,
        break_long_words=False,
    )
