"""What to look at on /pnfs in this tick: only what can have changed, and a little of the rest.

A look costs one listing for each unsettled CCD and one for the forcefiles of an exposure that still lacks some.
What is settled is looked at again slowly in the background, and once before it is handed to post-processing.
"""

from __future__ import annotations

import math
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from typing import Final

from desgw_daemon.decide.attempt import made_since, overdue_at
from desgw_daemon.decide.forcefiles import fresh_forcefiles
from desgw_daemon.domain.facts import LookRequest
from desgw_daemon.domain.names import ExposureKey
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.snapshot import Exposure, Snapshot
from desgw_daemon.domain.states import CcdState, ExposureState, Ready, SubmissionState

#: The order of a look that was never made before all others.
_NEVER: Final = datetime.min.replace(tzinfo=UTC)


def plan_looks(
    snapshot: Snapshot, policy: Policy, now: datetime, *, hanging: AbstractSet[str] = frozenset()
) -> tuple[LookRequest, ...]:
    """The looks of this tick, one request an exposure at most; what has waited longest comes first.

    hanging: folders (of exposures, below the root) on which a process hangs at this moment: they are left alone until
    it has died.
    """
    requests: list[LookRequest] = []
    idle: list[tuple[Exposure, ExposureKey]] = []
    # A look that is cut off at its deadline must not always cut off the same ones.
    for exposure in sorted(snapshot.exposures, key=lambda exposure: exposure.as_of or _NEVER):
        key = exposure.key
        if key is None or not (is_watched(exposure) or _is_wanted_again(exposure)):
            continue
        if key.exp_folder() in hanging or now < aside_until(exposure, policy):
            continue
        if recheck_is_asked(exposure):
            requests.append(_full(exposure, key))
        elif exposure.state is ExposureState.ATTENTION or _in_doubt(exposure) or _waits_in_queue(exposure, policy, now):
            idle.append((exposure, key))
        elif exposure.folders_at is None:
            requests.append(_full(exposure, key))
        elif (warm := _warm(exposure, key)) is not None:
            requests.append(warm)
        else:
            idle.append((exposure, key))
    return (*requests, *_background(idle, policy, now))


def aside_until(exposure: Exposure, policy: Policy) -> datetime:
    """Until when an exposure whose folder hung is left alone: for a cycle, then for as long as it was unseen so far."""
    if exposure.hung_at is None:
        return _NEVER
    unseen_for = exposure.hung_at - (exposure.unseen_since or exposure.hung_at)
    return exposure.hung_at + min(max(unseen_for, policy.poll_interval), policy.aside_at_most)


def is_watched(exposure: Exposure) -> bool:
    """Whether something may appear on /pnfs for this exposure that the daemon should know."""
    submission = exposure.own_submission
    if exposure.state is ExposureState.ATTENTION:
        # Late results may mend what keeps it back, and a folder that has gone may come back. One that was refused
        # should have none: if it has some, that is told.
        return exposure.watch_only or submission is not None
    if _in_doubt(exposure):
        return True  # results would show that its DAG was submitted
    return exposure.state in (ExposureState.PROCESSING, ExposureState.READY)


def _is_wanted_again(exposure: Exposure) -> bool:
    """One that is done is looked at only before its season's next run."""
    return exposure.state is ExposureState.DONE and recheck_is_asked(exposure)


def _in_doubt(exposure: Exposure) -> bool:
    """Whether nobody knows if its DAG was submitted."""
    submission = exposure.own_submission
    return (
        exposure.state is ExposureState.SUBMITTING
        and submission is not None
        and submission.state is SubmissionState.UNKNOWN
    )


def recheck_is_asked(exposure: Exposure) -> bool:
    """Whether a look at all of it was asked for and has not come yet. A cycle looks first and asks afterwards."""
    asked = exposure.recheck_asked_at
    return asked is not None and (exposure.full_look_at is None or exposure.full_look_at <= asked)


def _waits_in_queue(exposure: Exposure, policy: Policy, now: datetime) -> bool:
    """None of its jobs has started: nothing can have changed."""
    submission = exposure.own_submission
    return (
        submission is not None and submission.state is SubmissionState.QUEUED and now < overdue_at(submission, policy)
    )


def _full(exposure: Exposure, key: ExposureKey) -> LookRequest:
    """Everything, sizes included. What the FAIL files say is not read again while they are unchanged."""
    return LookRequest(
        exposure_id=exposure.id,
        key=key,
        forcefiles=True,
        folders=True,
        ccds=None,
        known_fails={(ccd.ccd, name): stat for ccd in exposure.ccds for name, stat in ccd.fail_stats.items()},
    )


def _warm(exposure: Exposure, key: ExposureKey) -> LookRequest | None:
    unsettled = [ccd for ccd in exposure.ccds if ccd.settled_at is None]
    # A job copies its forcephoto files after its tarball, so a complete CCD without them may still get them.
    files_may_come = exposure.ready is not Ready.FULL and any(
        ccd.state is CcdState.COMPLETE and ccd.pair_at is None for ccd in exposure.ccds
    )
    if not unsettled and not files_may_come:
        return None
    # A size that is not 0 is final: dCache shows 0 until a file is whole. What an earlier attempt left may still be
    # overwritten under the same name.
    since = made_since(exposure)
    known = {file.name for file in fresh_forcefiles(exposure) if file.size > 0}
    known |= {
        key.tarball(ccd.ccd)
        for ccd in unsettled
        if ccd.tarball_size and ccd.tarball_mtime is not None and ccd.tarball_mtime >= since
    }
    return LookRequest(
        exposure_id=exposure.id,
        key=key,
        forcefiles=True,
        folders=False,
        ccds=tuple(ccd.ccd for ccd in unsettled),
        known_sizes=frozenset(known),
        known_fails={(ccd.ccd, name): stat for ccd in unsettled for name, stat in ccd.fail_stats.items()},
    )


def _background(idle: list[tuple[Exposure, ExposureKey]], policy: Policy, now: datetime) -> tuple[LookRequest, ...]:
    """The slow recheck: each exposure with nothing to wait for once in `policy.recheck`, spread over the polls."""
    if not policy.recheck:
        return ()
    ages = [(exposure.full_look_at or exposure.since, exposure.id, exposure, key) for exposure, key in idle]
    due = sorted((age for age in ages if now - age[0] >= policy.recheck), key=lambda age: age[:2])
    share = math.ceil(len(idle) * (policy.poll_interval / policy.recheck))
    return tuple(_full(exposure, key) for _, _, exposure, key in due[:share])
