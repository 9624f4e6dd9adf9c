"""`queue resolve`: a person says what became of a submission of unknown outcome. Part of the queue command.

A sure word is needed, since a DAG that is submitted twice writes the same files twice: what can be known here (the
submit command still runs, the queue knows the tag) is asked first, and refutes it.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from desgw_daemon.cli.opening import changing, exposure_number, looking, open_config, season_number, utc_now, who
from desgw_daemon.errors import Refused, UsageError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from desgw_daemon.config.loading import Loaded
    from desgw_daemon.domain.snapshot import Exposure
    from desgw_daemon.domain.submissions import Submission

#: CLUSTER.PROCESS, and the schedd where the queue has several.
_JOB_ID: Final = re.compile(r"\d{1,12}\.\d{1,6}(@[A-Za-z0-9][A-Za-z0-9._@-]{0,150})?", re.ASCII)
_REASON_MOST: Final = 500


def add(what: argparse._SubParsersAction[Any]) -> None:
    """Describe the command."""
    parser = what.add_parser(
        "resolve",
        help="say what became of a submission of which nobody knows whether it is in the queue",
        description="Settle a submission of unknown outcome, when the queue does not answer and you know better.\n"
        "--adopt ID: its DAG is in the queue under this id. --absent: it is not there; it is submitted\n"
        "again. Look in every queue where it could be: a DAG that is submitted twice runs twice. To leave\n"
        "the exposure alone instead: `queue hold`.",
    )
    parser.add_argument("expnum", metavar="EXPNUM")
    outcome = parser.add_mutually_exclusive_group(required=True)
    outcome.add_argument("--adopt", metavar="ID", help="it is in the queue: 163.0@SCHEDD, or 163.0")
    outcome.add_argument("--absent", action="store_true", help="it was never submitted, or is in no queue any more")
    parser.add_argument("--reason", metavar="TEXT", help="how you know; it is kept in the history")
    parser.add_argument("--season", metavar="N", help="when the number is known in several seasons")
    parser.add_argument("--nite", metavar="YYYYMMDD", help="when the number is known in several nites")
    parser.set_defaults(run=resolve)


def resolve(args: argparse.Namespace) -> int:
    """Carry it out. Raises Refused, UsageError, ConfigError, SchemaError."""
    from desgw_daemon.store.resolving import adopt_job, declare_absent, submission_in_doubt

    if args.adopt is not None and not _JOB_ID.fullmatch(args.adopt):
        raise UsageError(f"--adopt {args.adopt[:200]!r}: an id looks like 163.0@SCHEDD or 163.0")
    if args.reason is not None and len(args.reason) > _REASON_MOST:
        raise UsageError(f"--reason: at most {_REASON_MOST} characters")
    loaded = open_config(args)
    with looking(loaded) as connection:
        exposure = _picked(connection, args)
    submission = submission_in_doubt(exposure)
    with _nobody_at_it(loaded, exposure, submission):
        warning = _what_is_known(loaded, exposure, submission, args.adopt)
        with changing(loaded) as connection:
            exposure = _picked(connection, args)
            said = {"who": who(), "why": args.reason, "at": utc_now()}
            if exposure.submission is None or exposure.submission.id != submission.id:
                raise Refused(f"{exposure.label}: it has been tried again meanwhile; nothing was changed")
            if args.absent:
                done = declare_absent(connection, exposure, **said)
            else:
                adopt_job(connection, exposure, args.adopt, **said)
                done = f"its DAG {submission.tag} is followed as {args.adopt}"
    print(f"{exposure.label}: {done}")
    if warning:
        print(f"warning: {warning}", file=sys.stderr)
    return 0


def _picked(connection: Connection, args: argparse.Namespace) -> Exposure:
    from desgw_daemon.store.load import load_snapshot
    from desgw_daemon.store.queue import pick

    season = season_number(args.season) if args.season else None
    exposures = load_snapshot(connection, with_ccds_of=(), scope="all").exposures
    return pick(exposures, exposure_number(args.expnum), season=season, nite=args.nite)


@contextmanager
def _nobody_at_it(loaded: Loaded, exposure: Exposure, submission: Submission) -> Iterator[None]:
    """Keep a daemon from handing it over meanwhile. One that runs and has begun with it must come to its end first."""
    from desgw_daemon.daemon.lock import ActLock, is_held
    from desgw_daemon.domain.states import SubmissionState

    if submission.state is SubmissionState.UNKNOWN:
        yield
        return
    state = loaded.config.paths.state
    if is_held(state):
        raise Refused(
            f"{exposure.label}: its DAG is being submitted by the daemon, which reads what comes of it in each cycle;"
            " when that stays unclear it is `unknown`, and can be resolved"
        )
    with ActLock(state):
        yield


def _what_is_known(loaded: Loaded, exposure: Exposure, submission: Submission, job_id: str | None) -> str | None:
    """What must be said with it, in words. Raises Refused when what the person says cannot be so.

    The queue may be silent: that is when this is needed.
    """
    from desgw_daemon.grid.engine import Absent, Found, NoAnswer
    from desgw_daemon.wiring import engine_of

    engine = engine_of(loaded.config, submission.engine)
    if busy := engine.under_way(submission.tag):
        raise Refused(f"{exposure.label}: its submission may still come to something: {busy}. Try again after that")
    match engine.find(submission.tag):
        case Found(job_ids) if job_id is None:
            raise Refused(
                f"{exposure.label}: the queue knows its DAG as {', '.join(job_ids)}; the daemon follows it in its next"
                f" cycle, or now: `desgw-daemon queue resolve {exposure.expnum} --adopt {job_ids[0]}`"
            )
        case Found(job_ids) if job_id not in job_ids:
            raise Refused(f"{exposure.label}: the queue knows its DAG as {', '.join(job_ids)}, not as {job_id}")
        case Absent() if job_id is not None:
            return (
                f"the queue knows no DAG of the tag {submission.tag} now, and DAGs are followed by their tags: if that"
                f" stays so, {job_id} is in doubt again in the next cycle"
            )
        case NoAnswer(reason) if job_id is None:
            return f"the queue could not be asked ({reason}). {_risk(exposure, submission)}"
        case Absent():
            return f"the queue does not know it now. {_risk(exposure, submission)}"
    return None


def _risk(exposure: Exposure, submission: Submission) -> str:
    """What --absent risks."""
    if submission.job_id is not None:
        return "If it is there after all, its jobs go on writing to /pnfs, also after a retry"
    return (
        "If it is there after all, its DAG runs twice, and both write the same files on /pnfs; until the next cycle"
        f" `desgw-daemon queue hold {exposure.expnum}` still stops it"
    )
