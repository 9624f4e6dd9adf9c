"""What the commands that change something begin with: the configuration, the database, who asks."""

from __future__ import annotations

import argparse
import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from desgw_daemon.errors import DesgwError, UsageError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from desgw_daemon.config.loading import Loaded

#: Files that people of the group must be able to write, too: the database above all.
_UMASK = 0o002


def open_config(args: argparse.Namespace) -> Loaded:
    """The checked configuration. Raises ConfigError."""
    from desgw_daemon.config.loading import load
    from desgw_daemon.config.locate import find_config

    os.umask(_UMASK)
    return load(find_config(args.config))


def open_database(loaded: Loaded) -> Engine:
    """The database, made if it is new.

    Raises SchemaError when it does not fit this program, DesgwError when it cannot be made.
    """
    from desgw_daemon.store.database import create_or_check

    with plainly(loaded):
        return create_or_check(loaded.config.database)


@contextmanager
def changing(loaded: Loaded) -> Iterator[Connection]:
    """One transaction on the database, which is made if it is new.

    Raises SchemaError when the database does not fit this program, DesgwError when it cannot be written.
    """
    from desgw_daemon.store.database import writing

    with plainly(loaded):
        database = open_database(loaded)
        try:
            with writing(database) as connection:
                yield connection
        finally:
            database.dispose()


@contextmanager
def looking(loaded: Loaded) -> Iterator[Connection]:
    """One consistent view of the database, which is never changed by it.

    Raises Refused when there is none yet, SchemaError when it does not fit, DesgwError when it cannot be read.
    """
    from desgw_daemon.store.database import make_reading_engine, reading

    with plainly(loaded):
        database = make_reading_engine(loaded.config.database)
        try:
            with reading(database) as connection:
                yield connection
        finally:
            database.dispose()


@contextmanager
def plainly(loaded: Loaded) -> Iterator[None]:
    """What the database refuses, in words for a person. Raises DesgwError."""
    from sqlalchemy.exc import DatabaseError

    from desgw_daemon.store.database import why_not_written

    try:
        yield
    except DatabaseError as error:
        raise DesgwError(why_not_written(loaded.config.database, str(error.orig))) from error


def who() -> str:
    """The name that stands beside what is done. A user without a name in the system is shown by number."""
    if (sudo := os.environ.get("SUDO_USER")) and sudo != "root":
        return sudo
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.geteuid()}"


def utc_now() -> datetime:
    """The moment of the command."""
    return datetime.now(UTC)


def season_number(text: str, *, option: str = "--season") -> int:
    """A season that may be used. Raises UsageError."""
    from desgw_daemon.domain.seasons import season_problem

    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise UsageError(f"{option} {text!r}: a season is a whole number such as 2206")
    if problem := season_problem(int(text)):
        raise UsageError(f"{option}: {problem}")
    return int(text)


def exposure_number(text: str) -> int:
    """An exposure number. Raises UsageError."""
    from desgw_daemon.domain.decam import EXPNUM_MAX, EXPNUM_MIN

    if not text.isascii() or not text.isdigit() or not EXPNUM_MIN <= int(text) <= EXPNUM_MAX:
        raise UsageError(f"{text!r} is no exposure number (6 or 7 digits)")
    return int(text)
