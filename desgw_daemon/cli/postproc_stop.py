"""`postproc stop`: ends a run of post-processing, which cannot be continued where it was. Nothing else ends one."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from desgw_daemon.cli.opening import changing, looking, open_config, season_number, utc_now, who
from desgw_daemon.errors import UsageError

if TYPE_CHECKING:
    from desgw_daemon.domain.runs import PostprocRun


def add(what: argparse._SubParsersAction[Any]) -> None:
    """Describe the command."""
    stopping = what.add_parser(
        "stop",
        help="end a run that goes on",
        description="End the run of a season that goes on, with everything that it has started. It asks first.\n"
        "The run counts as failed, with who stopped it; `postproc run` starts another.",
    )
    stopping.add_argument("--season", required=True, metavar="N")
    stopping.add_argument("--why", metavar="TEXT", default="no reason given", help="kept with it")
    stopping.add_argument("--yes", action="store_true", help="do not ask")
    stopping.set_defaults(run=_stop)


def _stop(args: argparse.Namespace) -> int:
    from pathlib import Path

    from desgw_daemon import children
    from desgw_daemon.daemon.lock import is_held
    from desgw_daemon.store.runs import live_run, order_stop

    season = season_number(args.season)
    loaded = open_config(args)
    with looking(loaded) as connection:
        shown = live_run(connection, season)
    if not args.yes and not _agreed(shown):
        print("it goes on")
        return 1
    with changing(loaded) as connection:
        run = order_stop(connection, season, run_id=shown.id, who=who(), why=args.why, at=utc_now())
    name = f"run {run.number} of season {season}"
    try:
        children.stop(Path(run.folder))
    except OSError as error:
        # The daemon's account may do what this one may not.
        print(f"{name} could not be ended from here ({error.strerror}): the daemon does it in its next cycle")
    else:
        print(f"{name} is being ended, with everything that it has started (at most 10 s)")
    if not is_held(loaded.config.paths.state):
        print("no daemon works on this state folder now: the next one, or `desgw-daemon tick`, writes down its end")
    return 0


def _agreed(run: PostprocRun) -> bool:
    """Whether a person at the terminal says yes. Raises UsageError where nobody can be asked, Left when they leave."""
    from desgw_daemon.cli.asking import ask_yes_or_no, can_ask

    if not can_ask():
        raise UsageError("post-processing runs for hours and cannot be continued: --yes says that it is meant")
    step = "before its first step" if run.step is None else f"at step {run.step}"
    print(
        f"Run {run.number} of season {run.season}, with {len(run.expnums)} exposures, goes on since"
        f" {run.started_at or run.intent_at:%Y-%m-%dT%H:%M:%SZ} and is {step}. It cannot be continued from there."
    )
    return ask_yes_or_no("End it?")
