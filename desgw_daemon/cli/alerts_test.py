"""`alerts test`: one message through every channel, now, by the same program that sends in the night."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from desgw_daemon.cli.opening import changing, open_config, utc_now, who
from desgw_daemon.errors import DesgwError, UsageError

if TYPE_CHECKING:
    from desgw_daemon.act.address import Place
    from desgw_daemon.config.loading import Loaded
    from desgw_daemon.config.model import Config
    from desgw_daemon.domain.messages import Message


def add(sub: argparse._SubParsersAction[Any]) -> None:
    """Describe the command."""
    parser = sub.add_parser(
        "test",
        help="send one message through every channel now, and say what came of it",
        description="Send one message through every channel of alerts.channels (or those that are named) now, and say\n"
        "for each whether it was delivered or what is wrong. The exit code is 1 when one of them fails.\n"
        "Where this account may not read an address, the daemon sends the message in its next cycle.",
    )
    parser.add_argument("channels", metavar="CHANNEL", nargs="*", help="as daemon.toml names them; all when none is")
    parser.add_argument("--json", action="store_true", help="print what came of it as JSON")
    parser.set_defaults(run=_test)


def _test(args: argparse.Namespace) -> int:
    import os

    from desgw_daemon.act.address import places
    from desgw_daemon.act.send import send_now
    from desgw_daemon.cli.alerts_test_asked import asked, longest_wait
    from desgw_daemon.cli.output import print_json
    from desgw_daemon.report.messages import trial_message

    loaded = open_config(args)
    config = loaded.config
    wanted = _wanted(args.channels, sorted(config.alerts.channels))
    if not wanted:
        raise DesgwError(f"alerts.channels is empty ({loaded.source}): nobody is told of anything; see docs/alerts.md")
    message = trial_message(who=who(), at=utc_now())
    folders = places(config.alert_credentials, os.environ)
    failed = 0
    said = []
    for channel in wanted:
        by_daemon = _is_the_daemons(config, channel, folders)
        if by_daemon:
            if not args.json:
                seconds = longest_wait(loaded).total_seconds()
                print(f"{channel}: its address is for the daemon alone, which sends it now (at most {seconds:g} s) ...")
            problem = asked(loaded, channel, message)
        else:
            problem = send_now(channel, message, folders, config.alerts.send_within)
        failed += problem is not None
        said.append({"channel": channel, "delivered": problem is None, "problem": problem})
        if not args.json:
            print(f"{channel}: {'OK' if problem is None else f'FAILED: {problem}'}", flush=True)
        if problem is None and not by_daemon:
            _record(loaded, channel, message)
    if args.json:
        print_json(said)
    return 1 if failed else 0


def _is_the_daemons(config: Config, channel: str, folders: Sequence[Place]) -> bool:
    """Whether this account sees no address, and there is a daemon that may: systemd hands it files that are root's."""
    from desgw_daemon.act.address import AddressError, HiddenError, read_address
    from desgw_daemon.daemon.lock import is_held

    try:
        read_address(channel, folders)
    except HiddenError:
        return is_held(config.paths.state)
    except AddressError:
        pass  # its words are the sender's
    return False


def _wanted(named: Sequence[str], there: Sequence[str]) -> Sequence[str]:
    for name in named:
        if name not in there:
            raise UsageError(f"there is no channel {name!r} in alerts.channels; there is: {', '.join(there) or 'none'}")
    return list(dict.fromkeys(named)) or there


def _record(loaded: Loaded, channel: str, message: Message) -> None:
    """Write it down: that the channel delivers again ends its alert. What the database says to it is told, no more."""
    import sys

    from desgw_daemon.store.outbox import record_test

    try:
        with changing(loaded) as connection:
            record_test(connection, channel, message, at=utc_now())
    except DesgwError as error:
        print(f"desgw-daemon: it was delivered, and could not be written down: {error}", file=sys.stderr)
