"""`db upgrade|check|backup`; `db restore` is in a module of its own."""

from __future__ import annotations

import argparse
import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from desgw_daemon.cli import db_restore
from desgw_daemon.cli.opening import open_config, plainly, utc_now
from desgw_daemon.errors import Refused, UsageError

if TYPE_CHECKING:
    from desgw_daemon.config.loading import Loaded

_COPY: Final = re.compile(r"desgw-\d{8}T\d{6}Z\.db")


def add(sub: argparse._SubParsersAction[Any]) -> None:
    """Describe the commands."""
    db = sub.add_parser("db", help="bring the database up to date, check it, save a copy")
    what = db.add_subparsers(metavar="upgrade|check|backup|restore", dest="what", required=True)
    what.add_parser(
        "upgrade",
        help="bring the schema up to date (a copy is saved first)",
        description="Bring the database's schema up to date. Refused while a daemon works; a copy is saved first.",
    ).set_defaults(run=_upgrade)
    what.add_parser("check", help="integrity, schema and views; exit code 1 when something is wrong").set_defaults(
        run=_check
    )
    db_restore.add(what)
    backup = what.add_parser(
        "backup",
        help="save a checked copy, also while the daemon works",
        description="Save a copy of the database, also while the daemon works. It is checked before it gets its name.\n"
        "Without FILE, only the newest backup.keep copies are kept.",
    )
    backup.add_argument("file", nargs="?", metavar="FILE", help="default: desgw-TIME.db in backup.folder")
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
            saved = _save(path, _next_copy(loaded))
        else:
            print(f"{path} is up to date (schema {SCHEMA})")
            return 0
        engine = make_engine(path)
        upgrade(engine)
        engine.dispose()
    print(f"{path} is up to date now (schema {SCHEMA}); the copy from before is {saved}")
    return 0


def _check(args: argparse.Namespace) -> int:
    from desgw_daemon.store.checking import problems_of
    from desgw_daemon.store.database import make_reading_engine

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
    loaded = open_config(args)
    path = _existing(loaded)
    if args.file:
        print(f"saved as {_save(path, Path(args.file))}")
        return 0
    print(f"saved as {_save(path, _next_copy(loaded))}")
    for old in _older_copies(loaded):
        old.unlink(missing_ok=True)
        print(f"removed {old}: backup.keep is {loaded.config.backup.keep}")
    return 0


def _save(path: Path, target: Path) -> Path:
    """A copy that has passed SQLite's integrity check. Raises SchemaError when it has not: older copies stay."""
    from desgw_daemon.store.database import backup

    try:
        backup(path, target)
    except FileExistsError:
        raise UsageError(f"{target} is there already; name another file") from None
    except OSError as error:
        raise Refused(f"{target} cannot be written: {error.strerror}") from None
    return target


def _next_copy(loaded: Loaded) -> Path:
    """Where the next copy goes."""
    folder = loaded.config.backups
    folder.mkdir(parents=True, exist_ok=True)
    at = utc_now()
    # Of two copies in one second the later one is named by the next: nobody is asked for a name that is ours to find.
    while (copy := folder / f"desgw-{at:%Y%m%dT%H%M%S}Z.db").exists():
        at += timedelta(seconds=1)
    return copy


def _older_copies(loaded: Loaded) -> list[Path]:
    """Our own copies beyond those that are kept; files of other names are people's."""
    copies = sorted(path for path in loaded.config.backups.iterdir() if _COPY.fullmatch(path.name))
    return copies[: -loaded.config.backup.keep]
