"""Putting exposures into the queue: a list whole or not at all, what is there already left alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, update

from desgw_daemon.domain.snapshot import Exposure
from desgw_daemon.domain.states import ExposureState, Ready
from desgw_daemon.store.journal import note
from desgw_daemon.store.load import load_snapshot
from desgw_daemon.store.queue import begin_again
from desgw_daemon.store.tables import ExposureRow, table


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """An exposure that somebody wants in the queue. band and nite are None when not known yet."""

    expnum: int
    band: str | None
    nite: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """The outcome of adding a list: what is new, what was there already (and how), what came back."""

    new: tuple[int, ...]
    known: tuple[str, ...]
    again: tuple[int, ...]


def add(
    connection: Connection,
    *,
    season: int,
    wishes: Sequence[Wish],
    priority: int,
    who: str,
    at: datetime,
    watch_only: bool = False,
    source: str,
) -> Added:
    """Put exposures into the queue, all or none. One that is there already is named, and nothing happens to it.

    Removed ones come back as a new attempt. watch_only: found on /pnfs, submitted by somebody else.
    """
    there: dict[tuple[int, str | None], Exposure] = {
        (e.expnum, e.nite): e
        for e in load_snapshot(connection, with_ccds_of=(), scope="all").exposures
        if e.season == season
    }
    new, known, again = [], [], []
    for wish in wishes:
        found = _same(there, wish)
        if found is None:
            _insert(connection, season, wish, priority, who, at, watch_only, source)
            there[wish.expnum, wish.nite] = _placeholder(season, wish, at)
            new.append(wish.expnum)
        elif found.state is ExposureState.REMOVED:
            why = f"added again from {source}"
            begin_again(connection, found, at=at, who=who, why=why, watch_only=watch_only, priority=priority)
            # What the list says now counts: it may have been removed because the old one was wrong.
            learn_data(connection, found, nite=wish.nite or found.nite, band=wish.band or found.band, at=at)
            again.append(wish.expnum)
        elif found.key is None and _completes(found, wish):
            learn_data(connection, found, nite=found.nite or wish.nite, band=found.band or wish.band, at=at)
            known.append(f"{found.label} waited for its data, and has what the list says now")
        else:
            known.append(f"{found.label} is {found.state} since {found.since:%Y-%m-%dT%H:%M:%SZ}")
    return Added(new=tuple(new), known=tuple(known), again=tuple(again))


def _completes(found: Exposure, wish: Wish) -> bool:
    """Whether a wish says what an exposure in the queue waits for."""
    return found.state is ExposureState.QUEUED and (
        (found.band is None and wish.band is not None) or (found.nite is None and wish.nite is not None)
    )


def _same(there: dict[tuple[int, str | None], Exposure], wish: Wish) -> Exposure | None:
    """The exposure of the season that the wish means: of its nite, or of any when no nite is said."""
    if wish.nite is not None:
        # One that still waits for its data is the same exposure: its nite was not known when it was added.
        return there.get((wish.expnum, wish.nite)) or there.get((wish.expnum, None))
    return next((exposure for (expnum, _), exposure in there.items() if expnum == wish.expnum), None)


def _placeholder(season: int, wish: Wish, at: datetime) -> Exposure:
    return Exposure(
        id=0,
        season=season,
        expnum=wish.expnum,
        nite=wish.nite,
        band=wish.band,
        state=ExposureState.QUEUED,
        reason="",
        since=at,
        queued_at=at,
        news_at=at,
    )


def _insert(
    connection: Connection,
    season: int,
    wish: Wish,
    priority: int,
    who: str,
    at: datetime,
    watch_only: bool,
    source: str,
) -> None:
    state = ExposureState.PROCESSING if watch_only else ExposureState.QUEUED
    why = f"found on /pnfs by {source}: watched, never submitted" if watch_only else f"added from {source}"
    exposure_id = connection.execute(
        insert(table(ExposureRow)).values(
            season=season,
            nite=wish.nite,
            expnum=wish.expnum,
            band=wish.band,
            state=state.value,
            reason=why,
            since=at,
            queued_at=at,
            added_by=who,
            priority=priority,
            watch_only=watch_only,
            held=False,
            attempt=1,
            ready=Ready.NO.value,
            news_at=at,
            forcefiles_expected=0,
            forcefiles_found=0,
            forcefiles_missing=[],
            forcefiles_surplus=[],
        )
    ).inserted_primary_key
    assert exposure_id is not None
    note(
        connection,
        at=at,
        kind="exposure",
        subject=_placeholder(season, wish, at).label,
        before=None,
        after=state.value,
        why=why,
        who=who,
        exposure_id=exposure_id[0],
        season=season,
    )


def note_unlisted(connection: Connection, exposure: Exposure, *, since: datetime | None) -> None:
    """Write down since when exposures.list has no line for an exposure of the queue; None: it has one."""
    rows = table(ExposureRow)
    connection.execute(update(rows).where(rows.c.id == exposure.id).values(unlisted_since=since))


def learn_data(connection: Connection, exposure: Exposure, *, nite: str | None, band: str | None, at: datetime) -> None:
    """Write down band and nite of an exposure that waited for them."""
    rows = table(ExposureRow)
    connection.execute(
        update(rows)
        .where(rows.c.id == exposure.id, rows.c.state == ExposureState.QUEUED.value)
        .values(nite=nite, band=band, news_at=at)
    )
