"""Asking whether a season is used, and by which right a command takes it. Part of the commands that take one.

For a season that is known here nobody is asked: people add lists to it all night.
"""

from __future__ import annotations

import argparse
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from desgw_daemon.domain.seasons import (
    ELSEWHERE,
    Known,
    Source,
    Verdict,
    allowed,
    judge,
    number_answer,
    testing_problem,
)
from desgw_daemon.errors import Refused, UsageError

if TYPE_CHECKING:
    from desgw_daemon.config.loading import Loaded
    from desgw_daemon.store.seasons import Taking


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """What a person allows. accepted: sources without whose answer to go on; reuse: the season, typed again."""

    testing: bool = False
    accepted: tuple[Source, ...] = ()
    reuse: int | None = None


@dataclass(frozen=True, slots=True)
class Permitted:
    """A season that may be taken. remarks: what a person should know of it."""

    taking: Taking
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Free:
    """Seasons that nobody elsewhere knows; the verdict on, and the taking of, any of them."""

    seasons: tuple[int, ...]
    verdict: Verdict
    taking: Taking


def add_asking(parser: argparse.ArgumentParser) -> None:
    """Describe --testing and --accept-unverified."""
    parser.add_argument("--testing", action="store_true", help="allow the seasons for testing, 11 to 99")
    parser.add_argument(
        "--accept-unverified",
        action="append",
        default=[],
        choices=[source.value for source in ELSEWHERE],
        metavar="SOURCE",
        help=f"go on without the answer of {' or '.join(ELSEWHERE)}, should there be none",
    )


def accepted_sources(args: argparse.Namespace) -> tuple[Source, ...]:
    """What --accept-unverified names, each once."""
    return tuple(source for source in ELSEWHERE if source.value in args.accept_unverified)


def ask_elsewhere(loaded: Loaded) -> dict[Source, Known]:
    """What the DES database and /pnfs know."""
    from desgw_daemon.observe.season_sources import ask_elsewhere as ask

    config = loaded.config
    return ask(
        pnfs=config.paths.pnfs,
        des=config.databases.des,
        des_schema=config.databases.des_schema,
        timeout=config.databases.timeout,
    )


def verdict_on(season: int, known: dict[Source, Known], *, testing: bool, accepted: Collection[Source]) -> Verdict:
    """What the number itself and the sources come to."""
    answers = [number_answer(season, testing=testing), *(known[s].about(s, season) for s in Source if s in known)]
    return judge(answers, accepted=accepted)


def in_words(verdict: Verdict) -> dict[str, str]:
    """The answers as they are kept in the database."""
    return {answer.source.value: f"{answer.standing}: {answer.words}" for answer in verdict.answers}


def permit(loaded: Loaded, season: int, permission: Permission, *, how: str) -> Permitted | None:
    """By which right a season may be used; None when it is known here already.

    Without databases.des the DES database is left out. Raises UsageError for a number that needs another option,
    Refused for a season that is used elsewhere, or might be.
    """
    from desgw_daemon.store.seasons import Taking

    if permission.reuse is not None and permission.reuse != season:
        raise UsageError(f"--reuse {permission.reuse} is not season {season}: type the number of the season again")
    if _known_here(loaded, season):
        return None
    if not permission.testing and (problem := testing_problem(season)):
        raise UsageError(problem)
    known = ask_elsewhere(loaded)
    remarks = []
    unasked: tuple[Source, ...] = ()
    if not loaded.config.databases.des:
        del known[Source.DES]
        unasked = (Source.DES,)
        remarks.append(f"season {season} is new here; the DES database was not asked: databases.des is not set")
    verdict = verdict_on(season, known, testing=permission.testing, accepted=permission.accepted)
    if permission.reuse is None and not verdict.free:
        raise Refused(_refusal(season, verdict))
    unverified = (*unasked, *verdict.accepted, *(answer.source for answer in verdict.unknown))
    remarks += [
        f"season {season}: {answer.source} gave no answer ({answer.words})"
        for answer in verdict.answers
        if answer.source in unverified
    ]
    remarks += [f"season {season} is used again, as you say: {answer.words}" for answer in verdict.used]
    taking = Taking(
        how=how,
        answers=in_words(verdict),
        unverified=[source.value for source in Source if source in unverified],
        reused=bool(permission.reuse is not None and not verdict.free),
    )
    return Permitted(taking, tuple(remarks))


def find_free(loaded: Loaded, first: int, last: int, permission: Permission) -> Free:
    """The numbers from first to last that are used nowhere else: `store.seasons.take_one` takes one of them.

    Raises UsageError when no number of them may be taken, Refused when none is free or a source gave no answer.
    """
    from desgw_daemon.store.seasons import Taking

    numbers = tuple(allowed(first, last, testing=permission.testing))
    if not numbers:
        raise UsageError(f"{first}-{last} has no number that may be taken (11 to 99 need --testing)")
    known = ask_elsewhere(loaded)
    left = tuple(number for number in numbers if not any(number in source.used for source in known.values()))
    if not left:
        raise none_is_free(first, last)
    # Of numbers that nobody has found all sources say the same.
    verdict = verdict_on(left[0], known, testing=permission.testing, accepted=permission.accepted)
    if not verdict.free:
        raise Refused(f"no season was taken: {_without_answer(verdict)}")
    unverified = [source.value for source in verdict.accepted]
    return Free(left, verdict, Taking(how="new", answers=in_words(verdict), unverified=unverified))


def none_is_free(first: int, last: int) -> Refused:
    """Why no season could be taken."""
    return Refused(f"no season was taken: none is free from {first} to {last}; --range A-B looks elsewhere")


def _without_answer(verdict: Verdict) -> str:
    """Which sources gave no answer, and the options that go on without them."""
    said = "; ".join(f"{answer.source} is unknown ({answer.words})" for answer in verdict.unknown)
    options = " ".join(f"--accept-unverified {answer.source}" for answer in verdict.unknown)
    return f"{said}; {options} goes on without"


def _refusal(season: int, verdict: Verdict) -> str:
    if verdict.used:
        said = "; ".join(f"{answer.source}: {answer.words}" for answer in verdict.used)
        return (
            f"season {season} is new here and used elsewhere ({said}): --reuse {season} takes it all the same, and"
            " `desgw-daemon season new` finds one that is free"
        )
    return f"season {season} is new here, and whether it is used elsewhere is not known: {_without_answer(verdict)}"


def _known_here(loaded: Loaded, season: int) -> bool:
    from desgw_daemon.cli.opening import open_database, plainly
    from desgw_daemon.store.database import reading
    from desgw_daemon.store.seasons import is_known

    with plainly(loaded):
        database = open_database(loaded)
        try:
            with reading(database) as connection:
                return is_known(connection, season)
        finally:
            database.dispose()
