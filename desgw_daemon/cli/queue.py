"""`queue add|list|hold|release|remove|retry|resolve|adopt`, `pause` and `resume`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from desgw_daemon.cli import queue_add, queue_adopt, queue_list, queue_resolve
from desgw_daemon.cli.opening import (
    changing,
    exposure_number,
    open_config,
    season_number,
    utc_now,
    who,
)
from desgw_daemon.cli.taking import add_asking
from desgw_daemon.errors import DesgwError, Refused, UsageError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from desgw_daemon.domain.snapshot import Exposure


def add(sub: argparse._SubParsersAction[Any]) -> None:
    """Describe the commands."""
    queue = sub.add_parser("queue", help="put exposures into the queue, hold, release, remove or retry them")
    what = queue.add_subparsers(metavar="add|list|hold|release|remove|retry|resolve|adopt", dest="what", required=True)
    adding = what.add_parser(
        "add",
        help="add list files or exposure numbers",
        description="Add exposures: list files (lines `EXPNUM [BAND [NITE]]`, # comments) or numbers. A list is\n"
        "taken whole or not at all; what is there already is named and left alone. For a season that is\n"
        "new here the DES database, if it is configured, and /pnfs are asked first whether it is used.\n"
        "What is missing is asked for on a terminal.",
    )
    adding.add_argument("what_to_add", nargs="*", metavar="FILE|EXPNUM")
    adding.add_argument("--season", metavar="N")
    adding.add_argument("--reuse", metavar="N", help="the season again: it is used elsewhere, and that is meant")
    add_asking(adding)
    adding.add_argument(
        "--from-output",
        nargs="?",
        const="",
        metavar="FILE",
        help="the exposures, nite and season of an output.txt (default: dagmaker.output)",
    )
    adding.add_argument("--priority", type=int, default=0, metavar="P", help="higher goes first (default 0)")
    adding.set_defaults(run=queue_add.add)
    listing = what.add_parser("list", help="the queue in its order, with what each waits for")
    listing.add_argument("--season", metavar="N")
    listing.add_argument("--json", action="store_true")
    listing.set_defaults(run=queue_list.show)
    adopting = what.add_parser(
        "adopt",
        help="watch exposures that somebody submitted by hand",
        description="Find a season's exposures that are on /pnfs already, and watch them, never submitting them.\n"
        "Without --nite every nite folder is listed: it says how many, and asks first.",
    )
    adopting.add_argument("--season", required=True, metavar="N")
    adopting.add_argument("--nite", metavar="YYYYMMDD")
    adopting.add_argument("--yes", action="store_true", help="do not ask")
    adopting.set_defaults(run=queue_adopt.adopt)
    queue_resolve.add(what)
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
        if name == "remove":
            parser.add_argument("--dag", action="store_true", help="first end its DAG, if that may still run")
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


def _each(args: argparse.Namespace, act: Callable[[Connection, Exposure], str]) -> int:
    """Do something to each exposure that is named, each in its own transaction; say what was done."""
    from desgw_daemon.store.load import load_snapshot
    from desgw_daemon.store.queue import pick

    season = season_number(args.season) if args.season else None
    expnums = [exposure_number(text) for text in args.expnums]
    loaded = open_config(args)
    problems: list[DesgwError] = []
    for expnum in expnums:
        try:
            with changing(loaded) as connection:
                exposures = load_snapshot(connection, with_ccds_of=(), scope="all").exposures
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

    if args.dag:
        return _end_dags(args)
    return _each(
        args,
        lambda connection, exposure: (
            "removed" if remove(connection, exposure, who=who(), at=utc_now()) else "was removed already"
        ),
    )


def _end_dags(args: argparse.Namespace) -> int:
    """Order the end of DAGs. What they have done stays; the exposures are judged by it as after any end."""
    from desgw_daemon.grid.engine import Asked, NoAnswer
    from desgw_daemon.store.queue import note_removal, submission_in_flight
    from desgw_daemon.wiring import engine_of

    config = open_config(args).config

    def end(connection: Connection, exposure: Exposure) -> str:
        submission = submission_in_flight(exposure)
        match engine_of(config, submission.engine).remove(submission.tag):
            case Asked():
                note_removal(connection, submission, who=who(), at=utc_now())
                return f"its DAG {submission.tag} is being ended; then `queue retry` or `queue remove` can follow"
            case NoAnswer(reason):
                raise Refused(f"{exposure.label}: the queue gives no answer: {reason}; try again")
        raise Refused(f"{exposure.label}: the queue does not know its DAG {submission.tag}; the daemon finds out")

    return _each(args, end)


def _retry(args: argparse.Namespace) -> int:
    from desgw_daemon.store.queue import retry

    return _each(args, lambda connection, exposure: retry(connection, exposure, who=who(), at=utc_now()))


def _pause(args: argparse.Namespace) -> int:
    from desgw_daemon.store.wishes import pause

    with changing(open_config(args)) as connection:
        done = pause(connection, who=who(), why=args.reason, at=utc_now())
    print("paused: nothing new is made, submitted or started; `desgw-daemon resume` goes on" if done else "was paused")
    return 0


def _resume(args: argparse.Namespace) -> int:
    from desgw_daemon.store.wishes import resume

    with changing(open_config(args)) as connection:
        done = resume(connection, who=who(), at=utc_now())
    print("going on in the next cycle" if done else "was not paused")
    return 0
