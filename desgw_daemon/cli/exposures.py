"""`exposures refresh|status`: exposures.list and the lists of the bands, from the exposure database."""

from __future__ import annotations

import argparse
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from desgw_daemon.cli.opening import changing, open_config, utc_now, who
from desgw_daemon.errors import ConfigError, DesgwError, Refused

if TYPE_CHECKING:
    from desgw_daemon.act.exposure_lists import Refreshed
    from desgw_daemon.config.loading import Loaded
    from desgw_daemon.observe.exposure_database import ExposureDatabase


def add(sub: argparse._SubParsersAction[Any]) -> None:
    """Describe the commands."""
    exposures = sub.add_parser("exposures", help="exposures.list: write it anew, see how old it is")
    what = exposures.add_subparsers(metavar="refresh|status", dest="what", required=True)
    refresh = what.add_parser(
        "refresh",
        help="write exposures.list and the lists of the bands anew, from the exposure database",
        description="Write exposures.list and every exposures_BAND.list anew from the exposure database\n"
        "(databases.exposures). Each file is replaced whole, or not at all; DAGMakers may be running.",
    )
    refresh.add_argument(
        "--force",
        action="store_true",
        help="also when the database has much less than the file that is there (never an empty list)",
    )
    refresh.add_argument("--json", action="store_true", help="print what was written as JSON")
    # By the daemon, which has written down that it begins, and reads the output for its end.
    refresh.add_argument("--claimed", type=int, metavar="N", help=argparse.SUPPRESS)
    refresh.set_defaults(run=_refresh)
    status = what.add_parser("status", help="when exposures.list was refreshed, by whom, and how that ended")
    status.add_argument("--json", action="store_true")
    status.set_defaults(run=_status)


def run(args: argparse.Namespace) -> int:
    """Never called: each command has a function of its own."""
    raise NotImplementedError(args.what)


def _refresh(args: argparse.Namespace) -> int:
    from desgw_daemon.cli.output import print_json
    from desgw_daemon.daemon.lock import RefreshLock

    loaded = open_config(args)
    config = loaded.config
    database = _database(loaded)
    begun = time.monotonic()
    with RefreshLock(config.paths.state):
        if args.claimed is not None:
            found = _write(loaded, database, force=args.force)
        else:
            found = _write_down(loaded, lambda: _write(loaded, database, force=args.force))
    seconds = round(time.monotonic() - begun, 1)
    if args.json:
        print_json({**asdict(found), "file": config.exposures_list, "database": database.name, "seconds": seconds})
        return 0
    bands = ", ".join(f"{band} {count}" for band, count in found.bands.items())
    before = "there was none before" if found.before is None else f"{found.before} before"
    print(f"{config.exposures_list}: {found.exposures} exposures ({before}), the newest {found.newest}; {bands}")
    if found.left_out:
        print(f"left out, for want of a band or a date: {found.left_out}")
    print(f"from {database.name}, in {seconds} s")
    return 0


def _database(loaded: Loaded) -> ExposureDatabase:
    """Raises ConfigError where none is configured that can be asked."""
    from desgw_daemon.observe.exposure_database import ExposureDatabase, ExposureDatabaseError

    databases = loaded.config.databases
    if not databases.exposures:
        raise ConfigError("databases.exposures is not set: nobody knows where exposures.list comes from")
    if databases.exposures.startswith("desservices:"):
        raise ConfigError("databases.exposures must be a URL: ~/.desservices.ini has only the databases of DESDM")
    try:
        return ExposureDatabase(
            databases.exposures,
            schema=databases.exposures_schema,
            folder=loaded.source.absolute().parent,
            patience=databases.timeout,
        )
    except ExposureDatabaseError as error:
        raise ConfigError(str(error)) from None


def _write_down(loaded: Loaded, write: Callable[[], Refreshed]) -> Refreshed:
    """Refresh, and have it stand in the database with its end."""
    from desgw_daemon.domain.states import RefreshState
    from desgw_daemon.store.refreshes import begin_refresh, finish_refresh

    with changing(loaded) as connection:
        refresh = begin_refresh(connection, who=who(), why="by command", at=utc_now())
    try:
        found = write()
    except BaseException as error:
        why = str(error) if isinstance(error, DesgwError) else f"it was cut off ({type(error).__name__})"
        with changing(loaded) as connection:
            finish_refresh(connection, refresh, RefreshState.FAILED, at=utc_now(), reason=why)
        raise
    with changing(loaded) as connection:
        finish_refresh(connection, refresh, RefreshState.DONE, at=utc_now(), exposures=found.exposures)
    return found


def _write(loaded: Loaded, database: ExposureDatabase, *, force: bool) -> Refreshed:
    from desgw_daemon.act.exposure_lists import count_exposures, write_lists
    from desgw_daemon.observe.exposure_database import ExposureDatabaseError

    path = loaded.config.exposures_list
    try:
        before = count_exposures(path)
    except OSError as error:
        raise Refused(
            f"{path}: {error.strerror}: the list that is there cannot be read; nothing was changed"
        ) from error
    try:
        with _progress(before) as told:
            return write_lists(database.lines(), path, force=force, before=before, told=told)
    except ExposureDatabaseError as error:
        raise Refused(f"{error}; no list was changed") from None


@contextmanager
def _progress(before: int | None) -> Iterator[Callable[[int], None]]:
    """Shows how far it is on a terminal, measured by the old list; says nothing elsewhere."""
    if not os.isatty(2):
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("exposures"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("exposures", total=before)

        def told(count: int) -> None:
            progress.update(task, completed=count, total=None if before is None else max(before, count))

        yield told


def _newest(db: sqlite3.Connection) -> list[dict[str, Any]]:
    db.row_factory = sqlite3.Row
    return [dict(row) for row in db.execute("SELECT * FROM v_refresh ORDER BY id DESC LIMIT 10")]


def _status(args: argparse.Namespace) -> int:
    from desgw_daemon.cli.output import print_json, print_table
    from desgw_daemon.cli.reading import find_place, read

    rows = read(find_place(args).database, _newest)
    if args.json:
        print_json({"refreshes": rows})
        return 0
    if not rows:
        print("exposures.list has never been refreshed by this program")
        return 0
    cells = [
        [
            row["started_at"],
            row["ended_at"] or "",
            row["state"],
            "" if row["exposures"] is None else str(row["exposures"]),
            row["who"],
            row["reason"] or row["why"],
        ]
        for row in rows
    ]
    print_table(["STARTED", "ENDED", "STATE", "EXPOSURES", "WHO", "WHY"], cells, right=["EXPOSURES"])
    return 0
