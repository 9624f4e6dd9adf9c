"""When post-processing of a season starts, and with which exposures.

A season starts when at least one of its exposures is ready and all are settled, or nothing new came for a while, or a
person asked. One run for each season, and one in the Post-Processing folder, at a time.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from desgw_daemon.decide.looks import recheck_is_asked
from desgw_daemon.decide.readiness import judge
from desgw_daemon.decide.words import at, plural, some
from desgw_daemon.domain.actions import Action, LaunchPostproc, Recheck, StartPostproc, WaitSeason
from desgw_daemon.domain.decam import BANDS
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.snapshot import Exposure, PostprocRun, Snapshot
from desgw_daemon.domain.states import RUN_LIVE, ExposureState, Ready, RunState

#: Nothing more comes for an exposure in these states without a person.
_SETTLED = frozenset({ExposureState.READY, ExposureState.DONE, ExposureState.ATTENTION, ExposureState.POSTPROCESSING})


def fingerprint(exposures: Iterable[Exposure]) -> str:
    """Tells whether two runs are of the same exposures and bands, and of the same results of each."""
    names = sorted(f"{e.expnum}:{e.band}:{e.nite}:{e.attempt}:{e.forcefiles_found}" for e in exposures)
    return hashlib.sha256(" ".join(names).encode()).hexdigest()[:16]


def run_of(snapshot: Snapshot, exposure: Exposure) -> PostprocRun | None:
    """The newest run that the exposure is in."""
    runs = [run for run in snapshot.runs if exposure.id in run.exposures]
    return max(runs, key=lambda run: run.number, default=None)


def failed_run_of(snapshot: Snapshot, exposure: Exposure) -> PostprocRun | None:
    """The failed run that has brought the exposure to attention; None when it is there for a cause of its own.

    It was ready when it went into the run, and still is but for that; a cause of its own makes it not ready.
    """
    if exposure.state is not ExposureState.ATTENTION or exposure.ready is Ready.NO:
        return None
    run = run_of(snapshot, exposure)
    return run if run is not None and run.state in (RunState.FAILED, RunState.LOST) else None


def heals_by_itself(snapshot: Snapshot, exposure: Exposure) -> bool:
    """Whether evidence on /pnfs may lead an exposure out of attention.

    Not when its DAG was never made or accepted, and not after a run of post-processing that failed: the same
    exposures would start the same run again and again.
    """
    submission = exposure.own_submission
    accepted = submission is not None and submission.job_id is not None
    return (exposure.watch_only or accepted) and failed_run_of(snapshot, exposure) is None


def members_of(snapshot: Snapshot, season: int, *, asked_for: bool = True) -> list[Exposure]:
    """The exposures that a run of the season would have now, in the order of the list file.

    All that is ready, and what an earlier run had, since a season grows. Those of a failed run only when a person
    has asked for a run: it does not start again by itself.
    """
    chosen = [
        e
        for e in snapshot.exposures
        if e.season == season
        and not e.held
        and (
            e.state in (ExposureState.READY, ExposureState.DONE)
            or (asked_for and failed_run_of(snapshot, e) is not None)
        )
    ]
    return sorted(chosen, key=lambda e: (e.expnum, e.nite or ""))


def plan_postproc(snapshot: Snapshot, policy: Policy, now: datetime) -> tuple[Action, ...]:
    """The actions for the seasons, lowest first."""
    actions: list[Action] = [
        LaunchPostproc(
            run_id=run.id,
            season=run.season,
            number=run.number,
            reason=f"post-processing run {run.number} of season {run.season} was about to start",
        )
        for run in snapshot.runs
        if run.state is RunState.INTENT
    ]
    live = next((run for run in snapshot.runs if run.state in RUN_LIVE), None)
    busy = None if live is None else (live.season, f"run {live.number}", live.started_at or live.intent_at)
    for season in sorted({e.season for e in snapshot.exposures} | snapshot.postproc_requests.keys()):
        if busy is None:
            decided = _for_season(snapshot, season, policy, now)
            if any(isinstance(action, StartPostproc) for action in decided):
                busy = (season, "a new run", now)
        elif busy[0] == season:
            decided = _wait(season, f"{busy[1]} goes on since {at(busy[2])}")
        else:
            decided = _wait(
                season,
                f"{busy[1]} of season {busy[0]} uses the Post-Processing folder since {at(busy[2])}; it goes on when"
                " that has ended",
            )
        actions += decided
    return tuple(actions)


def _wait(season: int, reason: str) -> list[Action]:
    return [WaitSeason(season=season, reason=reason)]


def _for_season(snapshot: Snapshot, season: int, policy: Policy, now: datetime) -> list[Action]:
    """A season while no run goes on."""
    all_of_it = [e for e in snapshot.exposures if e.season == season and e.state is not ExposureState.REMOVED]
    request = snapshot.postproc_requests.get(season)
    members = [
        e
        for e in members_of(snapshot, season, asked_for=request is not None)
        # One of a failed run may have changed since.
        if e.state is not ExposureState.ATTENTION or judge(e, policy, now).ready is not Ready.NO
    ]
    ready = [e for e in members if e.state is not ExposureState.DONE]
    asked = None if request is None else f"{request.by} asked for it at {at(request.asked_at)}"
    if not members or (not ready and request is None):
        return _wait(season, _nothing_ready(all_of_it, asked))
    if snapshot.paused:
        return _wait(season, f"everything is paused: {snapshot.paused_reason}. It goes on after `desgw-daemon resume`")
    if asked is None and not policy.postproc_auto:
        return _wait(
            season,
            f"{plural(len(ready), 'exposure')} ready; postproc.auto is off:"
            f" `desgw-daemon postproc run --season {season}` starts it",
        )
    why = asked or _why_now(season, all_of_it, policy, now)
    if why is None:
        return _wait(season, _not_yet(all_of_it, ready, policy))
    unseen = [e for e in ready if not _looked_at(e, policy, now)]
    hidden = [e for e in unseen if _is_out_of_sight(e, policy, now)]
    rechecks = [
        Recheck(exposure_id=e.id, expnum=e.expnum, reason="a last look before it goes to post-processing")
        for e in unseen
        if not recheck_is_asked(e)
    ]
    if stale := [e for e in unseen if e not in hidden]:
        return [
            *rechecks,
            *_wait(season, f"a last look at {_names(stale)} before post-processing starts ({why})"),
        ]
    if hidden:
        why = f"{why}; without {_names(hidden)}, which cannot be looked at"
        if hidden == ready:
            return [*rechecks, *_wait(season, f"none of its ready exposures can be looked at ({_names(hidden)})")]
        members = [e for e in members if e not in hidden]
    bands = tuple(band for band in BANDS if any(e.band == band for e in members))
    return [
        *rechecks,
        StartPostproc(
            season=season,
            exposure_ids=tuple(e.id for e in members),
            expnums=tuple(e.expnum for e in members),
            bands=bands,
            fingerprint=fingerprint(members),
            request_id=None if request is None else request.id,
            asked_by=None if request is None else request.by,
            forced_skipto=None if request is None else request.skipto,
            reason=f"{plural(len(members), 'exposure')} in {', '.join(bands)}: {why}",
        ),
    ]


def _open(exposures: Iterable[Exposure]) -> list[Exposure]:
    """Those for which something may still come without a person."""
    return [e for e in exposures if e.state not in _SETTLED and not e.held]


def _newest(exposures: Iterable[Exposure]) -> datetime:
    return max(max(e.news_at, e.since) for e in exposures)


def _why_now(season: int, all_of_it: Sequence[Exposure], policy: Policy, now: datetime) -> str | None:
    open_ones = _open(all_of_it)
    if not open_ones:
        return f"every exposure of season {season} is settled"
    news = _newest(all_of_it)
    if now - news >= policy.postproc_quiet_for:
        return f"nothing new since {at(news)}, though {plural(len(open_ones), 'exposure')} may still come"
    return None


def _not_yet(all_of_it: Sequence[Exposure], ready: Sequence[Exposure], policy: Policy) -> str:
    open_ones = _open(all_of_it)
    return (
        f"{plural(len(ready), 'exposure')} ready, {len(open_ones)} not settled ({_names(open_ones)}); it starts when"
        f" all are, or at {at(_newest(all_of_it) + policy.postproc_quiet_for)} if nothing new comes"
    )


def _nothing_ready(all_of_it: Sequence[Exposure], asked: str | None) -> str:
    counts = Counter(e.state.value for e in all_of_it)
    held = sum(e.held for e in all_of_it)
    said = ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "it has none"
    said += f" ({held} of them held)" if held else ""
    if asked is not None:
        return f"{asked}: it starts as soon as an exposure is ready; now {said}"
    return f"no exposure waits for it: {said}"


def _names(exposures: Iterable[Exposure]) -> str:
    return some(str(e.expnum) for e in exposures)


def _looked_at(exposure: Exposure, policy: Policy, now: datetime) -> bool:
    """Whether every CCD and forcefile was looked at since it became ready, a short while ago.

    The look of the cycle in which it became ready comes before that, and does not count.
    """
    looked = exposure.full_look_at
    return looked is not None and looked > exposure.since and now - looked <= policy.postproc_look_fresh_for


def _is_out_of_sight(exposure: Exposure, policy: Policy, now: datetime) -> bool:
    """One folder that hangs must not keep a whole season back."""
    return exposure.unseen_since is not None and now - exposure.unseen_since >= policy.unseen_patience
