"""Messages to people on their way through a channel: values only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from desgw_daemon.domain.states import DeliveryState

Kind = Literal["raised", "still", "cleared", "digest", "report", "test"]

#: How grave each is, the gravest last.
SEVERITIES: Final = ("info", "warning", "critical")
#: What the last try came to when the process that sent it was ended in between: it may have arrived. It is sent again,
#: and then says so: a message that comes twice costs less than one that never comes.
UNCERTAIN: Final = "the process that sent it was ended before it wrote down what became of it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One that is to be told, before it is known by which channels.

    about: ids of the alerts that it is about, the first of them the one that it names; key: of that one.
    """

    kind: Kind
    severity: str
    title: str
    body: str
    about: tuple[int, ...] = ()
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A message on its way by one channel. See the table `delivery`."""

    id: int
    channel: str
    kind: Kind
    alert_id: int | None
    severity: str
    title: str
    body: str
    at: datetime
    state: DeliveryState
    tries: int
    next_at: datetime | None
    folder: str | None
    ended_at: datetime | None
    problem: str | None
    digest_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What is handed to a channel now: these messages one after the other, or one digest of them."""

    channel: str
    deliveries: tuple[Delivery, ...]
    digest: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a message that was handed over. problem: why it was not delivered; None when it was, or when it
    was not begun."""

    sent: bool
    begun: bool
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Undelivered:
    """A channel that does not deliver.

    since: when the oldest message that waits was asked for, or the first that was given up since one was delivered.
    tries: how often the first in its line was handed over. given_up: since one was delivered.
    """

    channel: str
    since: datetime
    problem: str
    waiting: int
    tries: int
    given_up: int
