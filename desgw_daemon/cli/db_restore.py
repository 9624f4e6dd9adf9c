"""`db restore`: back to a copy of the database, without anything being submitted twice."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from desgw_daemon.cli.opening import open_config, utc_now, who


def add(what: argparse._SubParsersAction[Any]) -> None:
    """Describe the command."""
    parser = what.add_parser(
        "restore",
        help="put a copy in the place of the database; refused while a daemon works",
        description="Put a copy in the place of the database. The one from before is kept beside it. The daemon is\n"
        "paused by it: what was done since the copy was made is found again in the queue and on /pnfs, and a person\n"
        "looks at it before `desgw-daemon resume`.",
    )
    parser.add_argument("file", metavar="FILE", help="a copy made by `desgw-daemon db backup`")
    parser.set_defaults(run=_restore)


def _restore(args: argparse.Namespace) -> int:
    from desgw_daemon.daemon.lock import ActLock
    from desgw_daemon.store.restoring import restore

    config = open_config(args).config
    with ActLock(config.paths.state):
        aside = restore(config.database, Path(args.file), who=who(), at=utc_now())
    print(f"{config.database} is the copy {args.file} now" + (f"; the one from before is {aside}" if aside else ""))
    print("It is paused: start the daemon, look at `desgw-daemon status`, then `desgw-daemon resume`")
    return 0
