"""`alerts list`: what is up, since when, who knows of it, what to do. Part of the alerts command; reads views alone."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from desgw_daemon.cli.screen import Screen
    from desgw_daemon.report.alertlist import AlertList, ListedAlert, ListedPending, ListedSilence

Line = tuple[str, str | None]
_STYLES: Final = {"critical": "bold red", "warning": "yellow", "info": "cyan"}
_INDENT: Final = "    "


def add(what: argparse._SubParsersAction[Any]) -> None:
    """Describe the command."""
    parser = what.add_parser(
        "list",
        help="the alerts that are up, what waits to be one, what is silenced",
        description="Show the alerts that are up, the gravest first: id, key, since when, who was told, what to do,\n"
        "and where more is said. Below them what may become one, and the silences. From the database alone.",
    )
    parser.add_argument("--all", action="store_true", help="those that are over, too")
    parser.add_argument("--json", action="store_true")
    parser.set_defaults(run=show)


def show(args: argparse.Namespace) -> int:
    """Carry it out. Raises Refused when there is no database yet, ConfigError, SchemaError."""
    from desgw_daemon.cli.output import print_json, print_lines
    from desgw_daemon.cli.reading import find_place, read
    from desgw_daemon.cli.screen import this_screen
    from desgw_daemon.report.alertlist import read_alerts

    now = datetime.now(UTC).replace(microsecond=0)
    listed = read(find_place(args).database, lambda db: read_alerts(db, now=now, everything=args.all))
    if args.json:
        print_json(listed)
    else:
        print_lines(_lines(listed, this_screen(now)))
    return 0


def _lines(listed: AlertList, screen: Screen) -> list[Line]:
    up = [alert for alert in listed["alerts"] if alert["cleared_at"] is None]
    over = [alert for alert in listed["alerts"] if alert["cleared_at"] is not None]
    lines: list[Line] = []
    if not up:
        lines.append(("No alert is up.", None))
    for alert in up:
        lines += _alert(alert, screen)
    if listed["pending"]:
        lines.append(("Not told (yet): it has not lasted, or waits for its cause to go.", "bold"))
        for row in listed["pending"]:
            lines.append(_pending(row, screen))
    if listed["silences"]:
        lines.append(("Silenced:", "bold"))
        lines += [_silence(silence, screen) for silence in listed["silences"]]
    if over:
        lines.append(("Over:", "bold"))
        for alert in over:
            start = (
                f"{_INDENT}{alert['id']:>4}  {screen.when(alert['raised_at'])} to {screen.when(alert['cleared_at'])}  "
            )
            lines.append(
                (screen.wrapped(f"{alert['key']}: {screen.said(alert['text'])}", first=start, indent=8), "dim")
            )
    return lines


def _alert(alert: ListedAlert, screen: Screen) -> list[Line]:
    """A head, what it says, what to do. One line in a pipe."""
    head = (
        f"{alert['severity']:<8}  {alert['id']:>4}  {alert['key']}  since {screen.when(alert['since'])}"
        f" ({screen.ago(alert['since'])}), {_who_knows(alert, screen)}"
    )
    text = screen.said(alert["text"])
    todo = f"Do: {alert['todo']}. More: {alert['page']}"
    style = None if _is_quiet(alert) else _STYLES.get(alert["severity"])
    if screen.width is None:
        return [(f"{head}: {text} | {todo}", style)]
    return [
        (screen.wrapped(head, indent=16), style),
        (screen.wrapped(text, first=_INDENT, indent=4), None),
        (screen.wrapped(todo, first=_INDENT, indent=4), "dim"),
        ("", None),
    ]


def _is_quiet(alert: ListedAlert) -> bool:
    """Nobody is told of it now."""
    return bool(alert["acked_at"] or alert["silenced_by"] or alert["muted_by"] or not alert["active"])


def _who_knows(alert: ListedAlert, screen: Screen) -> str:
    """Whether people have been told, and why they are not."""
    words = ["on trial, in the log only"] if not alert["active"] else []
    times = alert["times_told"]
    words.append(f"told {'once' if times == 1 else f'{times} times'}" if times else "told to nobody")
    if alert["acked_at"]:
        words.append(f"acknowledged by {alert['acked_by']} at {screen.when(alert['acked_at'])}: {alert['ack_reason']}")
    if alert["silenced_by"]:
        words.append(f"silence {alert['silenced_by']}")
    if alert["muted_by"]:
        words.append(f"not repeated while {alert['muted_by']} lasts")
    return ", ".join(words)


def _pending(row: ListedPending, screen: Screen) -> Line:
    why = f"muted by {row['muted_by']}" if row["muted_by"] else "not lasted yet"
    start = f"{_INDENT}{row['severity']:<8}  "
    words = f"{row['key']}  since {screen.when(row['since'])} ({screen.ago(row['since'])}), {why}: "
    return screen.wrapped(words + screen.said(row["text"]), first=start, indent=8), "dim"


def _silence(silence: ListedSilence, screen: Screen) -> Line:
    start = f"{_INDENT}{silence['id']:>4}  "
    words = f"{silence['what']}  until {screen.when(silence['until'])}, by {silence['who']}: {silence['reason']}"
    return screen.wrapped(words, first=start, indent=8), "dim"
