"""`queue add`: list files and exposure numbers into the queue, whole or not at all. Part of the queue command."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from desgw_daemon.cli.opening import changing, open_config, season_number, utc_now, who
from desgw_daemon.cli.queue_add_wanted import wanted_of, with_data
from desgw_daemon.cli.taking import Permission, accepted_sources, permit

if TYPE_CHECKING:
    from desgw_daemon.store.adding import Added


def add(args: argparse.Namespace) -> int:
    """Carry out `queue add`. Raises UsageError when anything in it cannot be taken."""
    from desgw_daemon.store.adding import add as add_to_queue
    from desgw_daemon.store.seasons import take

    wanted = wanted_of(args)
    season = season_number(args.season)
    permission = Permission(
        testing=args.testing,
        accepted=accepted_sources(args),
        reuse=None if args.reuse is None else season_number(args.reuse, option="--reuse"),
    )
    loaded = open_config(args)
    resolved = with_data(loaded, wanted)
    permitted = permit(loaded, season, permission, how="queue")
    with changing(loaded) as connection:
        # Somebody may have taken it while the others were asked.
        if permitted is not None and not take(connection, season, permitted.taking, who=who(), at=utc_now()):
            permitted = None
        added = add_to_queue(
            connection,
            season=season,
            wishes=resolved.wishes,
            priority=args.priority,
            who=who(),
            at=utc_now(),
            source=wanted.source,
        )
    for remark in permitted.remarks if permitted else ():
        print(remark, file=sys.stderr)
    for note in resolved.notes:
        print(note)
    say_added(added, season)
    return 0


def say_added(added: Added, season: int) -> None:
    """What became of a list."""
    from desgw_daemon.decide.words import plural

    for known in added.known:
        print(f"already there: {known}")
    for expnum in added.again:
        print(f"back in the queue as a new attempt: {expnum}")
    queued = plural(len(added.new) + len(added.again), "exposure")
    print(f"{queued} queued for season {season}; {len(added.known)} already there")
