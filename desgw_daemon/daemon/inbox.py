"""Taking the lists of the inbox: into the queue and to ``taken/``, or to ``refused/`` with a ``.why`` beside it.

The queue is written first and the file moved after: a crash in between takes the same list again, which is harmless.
"""

from __future__ import annotations

import os
import pwd
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from desgw_daemon.daemon.resolving import resolve
from desgw_daemon.decide.words import plural
from desgw_daemon.domain.seasons import ELSEWHERE
from desgw_daemon.observe.inbox import REFUSED, TAKEN, DroppedList, scan_inbox, target_name
from desgw_daemon.observe.lists import RefusedList, parse_list
from desgw_daemon.observe.refused_lists import Refusal, lately_refused
from desgw_daemon.observe.text import plain_name
from desgw_daemon.report.events import Event
from desgw_daemon.report.logs import Log
from desgw_daemon.store.adding import add
from desgw_daemon.store.database import writing
from desgw_daemon.store.seasons import Taking, take
from desgw_daemon.wiring import House


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxOutcome:
    """What a person should know.

    problems: what could not be worked with; refused: lists of the last day; ignored: files that are no lists.
    """

    problems: tuple[str, ...] = ()
    refused: tuple[Refusal, ...] = ()
    ignored: tuple[str, ...] = ()


def take_lists(house: House, log: Log, now: datetime) -> InboxOutcome:
    """Take or refuse every list that has come to rest. One that cannot be moved stays, and keeps no other back."""
    house.inbox.mkdir(exist_ok=True)
    scan = scan_inbox(house.inbox, settle=house.config.queue.inbox_settle, now=now)
    problems = list(scan.problems)
    for dropped in scan.lists:
        try:
            refusal = _take(house, log, dropped, now)
            if refusal:
                _refuse(log, dropped.path, dropped.season, refusal)
        except OSError as error:
            problems.append(_words(dropped.path, error))
    for refused in scan.refused:
        try:
            _refuse(log, refused.path, None, (refused.problem,))
        except OSError as error:
            problems.append(_words(refused.path, error))
    return InboxOutcome(problems=tuple(problems), refused=lately_refused(house.inbox, now), ignored=scan.ignored)


def _take(house: House, log: Log, dropped: DroppedList, now: datetime) -> tuple[str, ...]:
    """Put a list into the queue; why not, if it cannot be. Raises OSError."""
    parsed = parse_list(dropped.data)
    if isinstance(parsed, RefusedList):
        return parsed.problems
    resolved = resolve(house.exposures_list, parsed.entries)
    if resolved.problems:
        return resolved.problems
    owner = _owner(dropped.path)
    # First of all: a list that can be queued but not moved would bring back what a person removes.
    folder = _folder(dropped.path, TAKEN)
    name = plain_name(dropped.path.name)
    # Nobody is asked whether it is used elsewhere: that could take long, and a person has named the folder.
    taking = Taking(how="queue", answers={}, unverified=[source.value for source in ELSEWHERE])
    with writing(house.database) as connection:
        take(connection, dropped.season, taking, who=owner, at=now)
        added = add(
            connection,
            season=dropped.season,
            wishes=resolved.wishes,
            priority=0,
            who=owner,
            at=now,
            source=f"{name} (inbox)",
        )
    with suppress(FileNotFoundError):  # taken away again, too late
        dropped.path.rename(_target(dropped.path, folder))
    log.info(
        Event.LIST_TAKEN,
        f"{name}: {plural(len(added.new) + len(added.again), 'exposure')} queued for season {dropped.season},"
        f" {len(added.known)} were there already",
        season=dropped.season,
    )
    for note in (*parsed.duplicates, *resolved.notes, *added.known):
        log.info(Event.LIST_TAKEN, f"{name}: {note}", season=dropped.season)
    return ()


def _refuse(log: Log, path: Path, season: int | None, problems: tuple[str, ...]) -> None:
    folder = _folder(path, REFUSED)
    try:
        target = _target(path, folder)
    except FileNotFoundError:  # taken away again
        return
    why = target.with_name(target.name + ".why")
    # Before the list: whoever finds it there finds its why, too.
    why.write_text("This list was refused as a whole:\n" + "".join(f"{problem}\n" for problem in problems))
    try:
        path.rename(target)
    except FileNotFoundError:  # taken away again
        why.unlink()
        return
    text = f"{plain_name(path.name)} is refused: {'; '.join(problems)} (see {plain_name(str(why))})"
    log.warning(Event.LIST_REFUSED, text, season=season)


def _folder(path: Path, name: str) -> Path:
    """The folder for lists that are dealt with. Raises OSError when nothing can be moved into it."""
    folder = path.parent / name
    folder.mkdir(exist_ok=True)
    for place in (folder, path.parent):
        if not os.access(place, os.W_OK | os.X_OK):
            raise PermissionError(13, "the daemon may not write there", str(place))
    return folder


def _target(path: Path, folder: Path) -> Path:
    """Where a dealt-with list goes: over nothing that is there.

    It is named by the time when it was dropped, which a second attempt after a crash finds again. Raises
    FileNotFoundError when it is no longer there.
    """
    dropped_at = datetime.fromtimestamp(path.lstat().st_ctime, UTC)
    return folder / target_name(path.name, dropped_at, [found.name for found in folder.iterdir()])


def _owner(path: Path) -> str:
    """Whoever dropped it: the name that stands beside what is done."""
    uid = path.lstat().st_uid
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _words(path: Path, error: OSError) -> str:
    return f"{plain_name(path.name)} stays: {plain_name(str(error.filename or path))}: {error.strerror or error}"
