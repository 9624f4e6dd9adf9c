"""What became of a refresh of exposures.list. Read first, then written down."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from desgw_daemon.act.refresh import OUTPUT
from desgw_daemon.children import ChildStatus, look
from desgw_daemon.daemon.lock import is_refreshing
from desgw_daemon.domain.runs import Refresh
from desgw_daemon.domain.snapshot import Snapshot
from desgw_daemon.domain.states import RefreshState
from desgw_daemon.observe.text import last_lines, plain_text
from desgw_daemon.store.refreshes import CUT_OFF, finish_refresh
from desgw_daemon.wiring import House


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshFact:
    """A refresh that has come to its end: when, with how many exposures, or why it failed."""

    refresh: Refresh
    ended_at: datetime | None
    exposures: int | None = None
    reason: str | None = None


def follow_refresh(house: House, snapshot: Snapshot) -> RefreshFact | None:
    """The end of the refresh that was under way; None as long as it goes on, or cannot be looked at."""
    refresh = snapshot.refresh
    if refresh is None or refresh.state is not RefreshState.RUNNING:
        return None
    if refresh.folder is None:
        # A person's: the command itself writes down its end, before it lets go of the lock.
        held = is_refreshing(house.config.paths.state)
        return None if held else RefreshFact(refresh=refresh, ended_at=None, reason=CUT_OFF)
    folder = Path(refresh.folder)
    try:
        child = look(folder)
        if child.state in ("absent", "running"):
            return None
        said = plain_text((folder / OUTPUT).read_bytes()) if child.state == "ended" and child.error is None else ""
    except OSError:
        return None
    if child.succeeded:
        return RefreshFact(refresh=refresh, ended_at=child.ended_at, exposures=_exposures(said))
    return RefreshFact(refresh=refresh, ended_at=child.ended_at, reason=_why(child, said))


def record_refresh(connection: Connection, fact: RefreshFact, now: datetime) -> None:
    """Write it down."""
    state = RefreshState.DONE if fact.reason is None else RefreshState.FAILED
    ended = fact.ended_at or now
    finish_refresh(connection, fact.refresh, state, at=ended, exposures=fact.exposures, reason=fact.reason)


def _why(child: ChildStatus, said: str) -> str:
    """The command's own words, where it had the time to say any."""
    if child.error is not None:
        return child.words
    words = " / ".join(last_lines(said, 1, width=1000)).removeprefix("desgw-daemon: ")
    return words if words and child.exit_code is not None and not child.timed_out else f"its process {child.words}"


def _exposures(said: str) -> int | None:
    try:
        return int(json.loads(said)["exposures"])
    except (ValueError, KeyError, TypeError):
        return None
