"""When the daemon refreshes exposures.list by itself: when an exposure waits for its data, and not too often."""

from __future__ import annotations

from datetime import datetime

from desgw_daemon.decide.vitals import nothing_new
from desgw_daemon.decide.words import at, plural, some, span
from desgw_daemon.domain.actions import RefreshExposures
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.runs import Refresh
from desgw_daemon.domain.snapshot import Exposure, Snapshot
from desgw_daemon.domain.states import ExposureState, RefreshState


def waiting_for_data(snapshot: Snapshot) -> tuple[Exposure, ...]:
    """Those without a band or nite, or without a line in exposures.list. A held one waits for a person."""
    return tuple(e for e in snapshot.exposures if lacks_data(e) and not e.held)


def lacks_data(exposure: Exposure) -> bool:
    """Whether an exposure of the queue waits for exposures.list: DAGMaker makes no good DAG before it has a line."""
    if exposure.state is not ExposureState.QUEUED:
        return False
    return exposure.key is None or (exposure.unlisted_since is not None and not exposure.watch_only)


def plan_refresh(snapshot: Snapshot, policy: Policy, now: datetime) -> tuple[RefreshExposures, ...]:
    """A refresh, if one is wanted now. A failed one is tried again at the same pace."""
    waiting = waiting_for_data(snapshot)
    if not waiting or policy.refresh_every is None or nothing_new(snapshot, policy):
        return ()
    if snapshot.refresh is not None:
        next_try = _next_try(snapshot.refresh, policy)
        if next_try is None or now < next_try:
            return ()
    them = some(str(exposure.expnum) for exposure in waiting)
    return (RefreshExposures(reason=f"{plural(len(waiting), 'exposure')} of the queue not in exposures.list: {them}"),)


def failed_refresh(snapshot: Snapshot) -> Refresh | None:
    """The refresh that failed last, while nobody has made one that ended well, and exposures wait for it."""
    failed, good = snapshot.refresh_failed, snapshot.refreshed
    if failed is None or failed.ended_at is None:
        return None
    if good is not None and good.ended_at is not None and good.ended_at >= failed.ended_at:
        return None
    return failed if waiting_for_data(snapshot) else None


def refresh_words(snapshot: Snapshot, policy: Policy) -> str:
    """How things stand with exposures.list, for whoever waits for a line in it; empty when nothing is known."""
    said = []
    if (good := snapshot.refreshed) is not None:
        said.append(f"exposures.list was last refreshed at {at(good.ended_at)}")
    if (failed := failed_refresh(snapshot)) is not None:
        said.append(f"the refresh at {at(failed.started_at)} failed: {failed.reason}")
    last = snapshot.refresh
    if last is not None and last.state is RefreshState.RUNNING:
        said.append(f"it is being refreshed since {at(last.started_at)} (by {last.who})")
    elif policy.refresh_every is not None:
        next_try = None if last is None else _next_try(last, policy)
        # Not before an exposure waits for it, and never while all is paused.
        said.append(
            "it is refreshed in the next cycle"
            if next_try is None
            else f"the next refresh is at {at(next_try)} (every {span(policy.refresh_every)} at most)"
        )
    return "; ".join(said)


def _next_try(last: Refresh, policy: Policy) -> datetime | None:
    """None while it goes on."""
    if last.state is RefreshState.RUNNING or policy.refresh_every is None:
        return None
    return last.started_at + policy.refresh_every
