"""`alerts test` for a channel whose address is the service's alone: the daemon sends the message, this waits for it."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from desgw_daemon.cli.opening import changing, looking, utc_now

if TYPE_CHECKING:
    from desgw_daemon.config.loading import Loaded
    from desgw_daemon.domain.messages import Delivery, Message

#: Cycles that it takes: the one under way, one that hands the message over, one that reads what became of it.
_CYCLES: Final = 3
#: The process that sends has to start, on a busy machine.
_STARTS_WITHIN: Final = timedelta(seconds=60)
_LOOK_EVERY: Final = 0.5


def asked(loaded: Loaded, channel: str, message: Message) -> str | None:
    """Have the daemon send it; why it was not delivered, None when it was. Raises DesgwError."""
    from desgw_daemon.store.outbox import ask_test, load_delivery, withdraw

    patience = longest_wait(loaded)
    with changing(loaded) as connection:
        number = ask_test(connection, channel, message, at=utc_now())
    end = time.monotonic() + patience.total_seconds()
    try:
        while time.monotonic() < end:
            with looking(loaded) as connection:
                delivery = load_delivery(connection, number)
            if delivery is not None and (ended := _ended(delivery)) is not None:
                return ended or None
            time.sleep(_LOOK_EVERY)
    finally:
        # One that nobody waits for any more must not be tried on, and become an alert.
        with changing(loaded) as connection:
            withdraw(connection, number)
    return f"the daemon has not sent it within {patience.total_seconds():g} s: `desgw-daemon status` says how it is"


def longest_wait(loaded: Loaded) -> timedelta:
    """For how long the answer is waited for."""
    config = loaded.config
    return _CYCLES * config.poll.interval + config.alerts.send_within + _STARTS_WITHIN


def _ended(delivery: Delivery) -> str | None:
    """Why it was not delivered, "" when it was; None while it is not known."""
    from desgw_daemon.domain.states import DeliveryState

    match delivery.state:
        case DeliveryState.SENT:
            return ""
        case DeliveryState.DIGESTED:  # in one message with others
            return "" if delivery.ended_at is not None else None
        case DeliveryState.TOO_OLD:
            return delivery.problem or "given up"
        case DeliveryState.WAITING:
            return delivery.problem
    return None
