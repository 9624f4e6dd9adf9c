"""Which messages are handed to which channel now: in order, at most so many an hour, what is more as one digest.

Each channel goes its own way: one that is dead keeps back nobody else's messages.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from desgw_daemon.decide.words import plural, span
from desgw_daemon.domain.actions import AlertWanted
from desgw_daemon.domain.messages import Batch, Delivery, Undelivered
from desgw_daemon.domain.policy import AlertPolicy
from desgw_daemon.domain.times import utc

#: More than these at once are read as one: after an outage of the channel, or when much happens in one cycle.
AT_ONCE: Final = 5
#: A message that was not delivered is tried again after an interval of the cycles, then after twice that, up to this.
_LONGEST_WAIT: Final = timedelta(minutes=30)
#: A server that hiccups is nobody's business: so many tries come before it is told.
_TRIES_BEFORE_ALERT: Final = 3
_HOUR: Final = timedelta(hours=1)


def next_batches(
    waiting: Sequence[Delivery],
    sent: Mapping[str, int],
    busy: Collection[str],
    policy: AlertPolicy,
    now: datetime,
) -> tuple[Batch, ...]:
    """One batch for each channel that has something to say and may.

    waiting: in their order. sent: how many went out by each channel within the last hour. busy: channels whose last
    batch is still under way.
    """
    lines = defaultdict[str, list[Delivery]](list)
    for delivery in waiting:
        lines[delivery.channel].append(delivery)
    return tuple(
        batch
        for channel, line in sorted(lines.items())
        if channel in policy.channels
        and channel not in busy
        and (batch := _batch(channel, line, policy.max_per_hour - sent.get(channel, 0), policy, now)) is not None
    )


def _batch(channel: str, line: Sequence[Delivery], room: int, policy: AlertPolicy, now: datetime) -> Batch | None:
    """The first in line decides when the channel is tried: what comes later never overtakes it."""
    if line[0].next_at is not None and line[0].next_at > now:
        return None
    if policy.max_per_hour > 1 and not any(delivery.severity == "critical" for delivery in line):
        # The last one of the hour is kept for what is worth waking somebody up.
        room -= 1
    if room < 1:
        return None
    digest = len(line) > min(room, AT_ONCE)
    return Batch(channel=channel, deliveries=tuple(line), digest=digest and len(line) > 1)


def given_up(waiting: Sequence[Delivery], policy: AlertPolicy, now: datetime) -> Iterator[tuple[Delivery, str]]:
    """Messages that are tried no longer, and why."""
    for delivery in waiting:
        if delivery.channel not in policy.channels:
            yield delivery, f"alerts.channels has no {delivery.channel} any more"
        elif now - delivery.at >= policy.give_up_after:
            why = delivery.problem or "there was no room for it in the hour"
            yield delivery, f"given up after {span(policy.give_up_after)}: {why}"


def next_try(tries: int, interval: timedelta, now: datetime) -> datetime:
    """When a message is handed over again that was not delivered in so many tries."""
    wait = interval
    for _ in range(tries - 1):
        if wait >= _LONGEST_WAIT:
            break
        wait *= 2
    return now + min(wait, max(_LONGEST_WAIT, interval))


def delivery_alerts(undelivered: Sequence[Undelivered], policy: AlertPolicy) -> Iterator[AlertWanted]:
    """One for each channel that does not deliver. The channel itself never gets it: see store/outbox.py."""
    for channel in undelivered:
        if channel.channel not in policy.channels:
            continue
        if channel.tries < _TRIES_BEFORE_ALERT and not channel.given_up:
            continue
        lost = f", {channel.given_up} given up" if channel.given_up else ""
        yield AlertWanted(
            key=f"delivery_failed:{channel.channel}",
            rule="delivery_failed",
            text=f"nothing is delivered by the channel {channel.channel} since {utc(channel.since)}"
            f" ({plural(channel.waiting, 'message')} waiting{lost}): {channel.problem}. It is tried again by itself;"
            f" `desgw-daemon alerts test {channel.channel}` tries it now. The other channels and the log go on",
            since=channel.since,
        )


def hour_before(now: datetime) -> datetime:
    """From when on messages count against the limit of the hour."""
    return now - _HOUR
