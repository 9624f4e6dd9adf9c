"""`postproc status|plan|run|stop|report`, and `skipto`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from desgw_daemon.cli import postproc_report, postproc_status, postproc_stop
from desgw_daemon.cli.opening import changing, looking, open_config, season_number, utc_now, who
from desgw_daemon.errors import UsageError

if TYPE_CHECKING:
    from desgw_daemon.domain.snapshot import Snapshot


def add(sub: argparse._SubParsersAction[Any]) -> None:
    """Describe the commands."""
    postproc = sub.add_parser("postproc", help="post-processing: its runs, what it waits for, start one")
    what = postproc.add_subparsers(metavar="status|plan|run|stop|report", dest="what", required=True)
    postproc_status.add(what)
    planned = what.add_parser("plan", help="whether a season's post-processing would start now, and if not, why")
    planned.add_argument("--season", metavar="N")
    planned.add_argument("--json", action="store_true")
    planned.set_defaults(run=_plan)
    starting = what.add_parser(
        "run",
        help="ask for a run of a season with what is ready",
        description="Ask for post-processing of a season with what is ready. The daemon starts it in its next cycle,\n"
        "after a last look at each exposure; without a daemon, `desgw-daemon tick` does.",
    )
    starting.add_argument("--season", required=True, metavar="N")
    starting.add_argument("--skipto", type=int, choices=range(8), metavar="STEP", help="force it (0 to 7)")
    starting.set_defaults(run=_run)
    postproc_stop.add(what)
    postproc_report.add(what)
    skipto = sub.add_parser("skipto", help="at which step a season's next run would start, with the evidence")
    skipto.add_argument("--season", required=True, metavar="N")
    skipto.add_argument("--json", action="store_true")
    skipto.set_defaults(run=_skipto)


def run(args: argparse.Namespace) -> int:
    """Never called: each command has a function of its own."""
    raise NotImplementedError(args.command)


def _snapshot(args: argparse.Namespace) -> Snapshot:
    from desgw_daemon.store.circumstances import with_circumstances
    from desgw_daemon.store.load import load_snapshot

    with looking(open_config(args)) as connection:
        return with_circumstances(connection, load_snapshot(connection, scope="all"))


def _plan(args: argparse.Namespace) -> int:
    from desgw_daemon.cli.output import print_json
    from desgw_daemon.config.policies import policy_of
    from desgw_daemon.decide.postproc import plan_postproc

    season = season_number(args.season) if args.season else None
    snapshot = _snapshot(args)
    actions = plan_postproc(snapshot, policy_of(open_config(args).config), utc_now())
    lines = [str(action) for action in actions if season is None or getattr(action, "season", season) == season]
    if args.json:
        print_json(lines)
    else:
        print("\n".join(lines) or "no exposures")
    return 0


def _run(args: argparse.Namespace) -> int:
    from desgw_daemon.daemon.lock import is_held
    from desgw_daemon.store.wishes import ask_postproc

    season = season_number(args.season)
    loaded = open_config(args)
    most = loaded.config.postproc.max_skipto
    if args.skipto is not None and args.skipto > most:
        raise UsageError(
            f"--skipto {args.skipto} is above postproc.max_skipto = {most}: run_postproc.py would die of it; raise the"
            " key first if a newer script has mended that"
        )
    with changing(loaded) as connection:
        said = ask_postproc(connection, season=season, skipto=args.skipto, who=who(), at=utc_now())
    print(f"post-processing of season {season} is asked for: {said}")
    if not is_held(loaded.config.paths.state):
        print("no daemon works on this state folder now: start it, or run `desgw-daemon tick` until it has started")
    return 0


def _skipto(args: argparse.Namespace) -> int:
    from desgw_daemon.cli.output import print_json
    from desgw_daemon.config.policies import policy_of
    from desgw_daemon.daemon.skipto import rows_to_keep, weigh
    from desgw_daemon.decide.postproc import next_exposures
    from desgw_daemon.decide.postproc_members import fingerprint
    from desgw_daemon.decide.words import plural, some
    from desgw_daemon.store.load import load_snapshot

    season = season_number(args.season)
    loaded = open_config(args)
    with looking(loaded) as connection:
        snapshot = load_snapshot(connection, scope="all")
    policy = policy_of(loaded.config)
    members, retry = next_exposures(snapshot, season, policy, utc_now())
    weighed = weigh(
        loaded.config, policy, snapshot.runs, season=season, members=members, fingerprint=fingerprint(members)
    )
    choice, (upstream, why) = weighed.choice, weighed.upstream
    expnums = [e.expnum for e in members]
    if args.json:
        print_json(
            {
                "season": season,
                "policy": policy.postproc_skipto,
                "expnums": expnums,
                "retry_of": None if retry is None else retry.run.number,
                "bands": sorted({e.band for e in members if e.band}),
                "skipto": choice.skipto,
                "reason": choice.reason,
                "rows": rows_to_keep(choice),
                "ini": weighed.evidence.ini,
                "upstream": {"skipto": upstream, "reason": why, "unsafe": True},
            }
        )
        return 0
    named = f" ({some(map(str, expnums))})" if expnums else ""
    again = "" if retry is None else f", run {retry.run.number} tried again"
    print(f"season {season}, {plural(len(members), 'exposure')}{named}{again}: SKIPTO {choice.skipto}: {choice.reason}")
    for row in choice.rows:
        print(f"  {'yes' if row.possible else ' no'}  SKIPTO {row.skipto}: {row.reason}")
    print(f"the older automation would start at {upstream or 'none'}, UNSAFE: {why}")
    return 0
