"""Alerts as they are written down, what changes of them, and what is told: values only."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Literal

from desgw_daemon.domain.actions import AlertWanted

Told = Literal["raised", "still", "cleared"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One that is up, or was.

    since: when its cause began. told_at, told_text: the last time that it was told, and in which words; it may have
    grown since. active: False on trial. acked_at: when a person said that it is seen to.
    """

    id: int
    key: str
    rule: str
    severity: str
    text: str
    season: int | None = None
    nite: str | None = None
    expnum: int | None = None
    since: datetime
    raised_at: datetime
    cleared_at: datetime | None = None
    told_at: datetime | None = None
    told_text: str | None = None
    cleared_told_at: datetime | None = None
    times_told: int = 0
    active: bool = True
    acked_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A condition that holds and is no alert yet. since: from when its delay counts. muted_by: its cause, a rule."""

    key: str
    rule: str
    severity: str
    text: str
    since: datetime
    muted_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A person wants to hear nothing of what fits `what` (a rule, a pattern of keys, an EXPNUM) until then."""

    id: int
    what: str
    until: datetime


def is_about(what: str, *, rule: str, key: str, expnum: int | None) -> bool:
    """Whether a silence is about an alert: its rule, its key or a pattern of it (``*``, ``?``), its EXPNUM."""
    return what == rule or (expnum is not None and what == str(expnum)) or fnmatchcase(key, what)


@dataclass(frozen=True, slots=True, kw_only=True)
class Raised:
    """A new alert. active: False on trial."""

    wanted: AlertWanted
    severity: str
    since: datetime
    active: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertChanges:
    """From what is written down to what should be.

    refreshed: of an alert that is up (by id), its words and its severity now. reopened: ids of those that were cleared
    a moment ago and hold again. ended: ids of those that hold no longer; closed: of these, those of whose end nobody is
    told. waiting: the pending rows as they should be, all of them. tried: ids of those whose trial is over.
    """

    raised: tuple[Raised, ...] = ()
    refreshed: tuple[tuple[int, AlertWanted, str], ...] = ()
    reopened: tuple[int, ...] = ()
    ended: tuple[int, ...] = ()
    closed: tuple[int, ...] = ()
    tried: tuple[int, ...] = ()
    waiting: tuple[Pending, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """An alert that is to be told now: raised, still up, or cleared.

    since: when its cause began. changed: in what it differs from when it was last told, in words. over: the keys of
    alerts that were told, too, and are over together with this one, their cause; over_ids: their ids. trial: for the
    log only.
    """

    id: int
    key: str
    rule: str
    text: str
    severity: str
    kind: Told
    since: datetime
    season: int | None = None
    nite: str | None = None
    expnum: int | None = None
    changed: str | None = None
    over: tuple[str, ...] = ()
    over_ids: tuple[int, ...] = field(default=(), repr=False)
    trial: bool = False
