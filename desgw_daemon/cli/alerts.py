"""`alerts list|ack|silence`: what is up, and what people say of it."""

from __future__ import annotations

import argparse
from datetime import timedelta
from typing import Any, Final

from desgw_daemon.cli import alerts_list, alerts_report, alerts_test
from desgw_daemon.cli.opening import changing, open_config, utc_now, who
from desgw_daemon.errors import UsageError

#: Whoever wants less of a rule for good changes its entry in daemon.toml.
_LONGEST: Final = timedelta(days=30)
_REASON_MOST: Final = 500


def add(sub: argparse._SubParsersAction[Any]) -> None:
    """Describe the command."""
    parser = sub.add_parser("alerts", help="what is up and what to do; acknowledge it; silence some for a while")
    what = parser.add_subparsers(metavar="list|ack|silence|test|report", dest="what", required=True)
    alerts_list.add(what)
    ack = what.add_parser(
        "ack",
        help="say that somebody sees to an alert: it is not repeated",
        description="Say that somebody sees to an alert. It stays up and is shown, and is not repeated; its end is\n"
        "told.",
    )
    ack.add_argument("which", metavar="KEY|ID", help="as `alerts list` shows them")
    ack.add_argument("--reason", required=True, metavar="TEXT", help="what is being done; it is kept and shown")
    ack.set_defaults(run=_ack)
    silencing = what.add_parser(
        "silence",
        help="have nobody told of some alerts for a while",
        description="Have nobody told of some alerts until an end. They are raised and shown all the same; what is\n"
        "still up at the end is told then, once. EXPNUM: the alerts about this exposure alone.",
        epilog="A rule that should always be quiet: `alerts.rules` in daemon.toml.",
    )
    silencing.add_argument("which", metavar="RULE|KEY|EXPNUM", nargs="?", help="* and ? stand for anything in a key")
    silencing.add_argument("--for", metavar="TIME", dest="length", help='such as "2h" or "90 min", 30 d at most')
    silencing.add_argument("--reason", metavar="TEXT", help="why; it is kept and shown")
    silencing.add_argument("--end", metavar="ID", help="end this silence now")
    silencing.set_defaults(run=_silence)
    alerts_test.add(what)
    alerts_report.add(what)


def run(args: argparse.Namespace) -> int:
    """Never called: each command has a function of its own."""
    raise NotImplementedError(args.command)


def _ack(args: argparse.Namespace) -> int:
    from desgw_daemon.store.alertwishes import acknowledge

    reason = _reason(args.reason)
    with changing(open_config(args)) as connection:
        key = acknowledge(connection, args.which, who=who(), why=reason, at=utc_now())
    print(f"{key} is acknowledged: it is not repeated while it stays up, and its end is told")
    return 0


def _silence(args: argparse.Namespace) -> int:
    from desgw_daemon.cli.output import utc
    from desgw_daemon.store.alertwishes import end_silence, silence

    if args.end is not None:
        if args.which or args.length or args.reason:
            raise UsageError("--end ID ends a silence, and takes nothing else")
        if not args.end.isascii() or not args.end.isdigit() or len(args.end) > 9:
            raise UsageError(f"--end {args.end!r}: an id is a number; `desgw-daemon alerts list` shows them")
        with changing(open_config(args)) as connection:
            what = end_silence(connection, int(args.end), who=who(), at=utc_now())
        print(f"{what} is told again from the next cycle on")
        return 0
    if not args.which or not args.length or not args.reason:
        raise UsageError("silence what, for how long and why: `alerts silence RULE --for 2h --reason TEXT`")
    now = utc_now()
    until = now + _length(args.length)
    reason = _reason(args.reason)
    with changing(open_config(args)) as connection:
        number = silence(connection, args.which, until=until, who=who(), why=reason, at=now)
    print(
        f"silence {number}: nobody is told of {args.which} until {utc(until)}; `desgw-daemon alerts silence --end"
        f" {number}` ends it"
    )
    return 0


def _reason(text: str) -> str:
    if not text.strip() or len(text) > _REASON_MOST:
        raise UsageError(f"--reason: some words, {_REASON_MOST} characters at most")
    return " ".join(text.split())


def _length(text: str) -> timedelta:
    from desgw_daemon.config.spans import parse_span

    try:
        length = parse_span(text)
    except ValueError as error:
        raise UsageError(f"--for {text!r} {error}") from None
    if length > _LONGEST:
        raise UsageError(
            f"--for {text!r} must be {_LONGEST.days} d or shorter: a silence that nobody remembers is none"
        )
    return length
