"""What `queue add` is to put into the queue: numbers, list files, an output.txt; what is missing is asked for."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from desgw_daemon.cli.asking import ask_exposures, ask_season, can_ask
from desgw_daemon.cli.opening import exposure_number, open_config, season_number
from desgw_daemon.errors import UsageError

if TYPE_CHECKING:
    from desgw_daemon.config.loading import Loaded
    from desgw_daemon.daemon.resolving import Resolved
    from desgw_daemon.domain.output_txt import Output
    from desgw_daemon.observe.lists import Entry

#: Somebody sits and waits for the answer of gw_workflow.
_PATIENCE: Final = timedelta(seconds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The exposures, notes for the person, and where they come from, in words."""

    entries: Sequence[Entry]
    notes: Sequence[str]
    source: str


def wanted_of(args: argparse.Namespace) -> Wanted:
    """What the command line wants, or who sits at the terminal. `args.season` is filled in where it was not given.

    Raises UsageError; Refused when whoever was asked has left.
    """
    words: list[str] = args.what_to_add
    if words and args.from_output is not None:
        raise UsageError("queue add takes --from-output, or list files and numbers, and not both")
    if args.season is not None:
        season_number(args.season)  # before anything is asked
    wanted = None if args.from_output is None else _from_output(args)
    if words:
        wanted = of_words(words)
    if wanted is None:
        if not can_ask():
            raise UsageError("queue add needs list files or exposure numbers, or --from-output (see queue add --help)")
        wanted = of_words(ask_exposures(of_words))
    if args.season is None:
        if not can_ask():
            raise UsageError("queue add needs --season N, and there is no terminal to ask on")
        args.season = str(ask_season())
    return wanted


def with_data(loaded: Loaded, wanted: Wanted) -> Resolved:
    """What exposures.list says of them, and all the notes. Raises UsageError: refused as a whole.

    While gw_workflow hangs they are queued without: the daemon fills in what is missing when it answers.
    """
    from desgw_daemon.daemon.resolving import resolve
    from desgw_daemon.observe.abandoned import Abandoned
    from desgw_daemon.observe.door import Door
    from desgw_daemon.observe.exposures_list import ExposuresList

    door = Door(
        tree="workflow",
        root=loaded.config.paths.workflow,
        abandoned=Abandoned(),
        answer_within=min(_PATIENCE, loaded.config.poll.answer_within),
        max_stuck=1,
    )
    resolved = resolve(ExposuresList(loaded.config.exposures_list, way=door), wanted.entries)
    if resolved.problems:
        raise UsageError(f"refused as a whole: {'; '.join(resolved.problems)}")
    return replace(resolved, notes=(*wanted.notes, *resolved.notes))


def of_words(words: Sequence[str]) -> Wanted:
    """The exposures of list files and numbers. Raises UsageError."""
    entries, notes = named(words)
    source = ", ".join(word for word in words if not word.isdigit()) or "the command line"
    return Wanted(entries=entries, notes=notes, source=source)


def _from_output(args: argparse.Namespace) -> Wanted | None:
    """The exposures of an output.txt, and its season; None for one of no use, when the person can be asked instead."""
    from desgw_daemon.domain.output_txt import NoOutput
    from desgw_daemon.observe.lists import Entry
    from desgw_daemon.observe.output_txt import read_output

    path = Path(args.from_output) if args.from_output else open_config(args).config.output_txt
    if path is None:
        raise UsageError("dagmaker.output names no file: name one with --from-output FILE")
    found = read_output(path)
    if isinstance(found, NoOutput):
        words = f"{path}: {'; '.join(found.problems)}"
        if not can_ask():
            raise UsageError(words)
        print(words)
        return None
    _take_season(args, found, path)
    entries: list[Entry] = []
    notes = []
    for expnum, band in found.exposures:
        if _join(entries, Entry(expnum=expnum, band=band, nite=found.nite, line=1), str(path)):
            notes.append(f"{expnum} stands in {path} more than once: taken once")
    return Wanted(entries=entries, notes=notes, source=str(path))


def _take_season(args: argparse.Namespace, found: Output, path: Path) -> None:
    if found.season is None:
        return
    if args.season is None:
        args.season = str(found.season)
    elif args.season != str(found.season):
        raise UsageError(
            f"--season {args.season}: {path} is of season {found.season}; leave --season away, or queue its exposures"
            " by their numbers"
        )


def named(words: Iterable[str]) -> tuple[list[Entry], list[str]]:
    """The exposures of all files and numbers, each once, and what of them stood twice. Raises UsageError."""
    from desgw_daemon.observe.lists import ParsedList, parse_words, read_list

    entries: list[Entry] = []
    notes: list[str] = []
    for word in words:
        if word.isdigit():
            found = parse_words([str(exposure_number(word))])
        else:
            if not Path(word).exists():
                raise UsageError(f"{word!r} is neither a list file (no such file) nor an exposure number")
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
