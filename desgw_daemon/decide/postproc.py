"""When post-processing of a season starts, and with which exposures.

A season starts when at least one of its exposures is ready and all are settled, or nothing new came for a while, or a
person asked. One run for each season, and one in the Post-Processing folder, at a time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime

from desgw_daemon.decide.words import at, plural, some
from desgw_daemon.domain.actions import Action, LaunchPostproc, Recheck, StartPostproc, WaitSeason
from desgw_daemon.domain.decam import BANDS
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.snapshot import Exposure, PostprocRun, Snapshot
from desgw_daemon.domain.states import RUN_LIVE, ExposureState, Ready, RunState

#: Nothing more comes for an exposure in these states without a person.
_SETTLED = frozenset({ExposureState.READY, ExposureState.DONE, ExposureState.ATTENTION, ExposureState.POSTPROCESSING})


def fingerprint(exposures: Iterable[Exposure]) -> str:
    """Tells whether two runs are of the same exposures and bands."""
    names = sorted(f"{e.expnum}:{e.band}:{e.nite}" for e in exposures)
    return hashlib.sha256(" ".join(names).encode()).hexdigest()[:16]


def run_of(snapshot: Snapshot, exposure: Exposure) -> PostprocRun | None:
    """The newest run that the exposure is in."""
    runs = [run for run in snapshot.runs if exposure.id in run.exposures]
    return max(runs, key=lambda run: run.number, default=None)


def heals_by_itself(snapshot: Snapshot, exposure: Exposure) -> bool:
    """Whether evidence on /pnfs may lead an exposure out of attention.

    Not when its DAG was never made or accepted, and not after a run of post-processing that failed: the same
    exposures would start the same run again and again.
    """
    submission = exposure.submission
    accepted = submission is not None and submission.attempt == exposure.attempt and submission.job_id is not None
    run = run_of(snapshot, exposure)
    return (exposure.watch_only or accepted) and (run is None or run.state is RunState.DONE)


def members_of(snapshot: Snapshot, season: int) -> list[Exposure]:
    """The exposures that a run of the season would have now."""
    exposures = [e for e in snapshot.exposures if e.season == season and e.state is not ExposureState.REMOVED]
    return _members(snapshot, exposures, by_request=True)


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
    for season in sorted({exposure.season for exposure in snapshot.exposures}):
        decided = _for_season(snapshot, season, live, policy, now)
        actions += decided
        if live is None and any(isinstance(action, StartPostproc) for action in decided):
            # One a tick: two seasons share the folder.
            return tuple(actions)
    return tuple(actions)


def _for_season(
    snapshot: Snapshot, season: int, live: PostprocRun | None, policy: Policy, now: datetime
) -> Sequence[Action]:
    all_of_it = [e for e in snapshot.exposures if e.season == season and e.state is not ExposureState.REMOVED]
    request = snapshot.postproc_requests.get(season)
    members = _members(snapshot, all_of_it, by_request=request is not None)
    ready = [e for e in members if e.state is not ExposureState.DONE]

    def wait(reason: str) -> list[Action]:
        return [WaitSeason(season=season, reason=reason)]

    if live is not None:
        if live.season == season:
            return wait(f"run {live.number} goes on since {at(live.started_at or live.intent_at)}")
        return wait(f"season {live.season} uses the Post-Processing folder since {at(live.intent_at)}; it is next")
    if not members or (not ready and request is None):
        return wait(_nothing_ready(all_of_it))
    if snapshot.paused:
        return wait(f"everything is paused: {snapshot.paused_reason}. It goes on after `desgw-daemon resume`")
    why = _why_now(season, all_of_it, ready, policy, now)
    if request is not None:
        why = f"{request.by} asked for it at {at(request.asked_at)}"
    elif not policy.postproc_auto:
        return wait(
            f"{plural(len(ready), 'exposure')} ready; postproc.auto is off:"
            f" `desgw-daemon postproc run --season {season}` starts it"
        )
    elif why is None:
        return wait(_not_yet(all_of_it, ready, policy))
    stale = [e for e in ready if not _looked_at(e, policy, now)]
    if stale:
        return [
            *(
                Recheck(exposure_id=e.id, expnum=e.expnum, reason="a last look before it goes to post-processing")
                for e in stale
                if not _recheck_is_asked(e)
            ),
            *wait(f"a last look at {some(str(e.expnum) for e in stale)} before post-processing starts ({why})"),
        ]
    bands = tuple(band for band in BANDS if any(e.band == band for e in members))
    return [
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
        )
    ]


def _members(snapshot: Snapshot, exposures: Iterable[Exposure], *, by_request: bool) -> list[Exposure]:
    """What goes into a run: all that is ready, and what an earlier run had, since a season grows."""
    chosen = []
    for exposure in exposures:
        if exposure.held:
            continue
        run = run_of(snapshot, exposure)
        failed_run = exposure.state is ExposureState.ATTENTION and run is not None and run.state is not RunState.DONE
        if exposure.state in (ExposureState.READY, ExposureState.DONE) or (
            by_request and failed_run and exposure.ready is not Ready.NO
        ):
            chosen.append(exposure)
    # The list file names an exposure once, and in the order of the sky's night.
    return sorted(chosen, key=lambda e: (e.expnum, e.nite or ""))


def _why_now(
    season: int, all_of_it: Sequence[Exposure], ready: Sequence[Exposure], policy: Policy, now: datetime
) -> str | None:
    if not ready:
        return None
    open_ones = [e for e in all_of_it if e.state not in _SETTLED and not e.held]
    if not open_ones:
        return f"every exposure of season {season} is settled"
    news = max(max(e.news_at, e.since) for e in all_of_it)
    if now - news >= policy.postproc_quiet_for:
        return f"nothing new since {at(news)}, though {plural(len(open_ones), 'exposure')} may still come"
    return None


def _not_yet(all_of_it: Sequence[Exposure], ready: Sequence[Exposure], policy: Policy) -> str:
    open_ones = [e for e in all_of_it if e.state not in _SETTLED and not e.held]
    news = max(max(e.news_at, e.since) for e in all_of_it)
    return (
        f"{plural(len(ready), 'exposure')} ready, {len(open_ones)} not settled"
        f" ({some(str(e.expnum) for e in open_ones)}); it starts when all are, or at"
        f" {at(news + policy.postproc_quiet_for)} if nothing new comes"
    )


def _nothing_ready(all_of_it: Sequence[Exposure]) -> str:
    if not all_of_it:
        return "no exposures"
    if all(e.state is ExposureState.DONE for e in all_of_it):
        return "every exposure is done"
    return "no exposure is ready"


def _looked_at(exposure: Exposure, policy: Policy, now: datetime) -> bool:
    """Whether every CCD and forcefile was looked at since it became ready, a short while ago."""
    looked = exposure.full_look_at
    return looked is not None and looked >= exposure.since and now - looked <= policy.postproc_look_fresh_for


def _recheck_is_asked(exposure: Exposure) -> bool:
    asked = exposure.recheck_asked_at
    return asked is not None and (exposure.full_look_at is None or exposure.full_look_at < asked)
