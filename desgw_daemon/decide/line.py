"""The line of those whose DAG is made: which of them may be submitted now, for templates and for the cap.

In the order of the queue. One that waits keeps what it needs from those behind it (templates); one that needs nothing
that is in use or reserved passes it. The count starts from what is written down, so no restart can exceed the cap.
"""

from __future__ import annotations

from datetime import datetime

from desgw_daemon.decide.held import has_given_back
from desgw_daemon.decide.templates import Templates, stands_in_line
from desgw_daemon.decide.words import plural, span
from desgw_daemon.domain.actions import Action, MakeDag, SubmitDag, Wait
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.snapshot import Exposure, Snapshot
from desgw_daemon.domain.states import IN_FLIGHT, ExposureState, MakingState


class Line:
    """Asked once for each wish, in the order of the queue."""

    def __init__(self, snapshot: Snapshot, policy: Policy, now: datetime) -> None:
        self._policy = policy
        self._by_id = {exposure.id: exposure for exposure in snapshot.exposures}
        self._templates = Templates(snapshot, policy)
        live = [s for e in snapshot.exposures for s in e.submissions if s.state in IN_FLIGHT]
        self._given_back = sum(has_given_back(submission, policy, now) for submission in live)
        #: DAGs that take a place in the grid, with those that this plan submits.
        self.in_flight = len(live) - self._given_back
        #: DAGs that are made and wait for a place.
        self.made = sum(_waits_for_place(exposure) for exposure in snapshot.exposures)
        self._waiting = 0

    def next(self, wish: Action) -> Action:
        """The wish, or the wait that becomes of it."""
        match wish:
            case SubmitDag():
                return self._submit(wish, self._by_id[wish.exposure_id])
            case MakeDag():
                self._keep(self._by_id[wish.exposure_id])
            case Wait() if self._by_id[wish.exposure_id].state is ExposureState.MAKING:
                self._keep(self._by_id[wish.exposure_id])
        return wish

    def _keep(self, exposure: Exposure) -> None:
        """Its DAG was in the line before, and is made anew."""
        if stands_in_line(exposure):
            self._templates.reserve(exposure)

    def _submit(self, wish: SubmitDag, exposure: Exposure) -> Action:
        if exposure.own_submission is not None:
            return wish  # already counted, and has all that it needs: it is only taken up again
        if kept := self._templates.keeps_back(exposure):
            # It waits for no place, and must not stop the making of others.
            self.made -= 1
            self._templates.reserve(exposure)
            return Wait(exposure_id=wish.exposure_id, expnum=wish.expnum, reason=kept.reason, waits_for=kept.waits_for)
        if self.in_flight >= self._policy.submit_max_in_flight:
            self._waiting += 1
            self._templates.reserve(exposure)
            return Wait(
                exposure_id=wish.exposure_id,
                expnum=wish.expnum,
                reason=f"its DAG is made; {self._count()}; it is number {self._waiting} of those that wait for a place",
            )
        self.made -= 1
        self.in_flight += 1
        self._templates.submit(exposure)
        return wish

    def _count(self) -> str:
        words = f"{self.in_flight} DAGs are in flight, {self._policy.submit_max_in_flight} may be"
        if self._given_back:
            limit = span(self._policy.submit_held_limit)
            words += f" ({plural(self._given_back, 'more DAG')} held for more than {limit} not counted)"
        return words


def _waits_for_place(exposure: Exposure) -> bool:
    """Made, and waiting for its place in the grid. A held one waits for none: it must not stop the making."""
    making = exposure.making
    just_made = exposure.state is ExposureState.MAKING and making is not None and making.state is MakingState.MADE
    return (
        not exposure.held
        and (exposure.state is ExposureState.SUBMITTING or just_made)
        and exposure.own_submission is None
    )
