"""Small values for the tests of when a season's post-processing starts, and what is planned for it."""

from __future__ import annotations

from typing import Any

from desgw_daemon.decide.plan import plan
from desgw_daemon.domain.actions import Action, LaunchPostproc, Move, Recheck, StartPostproc, Wait, WaitSeason
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.snapshot import Exposure
from desgw_daemon.domain.states import ExposureState
from tests.decide.build import POLICY, after, ready, snapshot

#: Soon after everything: a look is still fresh, and there was news a while ago.
NOW = after(minutes=5)


def season(*exposures: Exposure, now: Any = NOW, policy: Policy = POLICY, **values: Any) -> tuple[Action, ...]:
    """What is planned for the seasons."""
    kinds = (StartPostproc, WaitSeason, LaunchPostproc, Recheck)
    return tuple(a for a in plan(snapshot(*exposures, **values), policy, now) if isinstance(a, kinds))


def started(*exposures: Exposure, **values: Any) -> StartPostproc:
    """The run that starts."""
    (action,) = season(*exposures, **values)
    assert isinstance(action, StartPostproc)
    return action


def waits(*exposures: Exposure, **values: Any) -> str:
    """Why none starts."""
    (action,) = season(*exposures, **values)
    assert isinstance(action, WaitSeason)
    return action.reason


def of_exposure(
    subject: Exposure, *others: Exposure, now: Any = NOW, policy: Policy = POLICY, **values: Any
) -> Move | Wait:
    """What is planned for an exposure."""
    actions = plan(snapshot(subject, *others, **values), policy, now)
    (found,) = (a for a in actions if isinstance(a, Move | Wait) and a.exposure_id == subject.id)
    return found


def done(number: int, **values: Any) -> Exposure:
    """One that an earlier run has done; its CCDs are only loaded when it has been looked at since."""
    known: dict[str, Any] = {"state": ExposureState.DONE, "ccds": (), "forcefiles": ()}
    return ready(number, **(known | values))
