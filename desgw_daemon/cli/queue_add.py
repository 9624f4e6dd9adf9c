"""`queue add`: list files and exposure numbers into the queue, whole or not at all. Part of the queue command."""

from __future__ import annotations

import argparse

from desgw_daemon.cli.opening import changing, open_config, season_number, utc_now, who
from desgw_daemon.cli.queue_add_wanted import wanted_of
from desgw_daemon.errors import UsageError


def add(args: argparse.Namespace) -> int:
    """Carry out `queue add`. Raises UsageError when anything in it cannot be taken."""
    from desgw_daemon.daemon.resolving import resolve
    from desgw_daemon.decide.words import plural
    from desgw_daemon.observe.exposures_list import ExposuresList
    from desgw_daemon.store.adding import add as add_to_queue

    wanted = wanted_of(args)
    season = season_number(args.season)
    loaded = open_config(args)
    resolved = resolve(ExposuresList(loaded.config.exposures_list), wanted.entries)
    if resolved.problems:
        raise UsageError(f"refused as a whole: {'; '.join(resolved.problems)}")
    with changing(loaded) as connection:
        added = add_to_queue(
            connection,
            season=season,
            wishes=resolved.wishes,
            priority=args.priority,
            who=who(),
            at=utc_now(),
            source=wanted.source,
        )
    for note in (*wanted.notes, *resolved.notes):
        print(note)
    for known in added.known:
        print(f"already there: {known}")
    for expnum in added.again:
        print(f"back in the queue as a new attempt: {expnum}")
    queued = plural(len(added.new) + len(added.again), "exposure")
    print(f"{queued} queued for season {season}; {len(added.known)} already there")
    return 0
