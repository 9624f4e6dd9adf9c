"""`start-event`: from an alert to a queue, one question at a time; every answer can be given as an option.

Nothing is changed before the last answer: season, parameters, exposures and event are checked first, then done at once.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from desgw_daemon.cli.event_night import Listed, Night, Season, carry_out, show
from desgw_daemon.cli.taking import Permission, accepted_sources, add_asking
from desgw_daemon.domain.event import EVENT_KEYS, Event
from desgw_daemon.errors import Refused, UsageError

if TYPE_CHECKING:
    from desgw_daemon.config.loading import Loaded


def add(sub: argparse._SubParsersAction[Any]) -> None:
    """Describe the command."""
    parser = sub.add_parser(
        "start-event",
        help="from an alert to a queue: season, parameters, exposures and event, one question at a time",
        description="Take a season, set DAGMaker's parameters, queue exposures and note the event for the ini of\n"
        "post-processing. On a terminal it asks for what no option says; it can be left at any question\n"
        "(Ctrl-C) with nothing done. In a script, options say everything: what they leave out stays as it is.",
        epilog="desgw-daemon start-event\n"
        "desgw-daemon start-event --new-season --ligoid GW170814 --triggermjd 57979.437 tonight.list",
    )
    parser.add_argument("what_to_add", nargs="*", metavar="FILE|EXPNUM", help="list files or exposure numbers")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--season", metavar="N", help="this season")
    which.add_argument("--new-season", action="store_true", help="a season at random that nobody has used")
    parser.add_argument("--reuse", metavar="N", help="the season again: it is used elsewhere, and that is meant")
    add_asking(parser)
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="a parameter in dagmaker.rc (may be repeated)"
    )
    for key, what in EVENT_KEYS.items():
        parser.add_argument(f"--{key}", metavar="VALUE", help=what)
    parser.add_argument("--priority", type=int, default=0, metavar="P", help="higher goes first (default 0)")
    parser.add_argument("--yes", action="store_true", help="do not ask whether the summary is right")


def run(args: argparse.Namespace) -> int:
    """Ask, check, show, and do it. 1 when a person says no to the summary."""
    from desgw_daemon.cli.asking import ask_yes_or_no, can_ask
    from desgw_daemon.cli.opening import open_config

    loaded = open_config(args)
    asks = can_ask()
    if not asks:
        _check_complete(args)
    night = _night(args, loaded, asks=asks)
    show(night, loaded.config.dagmaker_rc)
    if asks and not args.yes and not ask_yes_or_no("Is that right?"):
        print("nothing was done")
        return 1
    carry_out(night, loaded, asks=asks)
    return 0


def _check_complete(args: argparse.Namespace) -> None:
    """Without a terminal nobody can be asked. Raises UsageError."""
    if args.season is None and not args.new_season:
        raise UsageError("there is no terminal to ask on: --season N or --new-season is needed")
    if not args.what_to_add:
        raise UsageError("there is no terminal to ask on: the exposures are needed, as list files or numbers")


def _night(args: argparse.Namespace, loaded: Loaded, *, asks: bool) -> Night:
    """All answers, checked. Raises UsageError, Refused."""
    from desgw_daemon.cli.asking import ask, ask_exposures, words_of
    from desgw_daemon.cli.rc_wanted import wanted_of

    if asks:
        print("Each question can be left with Ctrl-C: nothing is done before the last answer.\n")

    def parameters(words: list[str]) -> dict[str, str]:
        found = wanted_of(words)
        _check_parameters(loaded, found)
        return found

    # What was said already is looked at before anybody is asked: a slip of the pen need not wait for a database.
    chosen = parameters(args.set)
    said = _said_of_event(args)
    listed = _listed(loaded, args.what_to_add) if args.what_to_add else None
    season = _season(args, loaded, asks=asks)
    for remark in season.remarks:
        print(remark)
    if asks and not args.set:
        chosen = ask(
            "DAGMaker's parameters to change, KEY=VALUE ... (Enter: none; `rc show` has them all)",
            lambda text: parameters(words_of(text)),
            default="",
        )

    if listed is None:
        # The last one that was looked at is the one that was taken: exposures.list is read once for an answer.
        looked_at: list[Listed] = []
        ask_exposures(lambda given: looked_at.append(_listed(loaded, given)))
        listed = looked_at[-1]
    known = _known_event(loaded, season.number)
    if not asks:
        _check_event(known, said, season.number)
    event = _event(said, known, asks=asks)
    return Night(season=season, parameters=chosen, listed=listed, known=known, event=event, priority=args.priority)


def _listed(loaded: Loaded, words: Sequence[str]) -> Listed:
    """The exposures of list files and numbers, with what exposures.list says of them. Raises UsageError."""
    from desgw_daemon.cli.queue_add_wanted import of_words, with_data

    wanted = of_words(words)
    resolved = with_data(loaded, wanted)
    return Listed(words=words, wishes=resolved.wishes, notes=resolved.notes, source=wanted.source)


# -- the season ---------------------------------------------------------------------------------------------


def _season(args: argparse.Namespace, loaded: Loaded, *, asks: bool) -> Season:
    from desgw_daemon.cli.asking import ask
    from desgw_daemon.cli.opening import season_number

    permission = Permission(
        testing=args.testing,
        accepted=accepted_sources(args),
        reuse=None if args.reuse is None else season_number(args.reuse, option="--reuse"),
    )
    if args.new_season:
        return _permitted(lambda allowed: _at_random(loaded, allowed), permission, asks=asks)
    if args.season is not None:
        number = season_number(args.season)
        return _permitted(lambda allowed: _named(loaded, number, allowed), permission, asks=asks)

    def answer(text: str) -> Season:
        if not text:
            return _permitted(lambda allowed: _at_random(loaded, allowed), permission, asks=True)
        named = season_number(text, option="season")
        return _permitted(lambda allowed: _named(loaded, named, allowed), permission, asks=True)

    return ask("Season: its number (Enter: a free one at random)", answer, default="")


def _permitted(choose: Callable[[Permission], Season], permission: Permission, *, asks: bool) -> Season:
    """The season, or on a terminal what is lacking for it: the number again, or a source that gave no answer."""
    from desgw_daemon.cli.asking import ask, ask_yes_or_no
    from desgw_daemon.cli.taking import NotVerifiedError, UsedElsewhereError

    try:
        return choose(permission)
    except UsedElsewhereError as problem:
        if not asks:
            raise
        print(f"season {problem.season} is used elsewhere: {problem.evidence}")
        again = ask("Type its number again to use it all the same (Enter: choose another)", str, default="")
        if again != str(problem.season):
            raise UsageError("another season, then") from None
        return choose(replace(permission, reuse=problem.season))
    except NotVerifiedError as problem:
        if not asks:
            raise
        print(problem.evidence)
        if not ask_yes_or_no("Go on without that answer?"):
            raise UsageError("another season, then; or leave with Ctrl-C") from None
        return choose(replace(permission, accepted=(*permission.accepted, *problem.sources)))


def _named(loaded: Loaded, number: int, permission: Permission) -> Season:
    from desgw_daemon.cli.taking import permit

    permitted = permit(loaded, number, permission, how="named")
    if permitted is None:
        return Season(number=number, taking=None, remarks=(f"season {number} is in use here: its queue is added to",))
    return Season(number=number, taking=permitted.taking, remarks=permitted.remarks)


def _at_random(loaded: Loaded, permission: Permission) -> Season:
    import random

    from desgw_daemon.cli.taking import choose_free
    from desgw_daemon.domain.seasons import TESTING_RANGE, USUAL_RANGE

    first, last = TESTING_RANGE if permission.testing else USUAL_RANGE
    chosen = choose_free(loaded, first, last, permission)
    free = sorted(set(chosen.free) - _known_here(loaded))
    if not free:
        raise Refused(f"no season is free from {first} to {last}")
    remarks = tuple(
        f"{answer.source} gave no answer ({answer.words})"
        for answer in chosen.verdict.answers
        if answer.source in chosen.verdict.accepted
    )
    number = random.SystemRandom().choice(free)
    return Season(number=number, taking=chosen.taking, remarks=remarks, at_random=True)


def _known_here(loaded: Loaded) -> set[int]:
    from desgw_daemon.cli.opening import looking
    from desgw_daemon.store.seasons import known_seasons

    if not loaded.config.database.exists():
        return set()
    with looking(loaded) as connection:
        return set(known_seasons(connection).used)


# -- parameters and event ------------------------------------------------------------------------------------


def _check_parameters(loaded: Loaded, chosen: Mapping[str, str]) -> None:
    """Whether the file can be changed so. Raises UsageError, Refused."""
    from desgw_daemon.cli.opening import open_database, plainly
    from desgw_daemon.cli.rc_wanted import Setting
    from desgw_daemon.wiring import parameters_of

    if "SEASON" in chosen:
        raise UsageError("SEASON is set by the daemon before each DAGMaker: it is the season that was asked for first")
    if not chosen:
        return
    with plainly(loaded):
        database = open_database(loaded)
        try:
            parameters_of(loaded.config).check(database, Setting(chosen, refer=False))
        finally:
            database.dispose()


def _said_of_event(args: argparse.Namespace) -> Event:
    """What the options say of it. Raises UsageError."""
    event = Event()
    for key in EVENT_KEYS:
        if (text := getattr(args, key)) is not None:
            event = _with_value(event, key, text)
    return event


def _known_event(loaded: Loaded, season: int) -> Event:
    from desgw_daemon.cli.opening import looking
    from desgw_daemon.store.seasons import event_of

    if not loaded.config.database.exists():
        return Event()
    with looking(loaded) as connection:
        return event_of(connection, season)


def _check_event(known: Event, said: Event, season: int) -> None:
    """In a script a slip in the season must not name another event. Raises Refused."""
    before = known.for_ini()
    for key, text in said.for_ini().items():
        if before.get(key, text) != text:
            raise Refused(
                f"season {season} is for {key} {before[key]}, not {text}: nothing was done. If that is meant,"
                f" `desgw-daemon season event {season} --{key} {text}` changes it"
            )


def _event(said: Event, known: Event, *, asks: bool) -> Event:
    """What is known of the event: options first, then what is written down, then the person."""
    from desgw_daemon.cli.asking import ask

    event, given = known, said.for_ini()
    for key, what in EVENT_KEYS.items():
        if key in given:
            event = _with_value(event, key, given[key])
        elif asks:
            before = known.for_ini().get(key)
            stays = f"Enter: {before}" if before else "Enter: not known yet"
            event = ask(f"{key}: {what} ({stays})", _setter(event, key), default="")
    return event


def _setter(event: Event, key: str) -> Callable[[str], Event]:
    return lambda text: _with_value(event, key, text) if text else event


def _with_value(event: Event, key: str, text: str) -> Event:
    try:
        return event.with_value(key, text)
    except ValueError as error:
        raise UsageError(str(error)) from None
