"""`queue remove --dag`: the end of a DAG that runs, or was never taken. Part of the queue command."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from desgw_daemon.cli.opening import changing, exposure_number, looking, open_config, season_number, utc_now, who
from desgw_daemon.errors import DesgwError, Refused, UsageError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from desgw_daemon.config.loading import Loaded
    from desgw_daemon.domain.snapshot import Exposure


def end_dags(args: argparse.Namespace) -> int:
    """Order the end of DAGs. What they have done stays; the exposures are judged by it as after any end.

    Raises Refused, UsageError, ConfigError, SchemaError; of several problems the last, when all has been tried.
    """
    expnums = [exposure_number(text) for text in args.expnums]
    loaded = open_config(args)
    problems: list[DesgwError] = []
    for expnum in expnums:
        try:
            print(_end(loaded, args, expnum))
        except (Refused, UsageError) as problem:
            problems.append(problem)
    for earlier in problems[:-1]:
        print(f"not done: {earlier}")
    if problems:
        raise problems[-1]
    return 0


def _end(loaded: Loaded, args: argparse.Namespace, expnum: int) -> str:
    """The engine is asked outside of any transaction: a schedd that hangs must not keep the daemon from writing."""
    from desgw_daemon.domain.states import SubmissionState
    from desgw_daemon.grid.engine import Asked, NoAnswer
    from desgw_daemon.store.queue import give_up, note_removal, submission_in_flight
    from desgw_daemon.wiring import engine_of

    with looking(loaded) as connection:
        exposure = _picked(connection, args, expnum)
    submission = submission_in_flight(exposure)
    name = f"{exposure.label}: its DAG {submission.tag}"
    if submission.state is SubmissionState.INTENT:
        with changing(loaded) as connection:
            give_up(connection, exposure, submission, who=who(), at=utc_now())
        return f"{name} was not taken yet, and is given up; the exposure is left for a person in the next cycle"
    match engine_of(loaded.config, submission.engine).remove(submission.tag):
        case Asked():
            with changing(loaded) as connection:
                note_removal(connection, submission, who=who(), at=utc_now())
            return f"{name} is being ended; then `queue retry` or `queue remove` can follow"
        case NoAnswer(reason):
            raise Refused(f"{name}: the queue gives no answer: {reason}; try again")
    raise Refused(f"{name} is not known to the queue; the daemon finds out what became of it")


def _picked(connection: Connection, args: argparse.Namespace, expnum: int) -> Exposure:
    from desgw_daemon.store.load import load_snapshot
    from desgw_daemon.store.queue import pick

    season = season_number(args.season) if args.season else None
    exposures = load_snapshot(connection, with_ccds_of=(), scope="all").exposures
    return pick(exposures, expnum, season=season, nite=args.nite)
