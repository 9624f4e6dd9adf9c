"""What the daemon knows: its database and copies of it, the seasons, exposures.list."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import text as sql
from sqlalchemy.exc import DatabaseError

from desgw_daemon.config.model import Config
from desgw_daemon.daemon.doctor.check import Answer, Case, check, fail, ok, size, warn
from desgw_daemon.domain.seasons import season_problem
from desgw_daemon.domain.times import age
from desgw_daemon.errors import DesgwError
from desgw_daemon.store.database import make_reading_engine, reading
from desgw_daemon.store.readonly import wal_size, why_not_read

#: A timer makes one each day.
_OLD_COPY: Final = timedelta(days=2)
#: A list that is refreshed by hand is as old as the last observing run.
_OLD_LIST: Final = timedelta(days=2)
#: One that the daemon refreshes has missed so many turns.
_TURNS_MISSED: Final = 4


def _as_long_as_a_check(_: Config) -> timedelta:
    """`quick_check` reads the whole file: some seconds for each GB."""
    return timedelta(minutes=2)


@check("database", within=_as_long_as_a_check)
def database(case: Case) -> Answer:
    """The SQLite file: there, of this program, whole."""
    path = case.config.database
    if not path.exists():
        return ok(f"{path} is not there yet: the first `desgw-daemon run` or `queue add` makes it")
    try:
        engine = make_reading_engine(path)
        try:
            with reading(engine) as connection:
                answers = [str(row[0]) for row in connection.execute(sql("PRAGMA quick_check(3)"))]
        finally:
            engine.dispose()
    except DesgwError as error:
        what, _, todo = str(error).partition(": ")
        return fail(what, todo or "desgw-daemon db check")
    except DatabaseError as error:
        return fail(why_not_read(path, str(error.orig)), f"see docs/database.md; copies are in {case.config.backups}")
    if answers != ["ok"]:
        todo = f"stop the daemon and bring back a copy from {case.config.backups} (docs/database.md)"
        return fail(f"{path} is damaged: {'; '.join(answers)}", todo)
    return ok(f"{path} is whole ({size(path.stat().st_size + wal_size(path))})")


@check("backup")
def backup(case: Case) -> Answer:
    """Whether there is a new copy of the database."""
    folder = case.config.backups
    if not case.config.database.exists():
        return ok("there is nothing to copy yet")
    times = [path.stat().st_mtime for path in folder.glob("*.db")] if folder.is_dir() else []
    todo = "`desgw-daemon db backup`; the timer desgw-daemon-backup.timer does it each day"
    if not times:
        return warn(f"there is no copy of the database in {folder}", todo)
    old = case.now - datetime.fromtimestamp(max(times), UTC)
    if old > _OLD_COPY:
        return warn(f"the newest copy of the database in {folder} is {age(old)} old", todo)
    return ok(f"the newest copy of the database is {age(old)} old ({len(times)} in {folder})")


@check("season")
def season(case: Case) -> Answer:
    """Which seasons are open, and whether they may be."""
    path = case.config.database
    query = (
        "SELECT season, count(*) FROM v_exposure WHERE state NOT IN ('done', 'removed') GROUP BY season ORDER BY season"
    )
    try:
        engine = make_reading_engine(path)
    except DesgwError:
        return ok("nothing is queued: there is no database to read it from")
    with reading(engine) as connection:
        found = [(int(number), int(count)) for number, count in connection.execute(sql(query))]
    engine.dispose()
    for number, _ in found:
        if problem := season_problem(number):
            return warn(f"season {number} is open, and {problem}", f"desgw-daemon status --season {number}")
    if not found:
        return ok("no season is open")
    return ok("exposures are open in " + ", ".join(f"season {number} ({count} open)" for number, count in found))


@check("exposures_list")
def exposures_list(case: Case) -> Answer:
    """The history of the camera, from which bands and nites come."""
    path = case.config.exposures_list
    seen = case.trees.look(path)
    todo = "desgw-daemon exposures refresh"
    if seen.kind != "file" or seen.problem or not seen.readable:
        why = seen.problem or ("it is not there" if seen.kind is None else "it is no file, or may not be read")
        return fail(f"{path} cannot be read: {why}", todo)
    if not seen.size:
        return fail(f"{path} is empty", todo)
    old = case.now - datetime.fromtimestamp(seen.mtime, UTC)
    by_itself = case.config.databases.exposures and case.config.databases.refresh_every
    if old > (_TURNS_MISSED * case.config.databases.refresh_every + timedelta(hours=1) if by_itself else _OLD_LIST):
        # The daemon refreshes it only while something waits for it.
        return warn(f"{path} is {age(old)} old: exposures of tonight are not in it", todo)
    return ok(f"{path} is {age(old)} old ({size(seen.size)})")
