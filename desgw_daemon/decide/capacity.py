"""The caps: a pass of its own over the plan, after every exposure has said what it would like.

What is over a cap becomes a wait that says its place in the line. The count starts from what is written down, so no
restart can exceed a cap.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from desgw_daemon.decide.line import Line
from desgw_daemon.decide.turns import Turns
from desgw_daemon.domain.actions import Action, MakeDag, Wait
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.snapshot import Exposure, Snapshot
from desgw_daemon.domain.states import MAKING_LIVE


def limit(snapshot: Snapshot, wishes: Sequence[Action], policy: Policy, now: datetime) -> tuple[Action, ...]:
    """The wishes, in their order, with those over a cap turned into waits."""
    line = Line(snapshot, policy, now)
    submitted = [line.next(wish) for wish in wishes]
    return _makings(snapshot, submitted, policy, in_flight=line.in_flight, made=line.made)


def _makings(
    snapshot: Snapshot, wishes: Sequence[Action], policy: Policy, *, in_flight: int, made: int
) -> tuple[Action, ...]:
    """DAGMakers at once, and DAGs made ahead of the places that are free.

    in_flight, made: how many there are when this plan has submitted what it submits.
    """
    by_id = {exposure.id: exposure for exposure in snapshot.exposures}
    makers = sum(m.state in MAKING_LIVE for e in snapshot.exposures for m in e.makings)
    making: set[int] = {e.expnum for e in snapshot.exposures if any(m.state in MAKING_LIVE for m in e.makings)}
    free = max(0, policy.submit_max_in_flight - in_flight)
    turns = Turns(snapshot)
    line_to_make = 0
    plan: list[Action] = []
    for wish in wishes:
        match wish:
            case MakeDag() if _has_live_making(by_id[wish.exposure_id]):
                # Already counted: it is only taken up again.
                kept = turns.keeps_back_again(by_id[wish.exposure_id])
                plan.append(wish if kept is None else _wait(wish, kept))
            case MakeDag():
                if wish.expnum in making:
                    plan.append(_wait(wish, "the same exposure of another season is being made; it goes on after that"))
                elif kept := turns.keeps_back(by_id[wish.exposure_id]):
                    plan.append(_wait(wish, kept))
                elif makers >= policy.dagmaker_max_at_once:
                    line_to_make += 1
                    plan.append(
                        _wait(
                            wish,
                            f"{makers} DAGMakers run, {policy.dagmaker_max_at_once} may at a time; it is number"
                            f" {line_to_make} of those that wait",
                        )
                    )
                elif makers + made - free >= policy.dagmaker_made_ahead:
                    line_to_make += 1
                    plan.append(
                        _wait(
                            wish,
                            f"{in_flight} of {policy.submit_max_in_flight} DAGs are in flight and {makers + made} more"
                            f" made or being made; it is number {line_to_make} of those that wait to be made",
                        )
                    )
                else:
                    makers += 1
                    making.add(wish.expnum)
                    turns.start(by_id[wish.exposure_id])
                    plan.append(wish)
            case _:
                plan.append(wish)
    return tuple(plan)


def _has_live_making(exposure: Exposure) -> bool:
    return any(making.state in MAKING_LIVE for making in exposure.makings)


def _wait(wish: MakeDag, reason: str) -> Wait:
    return Wait(exposure_id=wish.exposure_id, expnum=wish.expnum, reason=reason)
