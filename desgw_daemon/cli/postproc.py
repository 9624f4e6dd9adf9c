"""`postproc status|plan|run|stop`, and `skipto`."""

from __future__ import annotations

import argparse
import json
import sqlite3
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from desgw_daemon.cli import postproc_stop
from desgw_daemon.cli.opening import changing, looking, open_config, season_number, utc_now, who
from desgw_daemon.errors import UsageError

if TYPE_CHECKING:
    from desgw_daemon.domain.snapshot import Snapshot


def add(sub: argparse._SubParsersAction[Any]) -> None:
    """Describe the commands."""
    postproc = sub.add_parser("postproc", help="post-processing: its runs, what it waits for, start one")
    what = postproc.add_subparsers(metavar="status|plan|run|stop", dest="what", required=True)
    status = what.add_parser("status", help="the runs, with their exposures, SKIPTO, step and end")
    status.add_argument("--season", metavar="N")
    status.add_argument("--json", action="store_true")
    status.set_defaults(run=_status)
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


def _status(args: argparse.Namespace) -> int:
    from desgw_daemon.cli.output import print_json, print_table
    from desgw_daemon.cli.reading import find_place, read

    season = season_number(args.season) if args.season else None
    runs = read(find_place(args).database, lambda db: _runs(db, season))
    if args.json:
        print_json(runs)
        return 0
    if not runs:
        print("no run of post-processing yet; `desgw-daemon postproc plan` says what it waits for")
        return 0
    print_table(
        ["season", "run", "state", "result", "SKIPTO", "step", "exposures", "started", "ended", "reason"],
        [
            [
                str(run["season"]),
                str(run["number"]),
                run["state"],
                run["result"] or "-",
                str(run["skipto"]),
                "-" if run["step"] is None else str(run["step"]),
                str(run["exposures"]),
                run["started_at"] or "-",
                run["ended_at"] or "-",
                run["reason"] or "",
            ]
            for run in runs
        ],
        right=["season", "run", "SKIPTO", "step", "exposures"],
    )
    return 0


def _runs(db: sqlite3.Connection, season: int | None) -> list[dict[str, Any]]:
    """The rows of v_postproc, with lists where it has words."""
    db.row_factory = sqlite3.Row
    rows = db.execute("SELECT * FROM v_postproc WHERE ?1 IS NULL OR season = ?1 ORDER BY season, number", (season,))
    return [
        {
            **dict(row),
            "bands": json.loads(row["bands"]),
            "notes": json.loads(row["notes"]),
            "expnums": sorted(int(expnum) for expnum in (row["expnums"] or "").split()),
        }
        for row in rows
    ]


def _plan(args: argparse.Namespace) -> int:
    from desgw_daemon.cli.output import print_json
    from desgw_daemon.decide.postproc import plan_postproc
    from desgw_daemon.wiring import policy_of

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
    from desgw_daemon.daemon.acting import skipto_for
    from desgw_daemon.decide.postproc_members import fingerprint, members_of
    from desgw_daemon.decide.words import plural
    from desgw_daemon.store.load import load_snapshot
    from desgw_daemon.wiring import policy_of

    season = season_number(args.season)
    loaded = open_config(args)
    with looking(loaded) as connection:
        snapshot = load_snapshot(connection, scope="all")
    members = members_of(snapshot, season)
    choice = skipto_for(
        loaded.config.paths.postprocessing,
        policy_of(loaded.config),
        snapshot.runs,
        season,
        fingerprint(members),
        tuple(e.expnum for e in members),
    )
    if args.json:
        print_json({"season": season, "expnums": [e.expnum for e in members], **asdict(choice)})
        return 0
    print(f"season {season}, {plural(len(members), 'exposure')}: SKIPTO {choice.skipto}: {choice.reason}")
    for row in choice.rows:
        print(f"  {'yes' if row.possible else ' no'}  SKIPTO {row.skipto}: {row.reason}")
    return 0
