"""`run`, the daemon, and `tick`, exactly one cycle of it."""

from __future__ import annotations

import argparse
from typing import Any

from desgw_daemon.cli.opening import open_config, open_database, plainly, utc_now


def add(sub: argparse._SubParsersAction[Any]) -> None:
    """Describe the commands."""
    daemon = sub.add_parser(
        "run",
        help="the daemon: watch, make, submit, post-process until it is stopped",
        description="Run the daemon. SIGTERM or Ctrl-C stops it within seconds; what it has started goes on, and\n"
        "the next start finds it again. SIGHUP takes up a changed daemon.toml (so does saving the file).",
    )
    daemon.set_defaults(run=_daemon)
    once = sub.add_parser(
        "tick",
        help="exactly one cycle, then end",
        description="Carry out exactly one cycle of the daemon: look, write down, decide, act, report.\n"
        "Refused while a daemon works on the same state folder.",
    )
    once.add_argument("--json", action="store_true", help="print what was done as JSON")
    once.set_defaults(run=_tick)


def run(args: argparse.Namespace) -> int:
    """Never called: both commands have a function of their own."""
    raise NotImplementedError(args.command)


def _daemon(args: argparse.Namespace) -> int:
    import faulthandler

    from desgw_daemon.daemon.lock import ActLock
    from desgw_daemon.daemon.loop import Daemon
    from desgw_daemon.daemon.trouble import refuse_damaged
    from desgw_daemon.report.logs import Log

    # A watchdog ends the daemon with SIGABRT: where each thread was then stands in the journal.
    faulthandler.enable()
    loaded = open_config(args)
    config = loaded.config
    with ActLock(config.paths.state):
        with Log(level=config.log.level, file=config.log_file) as log:
            refuse_damaged(config, log, utc_now)
            database = open_database(loaded)
            Daemon(loaded=loaded, database=database, log=log).run()
        database.dispose()
    return 0


def _tick(args: argparse.Namespace) -> int:
    from desgw_daemon.cli.output import print_json
    from desgw_daemon.daemon.lock import ActLock
    from desgw_daemon.daemon.tick import tick
    from desgw_daemon.report.logs import Log
    from desgw_daemon.wiring import build

    loaded = open_config(args)
    config = loaded.config
    with ActLock(config.paths.state), plainly(loaded):
        database = open_database(loaded)
        with Log(level=config.log.level, file=config.log_file) as log:
            result = tick(build(config, database, utc_now, source=loaded.source), log, clock=utc_now)
        database.dispose()
    if args.json:
        print_json(
            {
                "actions": [str(action) for action in result.actions],
                "errors": result.errors,
                "listings": result.listings,
                "seconds": result.spent,
            }
        )
    else:
        print(
            f"one cycle in {result.spent.total_seconds():.2f} s: {result.listings} listings on /pnfs,"
            f" {len(result.actions)} actions"
        )
    return 1 if result.errors else 0
