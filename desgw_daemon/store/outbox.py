"""The outbox: messages to people, a row for each channel. Written before they are sent; what became of them after."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from desgw_daemon.domain.messages import SEVERITIES, Batch, Delivery, Message, Outcome, Undelivered
from desgw_daemon.domain.states import DeliveryState
from desgw_daemon.store.tables import DeliveryRow, table

#: A channel that is told of nothing but what is critical is somebody's telephone: no report goes there.
_LOUD: Final = "critical"


def put_out(connection: Connection, messages: Iterable[Message], channels: Mapping[str, str], *, at: datetime) -> None:
    """A row for each message and channel that it goes to, in the caller's transaction.

    channels: from which severity on each is told. The end of an alert goes where the alert went, a report wherever more
    than what is critical goes, and that a channel does not deliver to the others alone: it would feed itself.
    """
    rows = table(DeliveryRow)
    for message in messages:
        for channel, least in channels.items():
            if message.key != f"delivery_failed:{channel}" and _goes_to(connection, message, channel, least):
                connection.execute(
                    insert(rows).values(
                        channel=channel,
                        kind=message.kind,
                        alert_id=message.about[0] if message.about else None,
                        severity=message.severity,
                        title=message.title,
                        body=message.body,
                        at=at,
                        state=DeliveryState.WAITING.value,
                        tries=0,
                    )
                )


def _goes_to(connection: Connection, message: Message, channel: str, least: str) -> bool:
    match message.kind:
        case "report":
            return least != _LOUD
        case "cleared":
            rows = table(DeliveryRow)
            told = select(rows.c.id).where(
                rows.c.channel == channel,
                rows.c.alert_id.in_(message.about),
                rows.c.kind.in_(("raised", "still")),
                rows.c.state != DeliveryState.TOO_OLD.value,
            )
            return connection.execute(told.limit(1)).first() is not None
    return SEVERITIES.index(message.severity) >= SEVERITIES.index(least)


def load_deliveries(connection: Connection, state: DeliveryState) -> tuple[Delivery, ...]:
    """The messages in a state, in their order."""
    rows = table(DeliveryRow)
    return _load(connection, rows.c.state == state.value)


def _load(connection: Connection, condition: ColumnElement[bool]) -> tuple[Delivery, ...]:
    rows = table(DeliveryRow)
    found = connection.execute(select(rows).where(condition).order_by(rows.c.id)).mappings()
    return tuple(Delivery(**{**row, "state": DeliveryState(row["state"])}) for row in found)


def sent_since(connection: Connection, since: datetime) -> dict[str, int]:
    """How many messages went out by each channel since then. Those of `alerts test` do not count."""
    rows = table(DeliveryRow)
    query = select(rows.c.channel, func.count()).where(
        rows.c.state == DeliveryState.SENT.value, rows.c.ended_at > since, rows.c.kind != "test"
    )
    return {row[0]: row[1] for row in connection.execute(query.group_by(rows.c.channel))}


def claim_batch(
    connection: Connection, batch: Batch, digest: Message | None, *, folder: str, at: datetime
) -> tuple[Delivery, ...]:
    """Mark the messages of a batch as handed over, and return what is to be sent: they, or their digest.

    folder: of the process that will send them. digest: the words of the digest, when it is to be one.
    """
    rows = table(DeliveryRow)
    ids = [delivery.id for delivery in batch.deliveries]
    mine = update(rows).where(rows.c.id.in_(ids))
    if digest is None:
        connection.execute(
            mine.values(state=DeliveryState.SENDING.value, tries=rows.c.tries + 1, folder=folder, next_at=None)
        )
        return _load(connection, rows.c.id.in_(ids))
    key = connection.execute(
        insert(rows).values(
            channel=batch.channel,
            kind="digest",
            severity=digest.severity,
            title=digest.title,
            body=digest.body,
            at=at,
            state=DeliveryState.SENDING.value,
            tries=1 + max(delivery.tries for delivery in batch.deliveries),
            folder=folder,
            problem=batch.deliveries[0].problem,
        )
    ).inserted_primary_key
    assert key is not None
    connection.execute(mine.values(state=DeliveryState.DIGESTED.value, digest_id=key[0], next_at=None))
    return _load(connection, rows.c.id == key[0])


def settle(connection: Connection, delivery: Delivery, outcome: Outcome, *, next_at: datetime, at: datetime) -> None:
    """What became of a message that was handed over; one that was not delivered waits until `next_at`.

    The messages of a digest that was not delivered wait again, each by itself.
    """
    rows = table(DeliveryRow)
    row, inside = update(rows).where(rows.c.id == delivery.id), update(rows).where(rows.c.digest_id == delivery.id)
    if outcome.sent:
        connection.execute(row.values(state=DeliveryState.SENT.value, ended_at=at, problem=None, folder=None))
        connection.execute(inside.values(ended_at=at))
        return
    again: dict[str, Any] = {"state": DeliveryState.WAITING.value, "folder": None, "digest_id": None}
    if outcome.begun:
        again |= {"next_at": next_at, "problem": outcome.problem}
    if delivery.kind == "digest":
        connection.execute(inside.values(again | {"tries": delivery.tries}))
        connection.execute(
            row.values(state=DeliveryState.DIGESTED.value, ended_at=at, problem=outcome.problem, folder=None)
        )
    else:
        connection.execute(row.values(again))


def give_up(connection: Connection, delivery: Delivery, why: str, *, at: datetime) -> None:
    """A message is tried no longer."""
    rows = table(DeliveryRow)
    row = update(rows).where(rows.c.id == delivery.id)
    connection.execute(row.values(state=DeliveryState.TOO_OLD.value, problem=why, ended_at=at, next_at=None))


def record_test(connection: Connection, channel: str, message: Message, *, at: datetime) -> None:
    """A message of `alerts test` was delivered."""
    values = {"severity": message.severity, "title": message.title, "body": message.body}
    connection.execute(
        insert(table(DeliveryRow)).values(
            channel=channel, kind="test", **values, at=at, state=DeliveryState.SENT.value, tries=1, ended_at=at
        )
    )


def ask_test(connection: Connection, channel: str, message: Message, *, at: datetime) -> int:
    """A message of `alerts test` that the daemon is to send; its id."""
    values = {"severity": message.severity, "title": message.title, "body": message.body}
    key = connection.execute(
        insert(table(DeliveryRow)).values(
            channel=channel, kind="test", **values, at=at, state=DeliveryState.WAITING.value, tries=0
        )
    ).inserted_primary_key
    assert key is not None
    return int(key[0])


def load_delivery(connection: Connection, number: int) -> Delivery | None:
    """One message."""
    return next(iter(_load(connection, table(DeliveryRow).c.id == number)), None)


def withdraw(connection: Connection, number: int) -> None:
    """A message that need not be sent any more, unless it is under way."""
    rows = table(DeliveryRow)
    connection.execute(delete(rows).where(rows.c.id == number, rows.c.state == DeliveryState.WAITING.value))


def load_undelivered(connection: Connection) -> tuple[Undelivered, ...]:
    """The channels that have not delivered what was last handed to them."""
    rows = table(DeliveryRow)
    # A failed try leaves its problem with the message, also while it is tried again.
    waits = rows.c.state.in_((DeliveryState.WAITING.value, DeliveryState.SENDING.value))
    failed = select(rows.c.channel).where(waits & rows.c.problem.is_not(None) | _is_given_up(rows))
    found = []
    for (channel,) in connection.execute(failed.distinct().order_by(rows.c.channel)).all():
        last = connection.execute(
            select(func.max(rows.c.ended_at)).where(rows.c.channel == channel, rows.c.state == DeliveryState.SENT.value)
        ).scalar_one()
        mine = rows.c.channel == channel
        line = [d for d in _load(connection, mine & waits) if d.kind != "digest"]
        lost = [d for d in _load(connection, mine & _is_given_up(rows)) if last is None or _ended_after(d, last)]
        one = _undelivered(channel, line, lost, last)
        if one is not None:
            found.append(one)
    return tuple(found)


def _undelivered(
    channel: str, line: Sequence[Delivery], lost: Sequence[Delivery], last: datetime | None
) -> Undelivered | None:
    tried = [d for d in line if d.problem is not None]
    if not tried and not lost:
        return None
    newest = (tried or lost)[-1]
    assert newest.problem is not None
    return Undelivered(
        channel=channel,
        since=min(d.at for d in (*lost, *tried)),
        problem=newest.problem,
        waiting=len(line),
        tries=max((d.tries for d in tried), default=0),
        given_up=len(lost),
    )


def _is_given_up(rows: Any) -> ColumnElement[bool]:
    """Those that were never handed over, for want of room, say nothing of the channel."""
    is_one: ColumnElement[bool] = (rows.c.state == DeliveryState.TOO_OLD.value) & (rows.c.tries > 0)
    return is_one


def _ended_after(delivery: Delivery, moment: datetime) -> bool:
    return delivery.ended_at is not None and delivery.ended_at > moment


def forget_deliveries(connection: Connection, *, before: datetime) -> None:
    """Old messages have been read, or never will be."""
    rows = table(DeliveryRow)
    old = rows.c.ended_at < before
    connection.execute(update(rows).where(old).values(digest_id=None))
    kept = select(rows.c.digest_id).where(rows.c.digest_id.is_not(None))
    connection.execute(delete(rows).where(old, rows.c.id.not_in(kept)))
