"""When post-processing of a season starts.

A season starts when at least one of its exposures is ready and all are settled, or nothing new came for a while, or the
first has waited for long enough, or a run that failed is due again, or a person asked. One run for each season, and one
in the Post-Processing folder, at a time; by itself a season starts only so often. Which exposures are in a run:
postproc_members.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from desgw_daemon.decide.looks import recheck_is_asked
from desgw_daemon.decide.postproc_members import Chosen, bands_of, choose, fingerprint
from desgw_daemon.decide.postproc_runs import Retry, earliest_start, next_retry
from desgw_daemon.decide.vitals import nothing_new
from desgw_daemon.decide.words import at, plural, some, span
from desgw_daemon.domain.actions import Action, LaunchPostproc, Recheck, StartPostproc, WaitSeason
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.runs import PostprocRequest
from desgw_daemon.domain.snapshot import Exposure, Snapshot
from desgw_daemon.domain.states import RUN_LIVE, ExposureState, RunState

#: Nothing more comes for an exposure in these states without a person.
_SETTLED = frozenset({ExposureState.READY, ExposureState.DONE, ExposureState.ATTENTION, ExposureState.POSTPROCESSING})


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
            decided = _while_silent(snapshot, season, _for_season(snapshot, season, policy, now))
            if any(isinstance(action, StartPostproc) for action in decided):
                busy = (season, "a new run", now)
        elif busy[0] == season:
            decided = _wait(season, f"{busy[1]} goes on since {at(busy[2])}{_meanwhile(snapshot, season)}")
        else:
            decided = _wait(
                season,
                f"{busy[1]} of season {busy[0]} uses the Post-Processing folder since {at(busy[2])}; it goes on when"
                " that has ended",
            )
        actions += decided
    return tuple(actions)


def next_exposures(
    snapshot: Snapshot, season: int, policy: Policy, now: datetime
) -> tuple[tuple[Exposure, ...], Retry | None]:
    """Those that the season's next run would have now, and which run it would be a try of.

    Where no try is due, those that it would have if a person asked for it.
    """
    retry = next_retry(snapshot, season, policy) if season not in snapshot.postproc_requests else None
    if retry is not None and (again := choose(snapshot, season, policy, now, only=retry.run)).new:
        return again.members, retry
    return choose(snapshot, season, policy, now, asked_for=True).members, None


def _while_silent(snapshot: Snapshot, season: int, decided: list[Action]) -> list[Action]:
    """No run is started in a folder of which nothing is known."""
    silent = snapshot.postprocessing_silent
    if silent is None or not any(isinstance(action, StartPostproc) for action in decided):
        return decided
    return _wait(
        season,
        f"a run is due, and Post-Processing cannot be used since {at(silent[0])}: {silent[1]}. It starts by itself when"
        " the folder answers",
    )


def _wait(season: int, reason: str) -> list[Action]:
    return [WaitSeason(season=season, reason=reason)]


def _meanwhile(snapshot: Snapshot, season: int) -> str:
    """What has become ready during a run goes into one of its own, with all the others."""
    waiting = [e for e in snapshot.exposures if e.season == season and e.state is ExposureState.READY and not e.held]
    if not waiting:
        return ""
    them = "it" if len(waiting) == 1 else "them"
    return f"; {plural(len(waiting), 'exposure')} ready meanwhile ({_names(waiting)}): the next run has {them}"


def _for_season(snapshot: Snapshot, season: int, policy: Policy, now: datetime) -> list[Action]:
    """A season while no run goes on."""
    request = snapshot.postproc_requests.get(season)
    retry = next_retry(snapshot, season, policy) if request is None else None
    if retry is not None:
        again = choose(snapshot, season, policy, now, only=retry.run)
        if again.new:
            return _try_again(snapshot, season, retry, again, policy, now)
    all_of_it = [e for e in snapshot.exposures if e.season == season and e.state is not ExposureState.REMOVED]
    chosen = choose(snapshot, season, policy, now, asked_for=request is not None)
    asked = None if request is None else f"{request.by} asked for it at {at(request.asked_at)}"
    if not chosen.members or (not chosen.new and request is None):
        return _wait(season, _nothing_ready(all_of_it, chosen, asked))
    if stop := nothing_new(snapshot, policy):
        return _wait(season, stop)
    if asked is None and not policy.postproc_auto:
        return _wait(
            season,
            f"{plural(len(chosen.new), 'exposure')} ready; postproc.auto is off:"
            f" `desgw-daemon postproc run --season {season}` starts it",
        )
    why = asked or _why_now(season, all_of_it, chosen.new, policy, now)
    earliest = earliest_start(snapshot, season, policy)
    if why is None:
        return _wait(season, _not_yet(all_of_it, chosen.new, earliest, policy))
    if asked is None and earliest is not None and now < earliest:
        return _wait(
            season,
            f"{plural(len(chosen.new), 'exposure')} ready, {why}; a season is run at most every"
            f" {span(policy.postproc_min_interval)} by itself: it starts at {at(earliest)};"
            f" `desgw-daemon postproc run --season {season}` starts it at once",
        )
    return _start(season, chosen, why, request, None)


def _try_again(
    snapshot: Snapshot, season: int, retry: Retry, chosen: Chosen, policy: Policy, now: datetime
) -> list[Action]:
    """The run that failed, with its own exposures: with others it would begin from scratch."""
    if now < retry.at:
        others = [
            e
            for e in snapshot.exposures
            if e.season == season and e.state is ExposureState.READY and not e.held and e.id not in retry.run.exposures
        ]
        more = f"; {plural(len(others), 'exposure')} ready since ({_names(others)}) after that" if others else ""
        return _wait(season, retry.words(policy) + more)
    if stop := nothing_new(snapshot, policy):
        return _wait(season, stop)
    why = f"run {retry.run.number} failed at {at(retry.run.ended_at)}: try {retry.number} of {policy.postproc_retries}"
    return _start(season, chosen, why, None, retry)


def _start(season: int, chosen: Chosen, why: str, request: PostprocRequest | None, retry: Retry | None) -> list[Action]:
    """Start it, or have looked at what is still to be looked at."""
    members, unseen = chosen.members, chosen.unseen
    rechecks: list[Action] = [
        Recheck(exposure_id=e.id, expnum=e.expnum, reason="a last look before it goes to post-processing")
        for e in (*unseen, *chosen.ageing)
        if not recheck_is_asked(e)
    ]
    if unseen:
        return [*rechecks, *_wait(season, f"a last look at {_names(unseen)} before post-processing starts ({why})")]
    bands = bands_of(members)
    left = f"; {len(chosen.left_out)} left out" if chosen.left_out else ""
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
            reason=f"{plural(len(members), 'exposure')} in {', '.join(bands)}: {why}{left}",
            left_out=chosen.left_out,
            make_folders=chosen.make,
            retry_of=None if retry is None else retry.run.id,
        ),
    ]


def _open(exposures: Iterable[Exposure]) -> list[Exposure]:
    """Those for which something may still come without a person."""
    return [e for e in exposures if e.state not in _SETTLED and not e.held]


def _newest(exposures: Iterable[Exposure]) -> datetime:
    return max(max(e.news_at, e.since) for e in exposures)


def _why_now(
    season: int, all_of_it: Sequence[Exposure], ready: Sequence[Exposure], policy: Policy, now: datetime
) -> str | None:
    open_ones = _open(all_of_it)
    if not open_ones:
        return f"every exposure of season {season} is settled"
    still = f"though {plural(len(open_ones), 'exposure')} may still come"
    news = _newest(all_of_it)
    if len(ready) >= policy.postproc_min_exposures and now - news >= policy.postproc_quiet_for:
        return f"nothing new since {at(news)}, {still}"
    first = min(e.since for e in ready)
    if now - first >= policy.postproc_first_within:
        return f"the first was ready at {at(first)}, {span(policy.postproc_first_within)} ago or more, {still}"
    return None


def _not_yet(
    all_of_it: Sequence[Exposure], ready: Sequence[Exposure], earliest: datetime | None, policy: Policy
) -> str:
    open_ones = _open(all_of_it)
    quiet_at, latest = (
        moment if earliest is None else max(moment, earliest)
        for moment in (
            _newest(all_of_it) + policy.postproc_quiet_for,
            min(e.since for e in ready) + policy.postproc_first_within,
        )
    )
    quiet = f"at {at(quiet_at)} if nothing new comes"
    if len(ready) < policy.postproc_min_exposures:
        quiet = f"when {policy.postproc_min_exposures} are and nothing new comes for {span(policy.postproc_quiet_for)}"
    return (
        f"{plural(len(ready), 'exposure')} ready, {len(open_ones)} not settled ({_names(open_ones)}); it starts when"
        f" all are, or {quiet}, and at {at(latest)} at the latest"
    )


def _nothing_ready(all_of_it: Sequence[Exposure], chosen: Chosen, asked: str | None) -> str:
    """Why it does not start with an empty list: how many are in which state, and the first that is kept out."""
    counts = Counter(e.state.value for e in all_of_it)
    held = sum(e.held for e in all_of_it)
    said = ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "it has none"
    said += f" ({held} of them held)" if held else ""
    by_id = {e.id: e for e in all_of_it}
    out = [(by_id[number], why) for number, why in chosen.left_out.items() if not by_id[number].held]
    if ready := [(e, why) for e, why in out if e.state is ExposureState.READY]:
        first, why = ready[0]
        said += (
            f". {plural(len(ready), 'ready exposure')} left out ({_names(e for e, _ in ready)}); {first.expnum}: {why}"
        )
    if asked is not None:
        return f"{asked}: it starts as soon as an exposure is ready; now {said}"
    return f"no exposure waits for it: {said}"


def _names(exposures: Iterable[Exposure]) -> str:
    return some(str(e.expnum) for e in exposures)
