"""One cycle, once through the house: read facts, write them down, plan from what is written down, act, report.

Deleting the process at any point and starting again leads to the same place: nothing is kept in memory but what can be
found again. Each part is guarded (see parts): a mistake of the program in one of them does not end the others.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection

from desgw_daemon.daemon.acting import Actor
from desgw_daemon.daemon.delivering import deliver
from desgw_daemon.daemon.following import Followed, follow, record_followed
from desgw_daemon.daemon.intake import Intake, take_in
from desgw_daemon.daemon.looking import Looked, look_around, record_looked
from desgw_daemon.daemon.parts import Part, Parts
from desgw_daemon.daemon.pulse import boottime, take_pulse
from desgw_daemon.daemon.reporting import report
from desgw_daemon.decide.plan import plan
from desgw_daemon.domain.actions import Action, AlertWanted
from desgw_daemon.domain.facts import CallCounts
from desgw_daemon.domain.snapshot import Snapshot
from desgw_daemon.domain.states import ExposureState
from desgw_daemon.errors import TreeSilent
from desgw_daemon.observe.blacklist import read_blacklist
from desgw_daemon.report.events import Event
from desgw_daemon.report.logs import Log
from desgw_daemon.store.blacklist import record_blacklist
from desgw_daemon.store.circumstances import with_circumstances
from desgw_daemon.store.cycle import begin_poll, last_part_errors, write_poll
from desgw_daemon.store.database import reading, writing
from desgw_daemon.store.load import load_snapshot
from desgw_daemon.store.stuck import known_stuck, record_stuck
from desgw_daemon.store.vitals import record_pulse
from desgw_daemon.wiring import House


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Through:
    """What went once through the house. errors: of its actions."""

    actions: tuple[Action, ...] = ()
    errors: tuple[str, ...] = ()
    alerts: tuple[AlertWanted, ...] = ()
    looked_at: int = 0
    calls: CallCounts = field(default_factory=CallCounts)
    credential_until: datetime | None = None


def tick(
    house: House,
    log: Log,
    *,
    clock: Callable[[], datetime],
    since_boot: Callable[[], float] = boottime,
    more_alerts: tuple[AlertWanted, ...] = (),
    told: AlertWanted | None = None,
) -> TickResult:
    """One cycle. `now` is read once and handed on. since_boot: seconds, of a clock that nobody sets.

    more_alerts: what the loop itself has to tell (a refused configuration). told: an alert that people were told of
    while the database could not be used, to be written down now. Raises DatabaseError when the database cannot be used:
    nothing is done then, since nothing could be written down.
    """
    now = clock()
    begun = time.monotonic()
    house.begin_cycle()
    with writing(house.database) as connection:
        parts = Parts(log=log, before=last_part_errors(connection))
        poll_id = begin_poll(connection, at=now)
        house.abandoned.take_over(known_stuck(connection))
        record_stuck(connection, house.abandoned.living())
        pulse = take_pulse(house.config.paths.state, now, since_boot())
        jump = record_pulse(connection, poll_id, pulse, clock_jump=house.policy.alerts.clock_jump)
    if jump is not None:
        log.warning(Event.CLOCK_JUMPED, f"the clock was set {'forward' if jump > 0 else 'back'} by {abs(jump):.0f} s")
    done = parts.do(Part.CYCLE, lambda: _through(house, log, parts, poll_id, now, clock), lambda _: _Through())
    with writing(house.database) as connection:
        report(
            connection,
            house,
            log,
            parts,
            now=now,
            errors=done.errors,
            more_alerts=(*more_alerts, *done.alerts),
            told=told,
            credential_until=done.credential_until,
        )
        spent = timedelta(seconds=time.monotonic() - begun)
        end = {
            "ended_at": clock(),
            "seconds": round(spent.total_seconds(), 3),
            "actions": len(done.actions),
            "error": "; ".join(done.errors) or None,
            "part_errors": parts.errors,
            **house.tree_problems(),
        }
        write_poll(connection, poll_id, end)
    _deliver(house, log, parts, poll_id, clock)
    log.debug(
        Event.CYCLE_DONE,
        f"cycle {poll_id}: {done.looked_at} exposures looked at, {len(done.actions)} actions",
        seconds=round(spent.total_seconds(), 3),
        listings=done.calls.listings,
        stats=done.calls.stats,
        reads=done.calls.reads,
    )
    errors = (*done.errors, *(f"{part}: {words}" for part, words in parts.errors.items()))
    return TickResult(
        number=poll_id,
        at=now,
        actions=done.actions,
        errors=errors,
        listings=done.calls.listings,
        spent=spent,
        credential_until=done.credential_until,
    )


def _deliver(house: House, log: Log, parts: Parts, poll_id: int, clock: Callable[[], datetime]) -> None:
    """Last, so that what this cycle tells goes out at once."""
    parts.do(Part.DELIVERY, lambda: deliver(house, log, at=clock()), lambda _: None)
    if Part.DELIVERY in parts.errors:
        with writing(house.database) as connection:
            write_poll(connection, poll_id, {"part_errors": parts.errors})


def _through(
    house: House, log: Log, parts: Parts, poll_id: int, now: datetime, clock: Callable[[], datetime]
) -> _Through:
    intake = take_in(house, log, now, parts)
    with reading(house.database) as connection:
        snapshot = load_snapshot(connection, scope="open")
    # The queue is asked before /pnfs is looked at: a CCD is lost when its DAG has ended and a later look shows nothing.
    followed = follow(house, snapshot, now, parts)
    blacklist = parts.do(Part.BLACKLIST, lambda: _blacklist(house, snapshot), lambda _: None)
    looked = look_around(house, snapshot, now, parts)
    with writing(house.database) as connection:
        unwritten = record_followed(connection, followed, now, parts)
        record_looked(connection, snapshot, looked, house.policy, now, parts)
        record_stuck(connection, stuck := house.abandoned.living())
        write_poll(connection, poll_id, {"stuck": len(stuck)})
        if blacklist is not None:
            write = partial(record_blacklist, connection, blacklist, at=now)
            parts.record(connection, Part.RECORDING, "the blacklist", write)
        _write_facts(connection, house, poll_id, intake, followed, looked, unwritten)
    with reading(house.database) as connection:
        snapshot = with_circumstances(connection, load_snapshot(connection))
    actions: tuple[Action, ...] = parts.do(Part.PLANNING, lambda: plan(snapshot, house.policy, now), lambda _: ())
    actor = Actor(house=house, environment=followed.environment, clock=clock, parts=parts)
    return _Through(
        actions=actions,
        errors=actor.carry_out(snapshot, actions, now),
        alerts=intake.alerts,
        looked_at=len(looked.requests),
        calls=looked.look.calls,
        credential_until=followed.credential_until,
    )


def _blacklist(house: House, snapshot: Snapshot) -> frozenset[int] | None:
    """Whom the blacklist of post-processing names, when something waits for a run; None: not asked, or not known."""
    if not any(exposure.state is ExposureState.READY for exposure in snapshot.exposures):
        return None
    try:
        return house.postprocessing_door.ask(
            read_blacklist, house.config.paths.postprocessing, house.config.postproc_template
        )
    except TreeSilent:
        return None


def _write_facts(
    connection: Connection,
    house: House,
    poll_id: int,
    intake: Intake,
    followed: Followed,
    looked: Looked,
    unwritten: str | None,
) -> None:
    """unwritten: why what the queue says could not be written down."""
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
            "engine_problem": followed.queue.problem or unwritten,
            "engine_calls": followed.queue.calls,
            "workflow_problem": house.workflow_door.problem,
            "postprocessing_problem": house.postprocessing_door.problem or followed.runs.problem,
            "making_problem": followed.making_problem or intake.workflow_problem,
            "credential_problem": followed.credential_problem,
        },
    )
