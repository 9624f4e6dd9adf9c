"""`logs`: what the daemon has said, by exposure, nite, season, time and gravity; from the journal, or from the file."""

from __future__ import annotations

import argparse
import sys
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from desgw_daemon.cli.filters import add_filters

if TYPE_CHECKING:
    from desgw_daemon.report.logread import Record, Wanted

_LINES: Final = 200
_UNIT: Final = "desgw-daemon.service"
_SYSTEM_UNITS: Final = (
    Path("/etc/systemd/system"),
    Path("/usr/lib/systemd/system"),
    Path("/usr/local/lib/systemd/system"),
)


def add(sub: argparse._SubParsersAction[Any]) -> None:
    """Describe the command."""
    parser = sub.add_parser(
        "logs",
        help="what the daemon has said",
        description="Show the log, of one exposure if wanted. Where the daemon is a service of systemd this asks the\n"
        "journal, else it reads the log file (log.file).",
    )
    add_filters(parser, expnum="?")
    parser.add_argument("--since", metavar="TIME", help='such as "2 h", 2026-11-22T02:14:05Z, or 02:14 (UTC)')
    parser.add_argument(
        "-p", "--priority", default="debug", metavar="LEVEL", help="debug, info, warning or error, and graver"
    )
    parser.add_argument("-n", "--lines", type=int, default=_LINES, metavar="N", help=f"the last N (default {_LINES})")
    parser.add_argument("-f", "--follow", action="store_true", help="go on with what comes, until Ctrl-C")
    parser.add_argument("--file", action="store_true", help="read the log file, whatever the journal has")


def run(args: argparse.Namespace) -> int:
    """Print the records. Raises Refused, UsageError, ConfigError."""
    import json

    from desgw_daemon.report.logtext import as_line

    records = _records(args, _wanted(args))
    for record in records if args.follow else deque(records, maxlen=max(0, args.lines)):
        print(json.dumps(record) if args.json else as_line(None, "", record), flush=args.follow)
    return 0


def _wanted(args: argparse.Namespace) -> Wanted:
    from desgw_daemon.cli.reading import scope_of
    from desgw_daemon.errors import UsageError
    from desgw_daemon.report.logread import LEVELS, Wanted

    scope = scope_of(args)
    if args.priority.lower() not in LEVELS:
        raise UsageError(f"--priority {args.priority!r}: one of {', '.join(LEVELS)}")
    since = None if args.since is None else _time(args.since, datetime.now(UTC))
    return Wanted(expnum=scope.expnum, nite=scope.nite, season=scope.season, since=since, level=args.priority.lower())


def _time(text: str, now: datetime) -> datetime:
    """A span before now, a time of today or yesterday, or a whole time. Raises UsageError."""
    from datetime import time, timedelta

    from desgw_daemon.config.spans import parse_span
    from desgw_daemon.errors import UsageError

    try:
        return now - parse_span(text)
    except ValueError:
        pass
    try:
        today = datetime.combine(now.date(), time.fromisoformat(text), UTC)
        return today if today <= now else today - timedelta(days=1)
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f'--since {text!r}: such as "2 h", 2026-11-22T02:14:05Z, or 02:14') from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _records(args: argparse.Namespace, wanted: Wanted) -> Iterator[Record]:
    """From the journal where the daemon is a service, else from the file. Raises Refused."""
    from desgw_daemon.errors import Refused
    from desgw_daemon.report.logread import from_file, from_journal, journal_command

    if not args.file and (user := _service()) is not None:
        try:
            yield from from_journal(journal_command(wanted, user=user, follow=args.follow))
            return
        except OSError as error:
            print(f"desgw-daemon: the journal cannot be read ({error}): this is the log file", file=sys.stderr)
    path = _log_file(args)
    if path is None:
        raise Refused('there is no log file (log.file is ""), and the journal cannot be asked')
    try:
        yield from from_file(path, wanted, follow=args.follow)
    except FileNotFoundError:
        raise Refused(f"{path} is not there: nothing has been logged yet") from None
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}") from None


def _service() -> bool | None:
    """Whether the daemon is a service of one's own systemd; None: it is no service, or there is no journal here."""
    from shutil import which

    if which("journalctl") is None:
        return None
    if any((folder / _UNIT).exists() for folder in _SYSTEM_UNITS):
        return False
    return True if (Path.home() / ".config" / "systemd" / "user" / _UNIT).exists() else None


def _log_file(args: argparse.Namespace) -> Path | None:
    from desgw_daemon.config.locate import find_config, parse_text, read_text, state_folder

    config = find_config(args.config)
    section = parse_text(read_text(config), config).get("log")
    name = section.get("file", "desgw-daemon.log") if isinstance(section, dict) else "desgw-daemon.log"
    return state_folder(config) / name if name else None
