"""What the commands that change something begin with: the configuration, the database, who asks."""

from __future__ import annotations

import argparse
import getpass
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from desgw_daemon.errors import UsageError

if TYPE_CHECKING:
    from sqlalchemy import Engine

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
    """The database, made if it is new. Raises SchemaError when it does not fit this program."""
    from desgw_daemon.store.database import create_or_check

    return create_or_check(loaded.config.database)


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


def season_number(text: str) -> int:
    """A season that may be used. Raises UsageError."""
    from desgw_daemon.domain.seasons import season_problem

    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise UsageError(f"--season {text!r}: a season is a whole number such as 2206")
    if problem := season_problem(int(text)):
        raise UsageError(f"--season: {problem}")
    return int(text)


def exposure_number(text: str) -> int:
    """An exposure number. Raises UsageError."""
    from desgw_daemon.domain.decam import EXPNUM_MAX, EXPNUM_MIN

    if not text.isascii() or not text.isdigit() or not EXPNUM_MIN <= int(text) <= EXPNUM_MAX:
        raise UsageError(f"{text!r} is no exposure number (6 or 7 digits)")
    return int(text)
