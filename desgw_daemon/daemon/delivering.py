"""Messages on their way: what became of those that were handed over, which are handed over now.

It never waits: a batch is claimed in one transaction, then started, and its end is read in a later cycle. A claim whose
process was never started, because the daemon was killed in between, is started by the next cycle.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from desgw_daemon.act.send import Outgoing
from desgw_daemon.decide.delivering import given_up, hour_before, next_batches, next_try
from desgw_daemon.domain.messages import Delivery, Outcome
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.states import DeliveryState
from desgw_daemon.report.events import Event
from desgw_daemon.report.logs import Log
from desgw_daemon.report.messages import digest_of
from desgw_daemon.store.database import reading, writing
from desgw_daemon.store.outbox import claim_batch, give_up, load_deliveries, sent_since, settle
from desgw_daemon.wiring import House


def deliver(house: House, log: Log, *, at: datetime) -> None:
    """One step for each channel. A process that cannot be started is told, and tried again in the next cycle."""
    with reading(house.database) as connection:
        waiting = bool(load_deliveries(connection, DeliveryState.WAITING))
        under_way = _by_folder(load_deliveries(connection, DeliveryState.SENDING))
    if not waiting and not under_way:
        return
    outgoing = house.outgoing
    ended = _ended(outgoing, under_way, log)
    with writing(house.database) as connection:
        for folder, outcomes in ended.items():
            _settle(connection, under_way[folder], outcomes, house.policy, log, at)
        _give_up(connection, house.policy, log, at)
        claimed = _claim(connection, outgoing, house.policy, at)
    open_ = {folder: line for folder, line in under_way.items() if folder not in ended} | claimed
    for folder, line in open_.items():
        try:
            outgoing.launch(Path(folder), line)
        except OSError as error:
            _failed(log, line[0], f"its process cannot be started: {error}")
    outgoing.tidy(open_)


def _by_folder(deliveries: Sequence[Delivery]) -> dict[str, list[Delivery]]:
    folders = defaultdict[str, list[Delivery]](list)
    for delivery in deliveries:
        assert delivery.folder is not None
        folders[delivery.folder].append(delivery)
    return folders


def _ended(
    outgoing: Outgoing, under_way: Mapping[str, Sequence[Delivery]], log: Log
) -> dict[str, Mapping[int, Outcome]]:
    found: dict[str, Mapping[int, Outcome]] = {}
    for folder, line in under_way.items():
        try:
            outcomes = outgoing.outcomes(Path(folder), line)
        except OSError as error:
            _failed(log, line[0], f"what became of it cannot be read: {error}")
            continue
        if outcomes is not None:
            found[folder] = outcomes
    return found


def _settle(
    connection: Connection,
    line: Sequence[Delivery],
    outcomes: Mapping[int, Outcome],
    policy: Policy,
    log: Log,
    at: datetime,
) -> None:
    for delivery in line:
        outcome = outcomes[delivery.id]
        settle(connection, delivery, outcome, next_at=next_try(delivery.tries, policy.poll_interval, at), at=at)
        if outcome.sent:
            log.info(
                Event.MESSAGE_SENT,
                f"{delivery.title}: sent by {delivery.channel}",
                channel=delivery.channel,
                message=delivery.id,
            )
        elif outcome.problem is not None:
            _failed(log, delivery, outcome.problem)


def _give_up(connection: Connection, policy: Policy, log: Log, at: datetime) -> None:
    for delivery, why in given_up(load_deliveries(connection, DeliveryState.WAITING), policy.alerts, at):
        give_up(connection, delivery, why, at=at)
        log.warning(
            Event.MESSAGE_GIVEN_UP,
            f"{delivery.title}: {delivery.channel} never got it: {why}",
            channel=delivery.channel,
            message=delivery.id,
        )


def _claim(connection: Connection, outgoing: Outgoing, policy: Policy, at: datetime) -> dict[str, Sequence[Delivery]]:
    waiting = load_deliveries(connection, DeliveryState.WAITING)
    busy = {delivery.channel for delivery in load_deliveries(connection, DeliveryState.SENDING)}
    claimed: dict[str, Sequence[Delivery]] = {}
    for batch in next_batches(waiting, sent_since(connection, hour_before(at)), busy, policy.alerts, at):
        folder = str(outgoing.folder_of(batch.channel, batch.deliveries[0]))
        digest = digest_of(batch.deliveries) if batch.digest else None
        claimed[folder] = claim_batch(connection, batch, digest, folder=folder, at=at)
    return claimed


def _failed(log: Log, delivery: Delivery, problem: str) -> None:
    log.warning(
        Event.MESSAGE_FAILED,
        f"{delivery.title}: not delivered by {delivery.channel} (try {delivery.tries}): {problem}",
        channel=delivery.channel,
        message=delivery.id,
    )
