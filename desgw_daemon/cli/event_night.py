"""What was decided for a night: its summary, and the doing of it, all at once. Part of `start-event`.

What the answers rest on is looked at again first: somebody else may have taken the season or named its event meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from desgw_daemon.domain.event import Event
from desgw_daemon.errors import DesgwError, Refused

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

    from desgw_daemon.config.loading import Loaded
    from desgw_daemon.store.adding import Wish
    from desgw_daemon.store.seasons import Taking


@dataclass(frozen=True, slots=True, kw_only=True)
class Season:
    """The season that was chosen. taking: None when it is known here already."""

    number: int
    taking: Taking | None
    remarks: tuple[str, ...]
    at_random: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """words: what was typed; the exposures, what a person should know of them, and where they come from, in words."""

    words: Sequence[str]
    wishes: Sequence[Wish]
    notes: Sequence[str]
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """All that was decided, and nothing done yet. known: the event as it is written down; event: as it will be."""

    season: Season
    parameters: Mapping[str, str]
    listed: Listed
    known: Event
    event: Event
    priority: int


def show(night: Night, rc: Path) -> None:
    """The summary, before anything is done."""
    from desgw_daemon.cli.output import print_table
    from desgw_daemon.decide.words import plural, some

    wishes = night.listed.wishes
    bands = {band: sum(wish.band == band for wish in wishes) for band in sorted({w.band or "?" for w in wishes})}
    waiting = sum(wish.band is None or wish.nite is None for wish in wishes)
    nites = some(sorted({wish.nite for wish in wishes if wish.nite is not None}))
    taking = night.season.taking
    how = "in use here: its queue is added to" if taking is None else "used elsewhere, used again"
    if taking is not None and not taking.reused:
        how = f"new, not verified: {', '.join(taking.unverified)}" if taking.unverified else "new"
    event, before = night.event.for_ini(), night.known.for_ini()
    rows = [
        ("season", f"{night.season.number} ({how})"),
        (
            "exposures",
            plural(len(wishes), "exposure") + (f", {waiting} of them not in exposures.list yet" if waiting else ""),
        ),
        ("bands", ", ".join(f"{count} {band}" for band, count in bands.items() if band != "?") or "not known yet"),
        ("nites", nites or "not known yet"),
        ("parameters", ", ".join(f"{k}={v}" for k, v in night.parameters.items()) or f"as they are in {rc}"),
        (
            "event",
            ", ".join(f"{k} {_change(before.get(k), v)}" for k, v in event.items())
            or "not known: the template's values stay",
        ),
    ]
    if night.priority:
        rows.append(("priority", str(night.priority)))
    print()
    print_table(("WHAT", "VALUE"), rows)
    for note in night.listed.notes:
        print(f"note: {note}")
    if event and (unknown := night.event.unknown()):
        print(f"note: of the event not known, left as in the template: {', '.join(unknown)}")


def _change(before: str | None, after: str) -> str:
    return after if before in (None, after) else f"{before} -> {after}"


def _as_command(night: Night) -> str:
    """The same as one command, to be typed when its time has come."""
    import shlex

    words = ["desgw-daemon", "start-event", *night.listed.words, "--season", str(night.season.number)]
    taking = night.season.taking
    if taking is not None and taking.reused:
        words += ["--reuse", str(night.season.number)]
    for key, value in night.parameters.items():
        words += ["--set", f"{key}={value}"]
    for key, value in night.event.for_ini().items():
        words += [f"--{key}", value]
    return shlex.join(words)


def _set_parameters(night: Night, loaded: Loaded, *, asks: bool) -> None:
    """Set them; on a terminal again, if a DAGMaker reads the file just now. Raises Refused: nothing was done."""
    from desgw_daemon.cli.asking import ask_yes_or_no
    from desgw_daemon.cli.opening import open_database, plainly, utc_now, who
    from desgw_daemon.cli.rc_wanted import Setting
    from desgw_daemon.wiring import parameters_of

    setting = Setting(night.parameters, refer=False)
    while True:
        with plainly(loaded):
            database = open_database(loaded)
            try:
                parameters_of(loaded.config).edit(database, setting, who=who(), why="start-event", at=utc_now())
                break
            except Refused as problem:
                if not asks:
                    raise Refused(f"nothing was done: {problem}") from None
                print(problem)
            finally:
                database.dispose()
        if not ask_yes_or_no("Try again now?"):
            print(f"Later, all of it as one command:\n  {_as_command(night)}")
            raise Refused("nothing was done")
    for line in setting.said:
        print(f"note: {line}")


def carry_out(night: Night, loaded: Loaded, *, asks: bool) -> None:
    """Parameters first: what is in the queue may be made at once. Then season, event and exposures together."""
    from desgw_daemon.cli.opening import changing, utc_now, who
    from desgw_daemon.cli.queue_add import say_added
    from desgw_daemon.store.adding import add as add_to_queue
    from desgw_daemon.store.seasons import record_event, take

    me, season, taking = who(), night.season.number, night.season.taking
    _check_still_so(night, loaded)
    if night.parameters:
        _set_parameters(night, loaded, asks=asks)
    now = utc_now()
    try:
        with changing(loaded) as connection:
            # Nothing else looks at the rows between this and the end of the transaction.
            if problem := _changed_meanwhile(connection, night):
                raise Refused(problem)
            if taking is not None:
                take(connection, season, taking, who=me, at=now)
            if night.event.for_ini():
                record_event(connection, season, night.event, who=me, at=now)
            added = add_to_queue(
                connection,
                season=season,
                wishes=night.listed.wishes,
                priority=night.priority,
                who=me,
                at=now,
                source=night.listed.source,
            )
    except DesgwError as problem:
        if night.parameters:
            raise Refused(
                f"{problem}. The parameters are set, nothing is queued: the same command tries again"
            ) from None
        raise
    say_added(added, season)
    if added.new or added.again:
        print("`desgw-daemon status` shows how far it is; the daemon starts with it in its next cycle, if it runs")
    else:
        print("nothing more will happen: `desgw-daemon queue retry EXPNUM` makes one of them anew")


def _check_still_so(night: Night, loaded: Loaded) -> None:
    """What the answers rest on, before anything is changed. Raises Refused."""
    from desgw_daemon.cli.opening import looking

    if loaded.config.database.exists():
        with looking(loaded) as connection:
            if problem := _changed_meanwhile(connection, night):
                raise Refused(f"{problem}: nothing was done")


def _changed_meanwhile(connection: Connection, night: Night) -> str | None:
    """What somebody else has done to the season since it was chosen."""
    from desgw_daemon.store.seasons import event_of, is_known, known_seasons

    season = night.season.number
    if night.season.taking is not None and is_known(connection, season):
        return f"season {season} was taken meanwhile ({known_seasons(connection).used[season]})"
    if event_of(connection, season) != night.known:
        now = ", ".join(f"{key} {text}" for key, text in event_of(connection, season).for_ini().items())
        return f"the event of season {season} was changed meanwhile: {now}"
    return None
