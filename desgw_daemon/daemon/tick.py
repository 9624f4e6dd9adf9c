"""One cycle, once through the house: read facts, write them down, plan from what is written down, act, report.

Deleting the process at any point and starting again leads to the same place: nothing is kept in memory but what can be
found again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from desgw_daemon.daemon.acting import Actor
from desgw_daemon.daemon.alerting import set_alerts
from desgw_daemon.daemon.following import Followed, follow, record_followed
from desgw_daemon.daemon.intake import Intake, take_in
from desgw_daemon.daemon.looking import Looked, look_around, record_looked
from desgw_daemon.decide.alerts import wanted_alerts
from desgw_daemon.decide.plan import plan
from desgw_daemon.decide.words import some
from desgw_daemon.domain.actions import Action, AlertWanted
from desgw_daemon.domain.snapshot import Snapshot
from desgw_daemon.domain.states import ExposureState
from desgw_daemon.observe.blacklist import read_blacklist
from desgw_daemon.report.alerts import tell_alerts
from desgw_daemon.report.events import Event
from desgw_daemon.report.history import log_transitions
from desgw_daemon.report.logs import Log
from desgw_daemon.store.blacklist import record_blacklist
from desgw_daemon.store.circumstances import with_circumstances
from desgw_daemon.store.cycle import begin_poll, forget_polls, write_poll
from desgw_daemon.store.database import reading, writing
from desgw_daemon.store.load import lacking_folders, load_snapshot
from desgw_daemon.store.nightfacts import load_night_facts
from desgw_daemon.wiring import House

#: Cycles are kept for this long.
_KEEP_POLLS: Final = timedelta(days=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class TickResult:
    """What a cycle did: its number (poll.id), the actions of its plan, and what went wrong in carrying them out.

    credential_until: when the credential ends; None without a good one.
    """

    number: int
    at: datetime
    actions: tuple[Action, ...]
    errors: tuple[str, ...]
    listings: int
    spent: timedelta
    credential_until: datetime | None = None


def tick(
    house: House, log: Log, *, clock: Callable[[], datetime], more_alerts: tuple[AlertWanted, ...] = ()
) -> TickResult:
    """One cycle. `now` is read once and handed on.

    more_alerts: what the loop itself has to tell (a refused configuration). Raises DatabaseError when the database
    cannot be used: nothing is done then, since nothing could be written down.
    """
    now = clock()
    begun = time.monotonic()
    with writing(house.database) as connection:
        poll_id = begin_poll(connection, at=now)
    intake = take_in(house, log, now)
    with reading(house.database) as connection:
        snapshot = load_snapshot(connection, scope="open")
    # The queue is asked before /pnfs is looked at: a CCD is lost when its DAG has ended and a later look shows nothing.
    followed = follow(house, snapshot, now)
    blacklist = _blacklist(house, snapshot)
    looked = look_around(house, snapshot, now)
    with writing(house.database) as connection:
        record_followed(connection, followed, now)
        record_looked(connection, snapshot, looked, house.policy, now)
        if blacklist is not None:
            record_blacklist(connection, blacklist, at=now)
        _write_cost(connection, poll_id, looked, followed, intake.workflow_problem)
    with reading(house.database) as connection:
        snapshot = with_circumstances(connection, load_snapshot(connection))
    actions = plan(snapshot, house.policy, now)
    actor = Actor(house=house, environment=followed.environment, clock=clock)
    errors = actor.carry_out(snapshot, actions, now)
    own = (*more_alerts, *_inbox_alerts(intake))
    _report(house, log, poll_id, now, clock(), errors, own, len(actions), followed.credential_until)
    spent = timedelta(seconds=time.monotonic() - begun)
    calls = looked.look.calls
    log.debug(
        Event.CYCLE_DONE,
        f"cycle {poll_id}: {len(looked.requests)} exposures looked at, {len(actions)} actions",
        seconds=round(spent.total_seconds(), 3),
        listings=calls.listings,
        stats=calls.stats,
        reads=calls.reads,
    )
    return TickResult(
        number=poll_id,
        at=now,
        actions=actions,
        errors=errors,
        listings=calls.listings,
        spent=spent,
        credential_until=followed.credential_until,
    )


def _blacklist(house: House, snapshot: Snapshot) -> frozenset[int] | None:
    """Whom the blacklist of post-processing names, when something waits for a run; None: not asked, or not known."""
    if not any(exposure.state is ExposureState.READY for exposure in snapshot.exposures):
        return None
    return read_blacklist(house.config.paths.postprocessing, house.config.postproc_template)


def _inbox_alerts(intake: Intake) -> Iterator[AlertWanted]:
    if intake.inbox_problems:
        yield AlertWanted(
            key="inbox",
            rule="inbox",
            text=f"the inbox cannot be worked with: {some(intake.inbox_problems)}. `desgw-daemon queue add FILE` takes"
            " a list all the same",
        )
    if intake.inbox_ignored:
        yield AlertWanted(
            key="inbox_ignored",
            rule="inbox_ignored",
            text=f"not taken from the inbox: {some(intake.inbox_ignored)}. Rename them to NAME.list in a season's"
            " folder, or take them away",
        )


def _write_cost(
    connection: Connection, poll_id: int, looked: Looked, followed: Followed, workflow_problem: str | None
) -> None:
    look = looked.look
    write_poll(
        connection,
        poll_id,
        {
            "exposures": len(looked.requests),
            "listings": look.calls.listings,
            "stats": look.calls.stats,
            "reads": look.calls.reads,
            "look_seconds": round(look.seconds, 3),
            "unseen": looked.unseen,
            "pnfs_problem": looked.problem,
            "engine_problem": followed.queue.problem,
            "engine_calls": followed.queue.calls,
            "workflow_problem": workflow_problem,
            "making_problem": followed.making_problem,
            "credential_problem": followed.credential_problem,
        },
    )


def _report(
    house: House,
    log: Log,
    poll_id: int,
    now: datetime,
    ended: datetime,
    errors: tuple[str, ...],
    more_alerts: tuple[AlertWanted, ...],
    actions: int,
    credential_until: datetime | None,
) -> None:
    """Alerts from what now stands in the database, the log, and the end of the cycle's row."""
    failed = tuple(
        AlertWanted(
            key=f"action_failed:{error.partition(':')[0]}",
            rule="action_failed",
            text=f"one action of the cycle failed, and is tried again in the next: {error}",
        )
        for error in errors
    )
    for error in errors:
        log.warning(Event.ACTION_FAILED, error)
    with writing(house.database) as connection:
        loaded = load_snapshot(connection, scope="open", with_ccds_of=lacking_folders(connection))
        snapshot: Snapshot = with_circumstances(connection, loaded)
        snapshot = replace(snapshot, credential_until=credential_until, facts=load_night_facts(connection, at=now))
        wanted = (*wanted_alerts(snapshot, house.policy, now), *failed, *more_alerts)
        set_alerts(connection, wanted, house.policy, at=now)
        log_transitions(connection, log)
        tell_alerts(connection, log, house.policy, at=now)
        forget_polls(connection, before=now - _KEEP_POLLS)
        write_poll(connection, poll_id, {"ended_at": ended, "actions": actions, "error": "; ".join(errors) or None})
