"""`queue add|list|hold|release|remove|retry|adopt`, `pause` and `resume`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from desgw_daemon.cli.opening import (
    exposure_number,
    open_config,
    open_database,
    season_number,
    utc_now,
    who,
)
from desgw_daemon.cli.queue_adopt import adopt
from desgw_daemon.errors import DesgwError, Refused, UsageError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from desgw_daemon.domain.snapshot import Exposure


def add(sub: argparse._SubParsersAction[Any]) -> None:
    """Describe the commands."""
    queue = sub.add_parser("queue", help="put exposures into the queue, hold, release, remove or retry them")
    what = queue.add_subparsers(metavar="add|list|hold|release|remove|retry|adopt", dest="what", required=True)
    adding = what.add_parser(
        "add",
        help="add list files or exposure numbers",
        description="Add exposures: list files (lines `EXPNUM [BAND [NITE]]`, # comments) or numbers. A list is\n"
        "taken whole or not at all; what is there already is named and left alone.",
    )
    adding.add_argument("what_to_add", nargs="+", metavar="FILE|EXPNUM")
    adding.add_argument("--season", required=True, metavar="N")
    adding.add_argument("--priority", type=int, default=0, metavar="P", help="higher goes first (default 0)")
    adding.set_defaults(run=_add)
    listing = what.add_parser("list", help="the queue in its order, with what each waits for")
    listing.add_argument("--season", metavar="N")
    listing.add_argument("--json", action="store_true")
    listing.set_defaults(run=_list)
    adopting = what.add_parser(
        "adopt",
        help="watch exposures that somebody submitted by hand",
        description="Find a season's exposures that are on /pnfs already, and watch them, never submitting them.\n"
        "Without --nite every nite folder is listed: it says how many, and asks first.",
    )
    adopting.add_argument("--season", required=True, metavar="N")
    adopting.add_argument("--nite", metavar="YYYYMMDD")
    adopting.add_argument("--yes", action="store_true", help="do not ask")
    adopting.set_defaults(run=adopt)
    for name, words, function in (
        ("hold", "start nothing new for exposures; what runs goes on", _hold),
        ("release", "let held exposures go on", _release),
        ("remove", "take exposures out", _remove),
        ("retry", "start exposures anew, as a new attempt", _retry),
    ):
        parser = what.add_parser(name, help=words, description=words[0].upper() + words[1:] + ".")
        parser.add_argument("expnums", nargs="+", metavar="EXPNUM")
        parser.add_argument("--season", metavar="N", help="when the number is known in several seasons")
        parser.add_argument("--nite", metavar="YYYYMMDD", help="when the number is known in several nites")
        if name == "hold":
            parser.add_argument("--reason", metavar="TEXT", help="shown to everybody who asks why it waits")
        parser.set_defaults(run=function)
    pausing = sub.add_parser("pause", help="start nothing new at all; what runs goes on, watching too")
    pausing.add_argument("--reason", default="paused by hand", metavar="TEXT")
    pausing.set_defaults(run=_pause)
    sub.add_parser("resume", help="go on after a pause").set_defaults(run=_resume)


def run(args: argparse.Namespace) -> int:
    """Never called: each command has a function of its own."""
    raise NotImplementedError(args.command)


def _add(args: argparse.Namespace) -> int:
    from desgw_daemon.daemon.resolving import resolve
    from desgw_daemon.observe.exposures_list import ExposuresList
    from desgw_daemon.observe.lists import Entry, ParsedList, parse_words, read_list
    from desgw_daemon.store.database import writing
    from desgw_daemon.store.queue import add as add_to_queue

    season = season_number(args.season)
    files = [word for word in args.what_to_add if not word.isdigit()]
    numbers = [word for word in args.what_to_add if word.isdigit()]
    entries: list[Entry] = []
    notes: list[str] = []
    for file in files:
        parsed = read_list(Path(file))
        if not isinstance(parsed, ParsedList):
            raise UsageError(f"{file} is refused as a whole: {'; '.join(parsed.problems)}")
        entries += parsed.entries
        notes += parsed.duplicates
    entries += parse_words([str(exposure_number(number)) for number in numbers])
    loaded = open_config(args)
    database = open_database(loaded)
    resolved = resolve(ExposuresList(loaded.config.exposures_list), entries)
    if resolved.problems:
        raise UsageError(f"refused as a whole: {'; '.join(resolved.problems)}")
    with writing(database) as connection:
        added = add_to_queue(
            connection,
            season=season,
            wishes=resolved.wishes,
            priority=args.priority,
            who=who(),
            at=utc_now(),
            source=", ".join(files) or "the command line",
        )
    for note in (*notes, *resolved.notes):
        print(note)
    for known in added.known:
        print(f"already there: {known}")
    for expnum in added.again:
        print(f"back in the queue as a new attempt: {expnum}")
    print(f"{len(added.new) + len(added.again)} exposures queued for season {season}; {len(added.known)} already there")
    return 0


def _list(args: argparse.Namespace) -> int:
    from desgw_daemon.cli.output import print_json, print_table, utc
    from desgw_daemon.decide.plan import in_order
    from desgw_daemon.domain.states import ExposureState
    from desgw_daemon.store.database import reading
    from desgw_daemon.store.load import load_snapshot

    season = season_number(args.season) if args.season else None
    database = open_database(open_config(args))
    with reading(database) as connection:
        exposures = load_snapshot(connection, with_ccds_of=(), whole=True).exposures
    waiting = (ExposureState.QUEUED, ExposureState.MAKING, ExposureState.SUBMITTING)
    rows = [e for e in in_order(exposures) if e.state in waiting and season in (None, e.season)]
    if args.json:
        print_json(
            [
                {
                    "expnum": e.expnum,
                    "season": e.season,
                    "nite": e.nite,
                    "band": e.band,
                    "state": e.state.value,
                    "held": e.held,
                    "priority": e.priority,
                    "queued_at": e.queued_at,
                    "reason": e.reason,
                }
                for e in rows
            ]
        )
        return 0
    if not rows:
        print("the queue is empty; `desgw-daemon status` shows what has left it")
        return 0
    print_table(
        ["exposure", "band", "nite", "season", "prio", "state", "queued", "reason"],
        [
            [
                str(e.expnum),
                e.band or "?",
                e.nite or "?",
                str(e.season),
                str(e.priority),
                e.state.value + (" (held)" if e.held else ""),
                utc(e.queued_at),
                e.reason,
            ]
            for e in rows
        ],
        right=["exposure", "season", "prio"],
    )
    return 0


def _each(args: argparse.Namespace, act: Callable[[Connection, Exposure], str]) -> int:
    """Do something to each exposure that is named, each in its own transaction; say what was done."""
    from desgw_daemon.store.database import writing
    from desgw_daemon.store.load import load_snapshot
    from desgw_daemon.store.queue import pick

    season = season_number(args.season) if args.season else None
    expnums = [exposure_number(text) for text in args.expnums]
    database = open_database(open_config(args))
    problems: list[DesgwError] = []
    for expnum in expnums:
        try:
            with writing(database) as connection:
                exposures = load_snapshot(connection, with_ccds_of=(), whole=True).exposures
                exposure = pick(exposures, expnum, season=season, nite=args.nite)
                done = act(connection, exposure)
            print(f"{exposure.label}: {done}")
        except (Refused, UsageError) as problem:
            problems.append(problem)
    for earlier in problems[:-1]:
        print(f"not done: {earlier}")
    if problems:
        raise problems[-1]
    return 0


def _hold(args: argparse.Namespace) -> int:
    from desgw_daemon.store.queue import hold

    return _each(
        args,
        lambda connection, exposure: (
            "held; what runs goes on"
            if hold(connection, exposure, who=who(), why=args.reason, at=utc_now())
            else "was held already"
        ),
    )


def _release(args: argparse.Namespace) -> int:
    from desgw_daemon.store.queue import release

    return _each(
        args,
        lambda connection, exposure: (
            "released" if release(connection, exposure, who=who(), at=utc_now()) else "was not held"
        ),
    )


def _remove(args: argparse.Namespace) -> int:
    from desgw_daemon.store.queue import remove

    return _each(
        args,
        lambda connection, exposure: (
            "removed" if remove(connection, exposure, who=who(), at=utc_now()) else "was removed already"
        ),
    )


def _retry(args: argparse.Namespace) -> int:
    from desgw_daemon.store.queue import retry

    return _each(args, lambda connection, exposure: retry(connection, exposure, who=who(), at=utc_now()))


def _pause(args: argparse.Namespace) -> int:
    from desgw_daemon.store.database import writing
    from desgw_daemon.store.wishes import pause

    with writing(open_database(open_config(args))) as connection:
        done = pause(connection, who=who(), why=args.reason, at=utc_now())
    print("paused: nothing new is made, submitted or started; `desgw-daemon resume` goes on" if done else "was paused")
    return 0


def _resume(args: argparse.Namespace) -> int:
    from desgw_daemon.store.database import writing
    from desgw_daemon.store.wishes import resume

    with writing(open_database(open_config(args))) as connection:
        done = resume(connection, who=who(), at=utc_now())
    print("going on in the next cycle" if done else "was not paused")
    return 0
