"""Which exposures a run of post-processing has, which are left out of it, and why.

Everything that is ready, and what earlier runs had, since a season grows. Left out by name: what would kill
run_postproc.py at its first step, what cannot be looked at, and what no longer holds at the last look. Must not decide
when a season starts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from desgw_daemon.decide.postproc_runs import failed_run_of
from desgw_daemon.decide.readiness import judge
from desgw_daemon.decide.signs import has_folder
from desgw_daemon.decide.words import at, plural, some
from desgw_daemon.domain.actions import StartPostproc
from desgw_daemon.domain.decam import BANDS
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.runs import PostprocRun
from desgw_daemon.domain.snapshot import Exposure, Snapshot
from desgw_daemon.domain.states import CcdState, ExposureState, Ready


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The exposures of a run that could start now.

    members: those that go in. unseen: those of them whose last look is still to come. ageing: those whose look would be
    too old before long; they are looked at together with the others, or some would always be too old for a start.
    left_out: what could be expected in it and is not, with the reason, by exposure id. make: CCDs whose empty folder is
    to be made, by exposure id.
    """

    members: tuple[Exposure, ...]
    unseen: tuple[Exposure, ...]
    ageing: tuple[Exposure, ...]
    left_out: Mapping[int, str]
    make: Mapping[int, tuple[int, ...]]

    @property
    def new(self) -> tuple[Exposure, ...]:
        """Those for which the run is made: not done by an earlier one."""
        return tuple(e for e in self.members if e.state is not ExposureState.DONE)


def fingerprint(exposures: Iterable[Exposure]) -> str:
    """Tells whether two runs are of the same exposures and bands, and of the same results of each."""
    names = sorted(f"{e.expnum}:{e.band}:{e.nite}:{e.attempt}:{e.forcefiles_found}" for e in exposures)
    return hashlib.sha256(" ".join(names).encode()).hexdigest()[:16]


def bands_of(exposures: Sequence[Exposure]) -> tuple[str, ...]:
    """The bands of these, in the camera's order."""
    return tuple(band for band in BANDS if any(e.band == band for e in exposures))


def choose(
    snapshot: Snapshot,
    season: int,
    policy: Policy,
    now: datetime,
    *,
    asked_for: bool = False,
    only: PostprocRun | None = None,
) -> Chosen:
    """Who goes into a run of the season that starts now. only: with the exposures of this run, and no others."""
    wanted = _in_order(
        e
        for e in snapshot.exposures
        if _may_go_in(snapshot, season, e, asked_for) and (only is None or e.id in only.exposures)
    )
    left_out = _dropped_at_last_look(snapshot, season, only)
    members, unseen, ageing = [], [], []
    make = dict[int, tuple[int, ...]]()
    last_start = max((run.intent_at for run in snapshot.runs if run.season == season), default=None)
    for exposure in wanted:
        looked = _looked_at(exposure, last_start, _fresh_for(exposure, policy), now)
        if why := _why_left_out(exposure, looked, policy, now):
            left_out[exposure.id] = why
            continue
        members.append(exposure)
        if not looked:
            unseen.append(exposure)
        elif not _looked_at(exposure, last_start, _fresh_for(exposure, policy) / 2, now):
            ageing.append(exposure)
        if policy.postproc_missing_folders == "make" and (missing := without_folders(exposure)):
            make[exposure.id] = missing
    return Chosen(members=tuple(members), unseen=tuple(unseen), ageing=tuple(ageing), left_out=left_out, make=make)


def kept_out(exposure: Exposure, policy: Policy) -> str | None:
    """Why a run would die of this exposure, and what to do; None for one that may go in.

    It stays ready: it goes in by itself when the cause has gone.
    """
    if exposure.blacklisted_since is not None:
        return (
            f"the blacklist of post-processing names it since {at(exposure.blacklisted_since)} or earlier, and"
            f" run_postproc.py dies of such a one: take it off there, or `desgw-daemon queue remove {exposure.expnum}`"
        )
    missing = without_folders(exposure)
    if missing and policy.postproc_missing_folders == "leave-out":
        key = exposure.key
        where = f" in {key.exp_folder()}" if key is not None else ""
        names = some(f"{exposure.band}_{ccd:02d}" for ccd in missing)
        return (
            f"{plural(len(missing), 'folder')} missing{where} ({names}), and run_postproc.py dies of that: make"
            f' {"it" if len(missing) == 1 else "them"}, or set postproc.missing_folders = "make"; or'
            f" `desgw-daemon queue remove {exposure.expnum}`"
        )
    return None


def without_folders(exposure: Exposure) -> tuple[int, ...]:
    """The CCDs that have no folder, as far as is known."""
    return tuple(
        ccd.ccd for ccd in exposure.ccds if ccd.state is CcdState.MISSING or (ccd.as_of and not has_folder(ccd))
    )


