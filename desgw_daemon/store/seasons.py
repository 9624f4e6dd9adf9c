"""The seasons that are taken, and by whom. Taking is one transaction: two at the same time never get the same."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, insert, select, update

from desgw_daemon.domain.event import EVENT_KEYS, Event
from desgw_daemon.domain.seasons import Known
from desgw_daemon.domain.times import utc
from desgw_daemon.errors import Refused
from desgw_daemon.store.journal import note
from desgw_daemon.store.tables import ExposureRow, SeasonRow, table


@dataclass(frozen=True, slots=True, kw_only=True)
class Taking:
    """A season on its way to be taken. answers: each source that was asked to its answer, in words.

    unverified: the sources that were not asked or gave no answer. reused: it is in use elsewhere, and a person has said
    that it is meant.
    """

    how: str
    answers: Mapping[str, str]
    unverified: Sequence[str] = ()
    reused: bool = False


def known_seasons(connection: Connection) -> Known:
    """The seasons that are taken here, or have exposures; removed ones count, too."""
    exposures, seasons = table(ExposureRow), table(SeasonRow)
    counted = select(exposures.c.season, func.count()).group_by(exposures.c.season)
    used = {season: f"{count} exposure{'s' * (count != 1)} here" for season, count in connection.execute(counted)}
    for row in connection.execute(select(seasons.c.season, seasons.c.taken_by, seasons.c.taken_at)):
        taken = f"taken by {row.taken_by} at {utc(row.taken_at)}"
        used[row.season] = f"{taken}; {used[row.season]}" if row.season in used else taken
    return Known(used=used, free="neither taken nor with exposures here")


def is_known(connection: Connection, season: int) -> bool:
    """Whether a season is taken here, or has exposures."""
    return any(
        connection.execute(select(rows.c.season).where(rows.c.season == season).limit(1)).first()
        for rows in (table(SeasonRow), table(ExposureRow))
    )


def take(connection: Connection, season: int, taking: Taking, *, who: str, at: datetime) -> bool:
    """Take a season that is not known here. False, and nothing is changed, when it is."""
    if is_known(connection, season):
        return False
    _insert(connection, season, taking, who=who, at=at)
    words = "in use elsewhere, and taken again" if taking.reused else "taken"
    without = f", without an answer of {' and '.join(taking.unverified)}" if taking.unverified else ""
    if without:
        without += f" (`desgw-daemon season check {season}` asks)"
    _note(connection, season, "reused" if taking.reused else "taken", f"{words} ({taking.how}){without}", who, at)
    return True


def take_one(
    connection: Connection, candidates: Collection[int], taking: Taking, *, who: str, at: datetime
) -> int | None:
    """Take one of these seasons at random; which one. None when all of them are known here."""
    free = sorted(set(candidates) - set(known_seasons(connection).used))
    if not free:
        return None
    season = random.SystemRandom().choice(free)
    take(connection, season, taking, who=who, at=at)
    return season


def record_event(connection: Connection, season: int, event: Event, *, who: str, at: datetime) -> bool:
    """Write down the event that a season is for; a value that is None stays as it is. False when nothing was new.

    Raises Refused for a season that is not known here.
    """
    rows = table(SeasonRow)
    if not is_known(connection, season):
        raise Refused(f"season {season} is not known; `desgw-daemon season list` shows those that are")
    if not connection.execute(select(rows.c.season).where(rows.c.season == season)).first():
        # Its exposures are older than the table of seasons.
        _insert(connection, season, Taking(how="queue", answers={}), who=who, at=at)
    before = event_of(connection, season)
    new = {
        key: value for key in EVENT_KEYS if (value := getattr(event, key)) is not None and value != getattr(before, key)
    }
    if not new:
        return False
    connection.execute(update(rows).where(rows.c.season == season).values(**new))
    _note(connection, season, "event", ", ".join(f"{key} {value}" for key, value in new.items()), who, at)
    return True


def event_of(connection: Connection, season: int) -> Event:
    """The event that a season is for, as far as somebody has said."""
    rows = table(SeasonRow)
    found = connection.execute(select(*(rows.c[key] for key in EVENT_KEYS)).where(rows.c.season == season))
    row = found.mappings().first()
    return Event() if row is None else Event(**row)


def _insert(connection: Connection, season: int, taking: Taking, *, who: str, at: datetime) -> None:
    connection.execute(
        insert(table(SeasonRow)).values(
            season=season,
            taken_at=at,
            taken_by=who,
            how=taking.how,
            answers=dict(taking.answers),
            unverified=list(taking.unverified),
            reused_at=at if taking.reused else None,
            reused_by=who if taking.reused else None,
        )
    )


def _note(connection: Connection, season: int, after: str, why: str, who: str, at: datetime) -> None:
    note(
        connection,
        at=at,
        kind="season",
        subject=f"season {season}",
        before=None,
        after=after,
        why=why,
        who=who,
        season=season,
    )
