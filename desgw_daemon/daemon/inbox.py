"""Taking the lists of the inbox: into the queue and to ``taken/``, or to ``refused/`` with a ``.why`` beside it.

The queue is written first and the file moved after: a crash in between takes the same list again, which is harmless.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from desgw_daemon.daemon.resolving import resolve
from desgw_daemon.domain.seasons import season_problem
from desgw_daemon.observe.inbox import REFUSED, TAKEN, Dropped, free_name, scan_inbox
from desgw_daemon.observe.lists import RefusedList
from desgw_daemon.observe.text import plain_name
from desgw_daemon.report.events import Event
from desgw_daemon.report.logs import Log
from desgw_daemon.store.database import writing
from desgw_daemon.store.queue import add
from desgw_daemon.wiring import House


def take_lists(house: House, log: Log, now: datetime) -> None:
    """Take or refuse every settled list."""
    house.inbox.mkdir(exist_ok=True)
    for dropped in scan_inbox(house.inbox, settle=house.config.queue.inbox_settle, now=now):
        problems = _take(house, log, dropped, now)
        if problems:
            _refuse(log, dropped, problems)


def _take(house: House, log: Log, dropped: Dropped, now: datetime) -> tuple[str, ...]:
    """Put a list into the queue; why not, if it cannot be."""
    if dropped.season is None:
        return ("it does not lie in the folder of a season: drop it into inbox/SEASON/, such as inbox/2206/",)
    if problem := season_problem(dropped.season):
        return (problem,)
    if isinstance(dropped.content, RefusedList):
        return dropped.content.problems
    resolved = resolve(house.exposures_list, dropped.content.entries)
    if resolved.problems:
        return resolved.problems
    name = plain_name(dropped.path.name)
    with writing(house.database) as connection:
        added = add(
            connection,
            season=dropped.season,
            wishes=resolved.wishes,
            priority=0,
            who=dropped.owner,
            at=now,
            source=f"{name} (inbox)",
        )
    _move(dropped.path, TAKEN)
    log.info(
        Event.LIST_TAKEN,
        f"{name}: {len(added.new) + len(added.again)} exposures queued for season {dropped.season},"
        f" {len(added.known)} were there already",
        season=dropped.season,
    )
    for note in (*dropped.content.duplicates, *resolved.notes, *added.known):
        log.info(Event.LIST_TAKEN, f"{name}: {note}", season=dropped.season)
    return ()


def _refuse(log: Log, dropped: Dropped, problems: tuple[str, ...]) -> None:
    target = _move(dropped.path, REFUSED)
    if target is None:
        return
    why = target.with_name(target.name + ".why")
    part = why.with_name(why.name + ".part")
    part.write_text("This list was refused as a whole:\n" + "".join(f"{problem}\n" for problem in problems))
    part.replace(why)
    text = f"{plain_name(dropped.path.name)} is refused: {'; '.join(problems)} (see {why})"
    log.warning(Event.LIST_REFUSED, text, season=dropped.season)


def _move(path: Path, into: str) -> Path | None:
    """Move a dealt-with list aside, over nothing that is there; None when it has gone meanwhile."""
    folder = path.parent / into
    folder.mkdir(exist_ok=True)
    target = free_name(folder, path.name)
    try:
        path.rename(target)
    except FileNotFoundError:
        return None
    return target
