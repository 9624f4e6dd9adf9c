"""What to look at on /pnfs in this tick: only what can have changed, and a little of the rest.

A look costs one listing for each unsettled CCD and one for the forcefiles of an exposure that still lacks some.
What is settled is looked at again slowly in the background, and once before it is handed to post-processing.
"""

from __future__ import annotations

import math
from datetime import datetime

from desgw_daemon.decide.ccds import fresh_forcefiles
from desgw_daemon.domain.facts import LookRequest
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.snapshot import Exposure, Snapshot
from desgw_daemon.domain.states import (
    IN_FLIGHT,
    CcdState,
    ExposureState,
    Ready,
    SubmissionState,
)

_WATCHED = (ExposureState.PROCESSING, ExposureState.READY, ExposureState.ATTENTION)


def plan_looks(snapshot: Snapshot, policy: Policy, now: datetime) -> tuple[LookRequest, ...]:
    """The looks of this tick, one request an exposure at most."""
    requests: list[LookRequest] = []
    settled: list[Exposure] = []
    for exposure in snapshot.exposures:
        if not is_watched(exposure):
            continue
        if exposure.folders_at is None or _asked(exposure):
            requests.append(_full(exposure))
        elif (warm := _warm(exposure)) is not None:
            requests.append(warm)
        else:
            settled.append(exposure)
    return (*requests, *_background(settled, len(requests), policy, now))


def is_watched(exposure: Exposure) -> bool:
    """Whether something may appear on /pnfs for this exposure that the daemon should know."""
    if exposure.state not in _WATCHED or exposure.key is None:
        return False
    if exposure.state is ExposureState.ATTENTION:
        # Late results may mend what keeps it back; one whose DAG was never accepted has none to come.
        return exposure.watch_only or exposure.folders_at is not None
    return True


def _asked(exposure: Exposure) -> bool:
    asked = exposure.recheck_asked_at
    return asked is not None and (exposure.full_look_at is None or exposure.full_look_at < asked)


def _full(exposure: Exposure) -> LookRequest:
    """Everything, sizes included. What the FAIL files say is not read again while they are unchanged."""
    key = exposure.key
    assert key is not None
    return LookRequest(
        exposure_id=exposure.id,
        key=key,
        forcefiles=True,
        folders=True,
        ccds=None,
        known_fails={(ccd.ccd, name): stat for ccd in exposure.ccds for name, stat in ccd.fail_stats.items()},
    )


def _warm(exposure: Exposure) -> LookRequest | None:
    key = exposure.key
    assert key is not None
    unsettled = tuple(ccd.ccd for ccd in exposure.ccds if ccd.settled_at is None)
    submission = exposure.submission
    if unsettled and submission is not None and submission.state is SubmissionState.QUEUED:
        # None of its jobs has started: nothing can have changed.
        return None
    open_files = bool(unsettled) or (exposure.ready is not Ready.FULL and _files_may_come(exposure))
    if not unsettled and not open_files:
        return None
    # A size that is not 0 is final: dCache shows 0 until a file is whole.
    known = {file.name for file in fresh_forcefiles(exposure) if file.size > 0}
    known |= {key.tarball(ccd.ccd) for ccd in exposure.ccds if ccd.tarball_size}
    return LookRequest(
        exposure_id=exposure.id,
        key=key,
        forcefiles=open_files,
        folders=False,
        ccds=unsettled,
        known_sizes=frozenset(known),
        known_fails={
            (ccd.ccd, name): stat
            for ccd in exposure.ccds
            if ccd.settled_at is None
            for name, stat in ccd.fail_stats.items()
        },
    )


def _files_may_come(exposure: Exposure) -> bool:
    """Whether forcephoto files may still appear: a job copies them after its tarball."""
    if exposure.state is ExposureState.ATTENTION:
        return False
    if exposure.submission is not None and exposure.submission.state in IN_FLIGHT:
        return True
    return any(ccd.state is CcdState.COMPLETE and ccd.pair_at is None for ccd in exposure.ccds)


def _background(settled: list[Exposure], asked: int, policy: Policy, now: datetime) -> tuple[LookRequest, ...]:
    """The slow recheck: each settled exposure once in `policy.recheck`, spread over the polls."""
    if not policy.recheck:
        return ()
    due = sorted(
        (e for e in settled if e.full_look_at is None or now - e.full_look_at >= policy.recheck),
        key=lambda e: (e.full_look_at is not None, e.full_look_at, e.id),
    )
    share = math.ceil((asked + len(settled)) * (policy.poll_interval / policy.recheck))
    return tuple(_full(exposure) for exposure in due[: max(1, share)])
