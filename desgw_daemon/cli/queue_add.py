"""`queue add`: list files and exposure numbers into the queue, whole or not at all. Part of the queue command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from desgw_daemon.cli.opening import changing, exposure_number, open_config, season_number, utc_now, who
from desgw_daemon.cli.taking import Permission, accepted_sources, permit
from desgw_daemon.errors import UsageError

if TYPE_CHECKING:
    from desgw_daemon.observe.lists import Entry


def add(args: argparse.Namespace) -> int:
    """Carry out `queue add`. Raises UsageError when anything in it cannot be taken."""
    from desgw_daemon.daemon.resolving import resolve
    from desgw_daemon.decide.words import plural
    from desgw_daemon.observe.exposures_list import ExposuresList
    from desgw_daemon.store.adding import add as add_to_queue
    from desgw_daemon.store.seasons import take

    season = season_number(args.season)
    permission = Permission(
        testing=args.testing,
        accepted=accepted_sources(args),
        reuse=None if args.reuse is None else season_number(args.reuse, option="--reuse"),
    )
    entries, notes = _wanted(args.what_to_add)
    loaded = open_config(args)
    resolved = resolve(ExposuresList(loaded.config.exposures_list), entries)
    if resolved.problems:
        raise UsageError(f"refused as a whole: {'; '.join(resolved.problems)}")
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
            source=", ".join(word for word in args.what_to_add if not word.isdigit()) or "the command line",
        )
    for remark in permitted.remarks if permitted else ():
        print(remark, file=sys.stderr)
    for note in (*notes, *resolved.notes):
        print(note)
    for known in added.known:
        print(f"already there: {known}")
    for expnum in added.again:
        print(f"back in the queue as a new attempt: {expnum}")
    queued = plural(len(added.new) + len(added.again), "exposure")
    print(f"{queued} queued for season {season}; {len(added.known)} already there")
    return 0


def _wanted(words: Iterable[str]) -> tuple[list[Entry], list[str]]:
    """The exposures of all files and numbers, each once, and what of them stood twice."""
    from desgw_daemon.observe.lists import ParsedList, parse_words, read_list

    entries: list[Entry] = []
    notes: list[str] = []
    for word in words:
        if word.isdigit():
            found = parse_words([str(exposure_number(word))])
        else:
            parsed = read_list(Path(word))
            if not isinstance(parsed, ParsedList):
                raise UsageError(f"{word} is refused as a whole: {'; '.join(parsed.problems)}")
            found = parsed.entries
            notes += parsed.duplicates
        for entry in found:
            if _join(entries, entry, word):
                notes.append(f"{entry.expnum} stands there before {word}, too: taken once")
    return entries, notes


def _join(entries: list[Entry], entry: Entry, source: str) -> bool:
    """Add an entry to those of the files before; whether it was among them. Raises UsageError for another band.

    One number in two nites are two exposures. An entry that says less than another is about the same one.
    """
    for index, before in enumerate(entries):
        if before.expnum != entry.expnum:
            continue
        if before.band and entry.band and before.band != entry.band:
            raise UsageError(f"refused as a whole: {entry.expnum} is {entry.band} in {source}, {before.band} before it")
        if before.nite is None or entry.nite is None or before.nite == entry.nite:
            entries[index] = replace(before, band=before.band or entry.band, nite=before.nite or entry.nite)
            return True
    entries.append(entry)
    return False
