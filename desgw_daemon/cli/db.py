"""`db upgrade|check|backup`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from desgw_daemon.cli.opening import open_config, plainly, utc_now
from desgw_daemon.errors import Refused, UsageError

if TYPE_CHECKING:
    from desgw_daemon.config.loading import Loaded


def add(sub: argparse._SubParsersAction[Any]) -> None:
    """Describe the commands."""
    db = sub.add_parser("db", help="bring the database up to date, check it, save a copy")
    what = db.add_subparsers(metavar="upgrade|check|backup", dest="what", required=True)
    what.add_parser(
        "upgrade",
        help="bring the schema up to date (a copy is saved first)",
        description="Bring the database's schema up to date. Refused while a daemon works; a copy is saved first.",
    ).set_defaults(run=_upgrade)
    what.add_parser("check", help="integrity, schema and views; exit code 1 when something is wrong").set_defaults(
        run=_check
    )
    backup = what.add_parser(
        "backup",
        help="save a checked copy, also while the daemon works",
        description="Save a copy of the database, also while the daemon works. It is checked before it gets its name.",
    )
    backup.add_argument("file", nargs="?", metavar="FILE", help="default: backups/desgw-TIME.db in the state folder")
    backup.set_defaults(run=_backup)


def run(args: argparse.Namespace) -> int:
    """Never called: each command has a function of its own."""
    raise NotImplementedError(args.what)


def _existing(loaded: Loaded) -> Path:
    path = loaded.config.database
    if not path.exists():
        raise Refused(f"{path} does not exist yet: the first `desgw-daemon queue add` or `run` makes it")
    return path


def _upgrade(args: argparse.Namespace) -> int:
    from desgw_daemon.daemon.lock import ActLock
    from desgw_daemon.store.database import SCHEMA, OlderSchemaError, create_or_check, make_engine, upgrade

    loaded = open_config(args)
    path = _existing(loaded)
    with ActLock(loaded.config.paths.state), plainly(loaded):
        try:
            create_or_check(path).dispose()
        except OlderSchemaError:
            saved = _save(path, None)
        else:
            print(f"{path} is up to date (schema {SCHEMA})")
            return 0
        engine = make_engine(path)
        upgrade(engine)
        engine.dispose()
    print(f"{path} is up to date now (schema {SCHEMA}); the copy from before is {saved}")
    return 0


def _check(args: argparse.Namespace) -> int:
    from desgw_daemon.store.database import make_reading_engine, problems_of

    loaded = open_config(args)
    path = _existing(loaded)
    with plainly(loaded):
        engine = make_reading_engine(path)
        problems = problems_of(engine)
        engine.dispose()
    for problem in problems:
        print(problem)
    if problems:
        raise Refused(f"{path}: {len(problems)} problems; `desgw-daemon db backup` first, then see docs/database.md")
    print(f"{path} is whole, and fits this program")
    return 0


def _backup(args: argparse.Namespace) -> int:
    path = _existing(open_config(args))
    print(f"saved as {_save(path, Path(args.file) if args.file else None)}")
    return 0


def _save(path: Path, target: Path | None) -> Path:
    from desgw_daemon.store.database import backup

    if target is None:
        folder = path.parent / "backups"
        folder.mkdir(exist_ok=True)
        target = folder / f"desgw-{utc_now():%Y%m%dT%H%M%S}Z.db"
    try:
        backup(path, target)
    except FileExistsError:
        raise UsageError(f"{target} is there already; name another file") from None
    return target
