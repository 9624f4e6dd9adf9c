"""The caps: a pass of its own over the plan, after every exposure has said what it would like.

What is over a cap becomes a wait that says its place in the line. The count starts from what is written down, so no
restart can exceed a cap.
"""

from __future__ import annotations

from collections.abc import Sequence

from desgw_daemon.decide.turns import Turns
from desgw_daemon.domain.actions import Action, MakeDag, SubmitDag, Wait
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.snapshot import Exposure, Snapshot
from desgw_daemon.domain.states import IN_FLIGHT, MAKING_LIVE, ExposureState, MakingState


def limit(snapshot: Snapshot, wishes: Sequence[Action], policy: Policy) -> tuple[Action, ...]:
    """The wishes, in their order, with those over a cap turned into waits."""
    by_id = {exposure.id: exposure for exposure in snapshot.exposures}
    in_flight = sum(s.state in IN_FLIGHT for e in snapshot.exposures for s in e.submissions)
    makers = sum(m.state in MAKING_LIVE for e in snapshot.exposures for m in e.makings)
    made = sum(_is_made(exposure) for exposure in snapshot.exposures)
    making: set[int] = {e.expnum for e in snapshot.exposures if any(m.state in MAKING_LIVE for m in e.makings)}
    turns = Turns(snapshot)
    line_to_make = line_to_submit = 0
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
                elif makers + made - _free(in_flight, policy) >= policy.dagmaker_made_ahead:
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
            case SubmitDag() if by_id[wish.exposure_id].own_submission is not None:
                plan.append(wish)  # already counted: it is only taken up again
            case SubmitDag() if in_flight >= policy.submit_max_in_flight:
                line_to_submit += 1
                plan.append(
                    _wait(
                        wish,
                        f"its DAG is made; {in_flight} DAGs are in flight, {policy.submit_max_in_flight} may be; it is"
                        f" number {line_to_submit} of those that wait for a place",
                    )
                )
            case SubmitDag():
                in_flight += 1
                made -= 1
                plan.append(wish)
            case _:
                plan.append(wish)
    return tuple(plan)


def _free(in_flight: int, policy: Policy) -> int:
    return max(0, policy.submit_max_in_flight - in_flight)


def _is_made(exposure: Exposure) -> bool:
    """Made, and waiting for its place in the grid. A held one waits for none: it must not stop the making."""
    making = exposure.making
    just_made = exposure.state is ExposureState.MAKING and making is not None and making.state is MakingState.MADE
    return (
        not exposure.held
        and (exposure.state is ExposureState.SUBMITTING or just_made)
        and exposure.own_submission is None
    )


def _has_live_making(exposure: Exposure) -> bool:
    return any(making.state in MAKING_LIVE for making in exposure.makings)


def _wait(wish: MakeDag | SubmitDag, reason: str) -> Wait:
    return Wait(exposure_id=wish.exposure_id, expnum=wish.expnum, reason=reason)
