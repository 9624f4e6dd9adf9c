"""What a message says, for somebody who reads it on a telephone at 3 a.m.: what, since when, what next.

Plain text without any markup: mail, chat and short messages show it all alike.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from desgw_daemon.decide.words import plural
from desgw_daemon.domain.alertrules import RULES
from desgw_daemon.domain.alerts import Telling
from desgw_daemon.domain.messages import SEVERITIES, Delivery, Message
from desgw_daemon.domain.times import utc

#: So many messages of a digest are named; `alerts list` has them all.
_MOST_LINES: Final = 30
_LONGEST_LINE: Final = 200


def host() -> str:
    """Where this daemon runs, in short."""
    return socket.gethostname().partition(".")[0]


def message_of(telling: Telling) -> Message:
    """An alert that is told."""
    name = telling.rule.replace("_", " ")
    about = f", exposure {telling.expnum}" if telling.expnum is not None else ""
    if telling.expnum is None and telling.season is not None:
        about = f", season {telling.season}"
    head = {"raised": telling.severity.upper(), "still": f"STILL {telling.severity.upper()}", "cleared": "OVER"}
    rule = RULES.get(telling.rule)
    match telling.kind:
        case "raised":
            lines = [telling.text, "", f"Since {utc(telling.since)}"]
        case "still":
            changed = telling.changed or "nothing has changed"
            lines = [telling.text, "", f"Still up since {utc(telling.since)}; {changed}"]
        case "cleared":
            lines = [f"It is over; it was up since {utc(telling.since)}. It said: {telling.text}"]
            if telling.over:
                lines.append(f"Over with it: {', '.join(telling.over)}")
            lines.append("")
    if rule is not None and telling.kind != "cleared":
        lines += [f"What to do: {rule.todo}", f"More: {rule.runbook}"]
    return Message(
        kind=telling.kind,
        severity=telling.severity if telling.kind != "cleared" else "info",
        title=f"{head[telling.kind]}: {name}{about} ({host()})",
        body="\n".join([*lines, f"desgw-daemon on {host()}"]),
        about=(telling.id, *telling.over_ids),
        key=telling.key,
    )


def digest_of(deliveries: Sequence[Delivery]) -> Message:
    """Several messages in one: those that were held back, or that a dead channel did not take."""
    worst = max((delivery.severity for delivery in deliveries), key=SEVERITIES.index)
    critical = sum(delivery.severity == "critical" for delivery in deliveries)
    first, last = deliveries[0].at, deliveries[-1].at
    lines = [
        f"{plural(len(deliveries), 'message')} from {utc(first)} to {utc(last)}, held back by the limit of the hour or"
        " by an outage of this channel:",
        "",
        *(_line(delivery) for delivery in deliveries[:_MOST_LINES]),
    ]
    if len(deliveries) > _MOST_LINES:
        lines.append(f"... and {len(deliveries) - _MOST_LINES} more")
    lines += ["", "What is up now: `desgw-daemon alerts list`", f"desgw-daemon on {host()}"]
    grave = f", {critical} critical" if critical else ""
    return Message(
        kind="digest",
        severity=worst,
        title=f"{plural(len(deliveries), 'message')}{grave} ({host()})",
        body="\n".join(lines),
    )


def _line(delivery: Delivery) -> str:
    title = delivery.title.removesuffix(f" ({host()})")
    said = delivery.body.partition("\n")[0]
    short = said if len(said) <= _LONGEST_LINE else f"{said[:_LONGEST_LINE]} ..."
    return f"- {utc(delivery.at)} {title}: {short}"


def trial_message(*, who: str, at: datetime) -> Message:
    """What `alerts test` sends."""
    return Message(
        kind="test",
        severity="info",
        title=f"Test of the alerts ({host()})",
        body=f"{who} tries at {utc(at)} whether messages of desgw-daemon arrive here. Nothing needs to be done.\n"
        f"desgw-daemon on {host()}",
    )
