"""`queue adopt`: watching what somebody submitted by hand. Part of the queue command, not one of its own."""

from __future__ import annotations

import argparse
import sys

from desgw_daemon.cli.opening import changing, open_config, season_number, utc_now, who
from desgw_daemon.errors import Refused, UsageError


def adopt(args: argparse.Namespace) -> int:
    """Carry out `queue adopt`. Raises Refused when nothing was found or the answer was no."""
    from desgw_daemon.decide.words import plural
    from desgw_daemon.domain.names import is_nite
    from desgw_daemon.observe.adopt import find_exposures, find_nites
    from desgw_daemon.store.adding import Wish
    from desgw_daemon.store.adding import add as add_to_queue
    from desgw_daemon.store.seasons import Taking, take

    season = season_number(args.season)
    if args.nite is not None and not is_nite(args.nite):
        raise UsageError(f"--nite {args.nite!r}: a nite is a day written YYYYMMDD")
    loaded = open_config(args)
    root, calls_per_second = loaded.config.paths.pnfs, loaded.config.poll.calls_per_second
    nites: tuple[str, ...] = (args.nite,)
    if args.nite is None:
        listed = find_nites(root)
        if listed.problem:
            raise Refused(f"{listed.problem}; try again when it answers")
        nites = listed.nites
        if not args.yes:
            folders = plural(len(nites), "nite folder")
            _ask(f"{folders} of {root / 'exp'} would be listed, and one folder for each exposure in them")
    found = find_exposures(root, season, nites, calls_per_second=calls_per_second)
    for problem in found.problems:
        print(f"left out: {problem}")
    cost = plural(found.calls.listings, "listing")
    if not found.exposures:
        raise Refused(f"no exposure of season {season} was found in {plural(len(nites), 'nite')} ({cost})")
    # That it is used on /pnfs is what adopting is about.
    taking = Taking(how="queue", answers={"pnfs": f"used: {plural(len(found.exposures), 'exposure')} adopted"})
    with changing(loaded) as connection:
        take(connection, season, taking, who=who(), at=utc_now())
        added = add_to_queue(
            connection,
            season=season,
            wishes=[Wish(expnum=e.expnum, band=e.band, nite=e.nite) for e in found.exposures],
            priority=0,
            who=who(),
            at=utc_now(),
            watch_only=True,
            source="queue adopt",
        )
    for known in added.known:
        print(f"already there: {known}")
    count = plural(len(added.new) + len(added.again), "exposure")
    print(f"from now on watched, and never submitted: {count} of season {season} ({cost})")
    return 0


def _ask(what: str) -> None:
    """Go on only after a yes. Raises UsageError where nobody can be asked."""
    if not sys.stdin.isatty():
        raise UsageError(f"{what}: name one with --nite YYYYMMDD, or say --yes")
    if input(f"{what}. Go on? [y/N] ").strip().lower() not in ("y", "yes"):
        raise Refused("nothing was done")
