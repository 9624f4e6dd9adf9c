"""`rc show|set|unset`: the parameters that DAGMaker reads."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from desgw_daemon.cli import rc_show
from desgw_daemon.cli.opening import open_config, open_database, plainly, utc_now, who
from desgw_daemon.errors import UsageError

if TYPE_CHECKING:
    from desgw_daemon.domain.rcfile import RcFile


def add(sub: argparse._SubParsersAction[Any]) -> None:
    """Describe the command."""
    rc = sub.add_parser("rc", help="DAGMaker's parameters (dagmaker.rc): show, set, unset")
    what = rc.add_subparsers(metavar="show|set|unset", dest="what", required=True)
    showing = what.add_parser(
        "show",
        help="the parameters as they stand, or those that an exposure was made with",
        description="The parameters in dagmaker.rc, or those that an exposure was made with.",
    )
    showing.add_argument("--exposure", dest="expnum", metavar="EXPNUM", help="the parameters that its DAGMaker read")
    showing.add_argument("--season", metavar="N", help="when the number is known in several seasons")
    showing.add_argument("--nite", metavar="YYYYMMDD", help="when the number is known in several nites")
    showing.add_argument("--attempt", type=int, metavar="N", help="of this attempt (default: the newest)")
    showing.add_argument("--json", action="store_true", help="print JSON, for programs")
    showing.set_defaults(run=rc_show.show)
    setting = what.add_parser(
        "set",
        help="set keys",
        description="Set keys of dagmaker.rc. Each value is taken as it is and quoted for bash; comments, order and\n"
        "all other lines stay. The old file is kept as dagmaker.rc.bak. Refused while a DAGMaker runs.",
        epilog="desgw-daemon rc set WRITEDB=on 'JOBSUB_OPTS=--memory=2500MB --disk=70GB'\n"
        "desgw-daemon rc set --refer 'JOBSUB_TEMP_OPTS=$JOBSUB_OPTS --timeout=8h'",
    )
    setting.add_argument("assignments", nargs="+", metavar="KEY=VALUE")
    setting.add_argument(
        "--refer", action="store_true", help="$KEY and ${KEY} of keys that are set above stay references"
    )
    setting.set_defaults(run=_set)
    unsetting = what.add_parser(
        "unset", help="comment keys out", description="Comment keys out: DAGMaker takes its own default."
    )
    unsetting.add_argument("keys", nargs="+", metavar="KEY")
    unsetting.set_defaults(run=_unset)


def run(args: argparse.Namespace) -> int:
    """Never called: each command has a function of its own."""
    raise NotImplementedError(args.command)


def _set(args: argparse.Namespace) -> int:
    from desgw_daemon.domain.rckeys import KEYS, SEASON, contradiction, unknown

    wanted: dict[str, str] = {}
    for text in args.assignments:
        key, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"{text!r} is no KEY=VALUE; to take a key away: `desgw-daemon rc unset {text}`")
        if key not in KEYS:
            raise UsageError(unknown(key))
        if key in wanted:
            raise UsageError(f"{key} is given twice")
        if problem := KEYS[key].problem(value):
            raise UsageError(problem)
        wanted[key] = value
    said: list[str] = []

    def change(rc: RcFile) -> RcFile:
        for key, value in wanted.items():
            before = rc.settings.get(key)
            rc = rc.with_value(key, value, refer=frozenset(KEYS) - {key} if args.refer else frozenset())
            now = rc.settings[key].refers_to
            lost = [name for name in (before.refers_to if before else ()) if name not in now]
            line = rc.settings[key].line
            if above := [name for name in rc.referring_to(key) if rc.settings[name].line < line]:
                said.append(f"{', '.join(above)} stands above line {line} and does not see the {key} set there")
            if lost:
                said.append(f"{key} referred to {', '.join(lost)}, and does not follow it any more")
            if now:
                said.append(f"{key} refers to {', '.join(now)}, and follows it")
            elif "$" in value:
                how = "no key that is set above it is named" if args.refer else "--refer keeps references to other keys"
                said.append(f"{key}: its $ is text, not a reference ({how})")
        if problem := contradiction({key: setting.value for key, setting in rc.settings.items()}):
            raise UsageError(problem)
        return rc

    _change(args, change, why="rc set")
    for key in wanted:
        if KEYS[key].without_effect:
            said.append(f"{key} is {rc_show.WITHOUT_EFFECT}")
    if SEASON in wanted:
        said.append(f"SEASON is {rc_show.BY_THE_DAEMON}: what you have set lasts until then")
    for line in said:
        print(f"note: {line}")
    return 0


def _unset(args: argparse.Namespace) -> int:
    from desgw_daemon.domain.rckeys import KEYS, SEASON, unknown

    for key in args.keys:
        if key not in KEYS:
            raise UsageError(unknown(key))
        if key == SEASON:
            raise UsageError(f"SEASON cannot be taken away: it is {rc_show.BY_THE_DAEMON}")
    said: list[str] = []

    def change(rc: RcFile) -> RcFile:
        for key in args.keys:
            if key not in rc.settings:
                rc.without(key)  # refuses where a line that is no assignment sets it
                said.append(f"{key} was not set")
            if users := rc.referring_to(key):
                said.append(f"{', '.join(users)} refers to {key}, which is empty now")
            rc = rc.without(key)
        return rc

    _change(args, change, why="rc unset")
    for line in said:
        print(f"note: {line}")
    return 0


def _change(args: argparse.Namespace, change: Callable[[RcFile], RcFile], *, why: str) -> None:
    from desgw_daemon.errors import one_line
    from desgw_daemon.wiring import parameters_of

    loaded = open_config(args)
    with plainly(loaded):
        database = open_database(loaded)
        try:
            changes, _ = parameters_of(loaded.config).edit(database, change, who=who(), why=why, at=utc_now())
        finally:
            database.dispose()
    for changed in changes:
        before, after = ("not set" if raw is None else raw or '""' for raw in (changed.before, changed.after))
        print(one_line(f"{changed.key}: {before} -> {after}"))
    if not changes:
        print(f"nothing to change in {loaded.config.dagmaker_rc}")
