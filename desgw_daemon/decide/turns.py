"""The seasons take turns at DAGMaker: it reads its season from dagmaker.rc, which is not changed under one that runs.

In the order of the queue: where an exposure of another season is first, nothing behind it overtakes it, so that a long
list of one season cannot keep another one waiting.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from desgw_daemon.decide.words import at, plural
from desgw_daemon.domain.snapshot import Exposure, Snapshot
from desgw_daemon.domain.states import MAKING_LIVE, MakingState


class Turns:
    """Whose turn it is, from what is written down and from what this plan starts. Asked in the order of the queue."""

    def __init__(self, snapshot: Snapshot) -> None:
        #: When each DAGMaker that may run was decided on, by season; None: in this very plan.
        self._made: dict[int, list[datetime | None]] = {}
        self._running: set[int] = set()
        self._next: Exposure | None = None
        for exposure in snapshot.exposures:
            for making in exposure.makings:
                if making.state in MAKING_LIVE:
                    self._made.setdefault(exposure.season, []).append(making.intent_at)
                if making.state is MakingState.RUNNING:
                    self._running.add(exposure.season)

    def start(self, exposure: Exposure) -> None:
        """Its DAGMaker is started by this plan."""
        self._made.setdefault(exposure.season, []).append(None)

    def keeps_back(self, exposure: Exposure) -> str | None:
        """Why an exposure that would be made next waits for another season; None when it does not."""
        others = [season for season in self._made if season != exposure.season]
        if others:
            self._next = self._next or exposure
            return self._why(others)
        if self._next is not None:
            return (
                f"DAGMaker reads the season from dagmaker.rc, and season {self._next.season} has the next turn:"
                f" {self._next.expnum} stands before it in the queue. It goes on when it is the first again, and those"
                f" of season {self._next.season} have been made"
            )
        return None

    def keeps_back_again(self, exposure: Exposure) -> str | None:
        """The same for one whose start is taken up again: only a DAGMaker that runs is in its way."""
        others = [season for season in self._running if season != exposure.season]
        return self._why(others) if others else None

    def _why(self, others: Sequence[int]) -> str:
        words = []
        for season in sorted(others):
            number = len(self._made[season])
            times = [time for time in self._made[season] if time is not None]
            since = f" since {at(min(times))}" if times else ""
            verb = "is" if number == 1 else "are"
            words.append(f"{plural(number, 'exposure')} of season {season} {verb} being made{since}")
        ended = "that has" if sum(len(self._made[season]) for season in others) == 1 else "they have"
        return f"DAGMaker reads the season from dagmaker.rc, and {' and '.join(words)}; it goes on when {ended} ended"