def without(action: StartPostproc, exposures: Mapping[int, Exposure], more: Mapping[int, str]) -> StartPostproc | None:
    """The same start without some of its exposures, with the reason for each; None when nothing new is left in it."""
    left = [exposures[number] for number in action.exposure_ids if number not in more]
    if all(e.state is ExposureState.DONE for e in left) and action.request_id is None:
        return None
    if not left:
        return None
    return replace(
        action,
        exposure_ids=tuple(e.id for e in left),
        expnums=tuple(e.expnum for e in left),
        bands=bands_of(left),
        fingerprint=fingerprint(left),
        left_out={**action.left_out, **more},
        reason=f"{action.reason}; without {some(str(exposures[number].expnum) for number in more)}",
    )


def _may_go_in(snapshot: Snapshot, season: int, exposure: Exposure, asked_for: bool) -> bool:
    return exposure.season == season and (
        exposure.state in (ExposureState.READY, ExposureState.DONE)
        or (asked_for and failed_run_of(snapshot, exposure) is not None)
    )


def _in_order(exposures: Iterable[Exposure]) -> list[Exposure]:
    return sorted(exposures, key=lambda e: (e.expnum, e.nite or ""))


def _why_left_out(exposure: Exposure, looked: bool, policy: Policy, now: datetime) -> str | None:
    if exposure.held:
        return f"it is held: `desgw-daemon queue release {exposure.expnum}` lets it in"
    if exposure.state is ExposureState.DONE and not looked:
        # What an earlier look has shown may have been mended since; the blacklist is read in every cycle.
        exposure = replace(exposure, ccds=())
    if why := kept_out(exposure, policy):
        return why
    # What is ready is judged before it gets here; these two may have changed since they were.
    if exposure.state is ExposureState.ATTENTION:
        verdict = judge(exposure, policy, now)
    elif exposure.state is ExposureState.DONE and exposure.ccds:
        verdict = judge(_as_if_settled(exposure, now), policy, now)
    else:
        verdict = None
    if verdict is not None and verdict.ready is Ready.NO:
        return f"it no longer holds: {verdict.reason}"
    if not looked and _is_out_of_sight(exposure, policy, now):
        return f"it cannot be looked at since {at(exposure.unseen_since)}: {exposure.unseen_problem}"
    return None


def _as_if_settled(exposure: Exposure, now: datetime) -> Exposure:
    """One that is done is judged by what it has: something that comes anew to a CCD does not take the rest away."""
    return replace(
        exposure,
        ccds=tuple(
            replace(ccd, settled_at=now, state=CcdState.LOST if ccd.state is CcdState.PENDING else ccd.state)
            if ccd.settled_at is None
            else ccd
            for ccd in exposure.ccds
        ),
    )


def _dropped_at_last_look(snapshot: Snapshot, season: int, only: PostprocRun | None) -> dict[int, str]:
    """What was ready when the last look was asked for, and that look has shown that it no longer holds."""
    last = max((run.intent_at for run in snapshot.runs if run.season == season), default=None)
    return {
        e.id: f"it no longer holds at the last look: {e.reason}"
        for e in snapshot.exposures
        if e.season == season
        and e.state in (ExposureState.PROCESSING, ExposureState.ATTENTION)
        and e.ready is Ready.NO
        and (only is None or e.id in only.exposures)
        and e.recheck_asked_at is not None
        and e.since >= e.recheck_asked_at
        and (last is None or e.recheck_asked_at >= last)
    }


def _looked_at(exposure: Exposure, last_start: datetime | None, fresh_for: timedelta, now: datetime) -> bool:
    """Whether every CCD and forcefile was looked at for this run, no longer ago than that.

    What is ready: since it became so; the look of the cycle in which it did comes before that, and does not count.
    What is done: since the last run began.
    """
    looked = exposure.full_look_at
    since = last_start if exposure.state is ExposureState.DONE else exposure.since
    return looked is not None and (since is None or looked > since) and now - looked <= fresh_for


def _fresh_for(exposure: Exposure, policy: Policy) -> timedelta:
    """For how long a look is good enough for a start.

    What is done may be looked at as slowly as all that is settled (poll.recheck): a season of thousands needs not be
    looked at all at once again while it waits for one of them.
    """
    if exposure.state is ExposureState.DONE:
        return max(policy.postproc_look_fresh_for, policy.recheck)
    return policy.postproc_look_fresh_for


def _is_out_of_sight(exposure: Exposure, policy: Policy, now: datetime) -> bool:
    """One folder that hangs must not keep a whole season back."""
    since = exposure.unseen_since
    if since is None:
        return False
    if exposure.state is ExposureState.DONE:
        # Nobody has looked at it for a while: what was seen of it in its own time proves nothing now.
        since = max(since, exposure.recheck_asked_at or now)
    return now - since >= policy.unseen_patience
