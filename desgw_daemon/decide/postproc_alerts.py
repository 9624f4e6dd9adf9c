"""Which alerts of post-processing should be up: a run that is a person's now, one that is silent, what is left out.

The newest run that ended well is told as good news for some hours. One that is tried again by itself is no alert: it
stands in the log.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from desgw_daemon.decide.postproc_members import kept_out
from desgw_daemon.decide.postproc_runs import failed_run_of, why_no_retry
from desgw_daemon.decide.words import at, plural, some, span
from desgw_daemon.domain.actions import AlertWanted
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.runs import PostprocRun
from desgw_daemon.domain.snapshot import Snapshot
from desgw_daemon.domain.states import ExposureState, RunState

#: For so long a run that has ended well is news.
NEWS_FOR: Final = timedelta(hours=6)


def postproc_alerts(snapshot: Snapshot, policy: Policy, now: datetime) -> Iterator[AlertWanted]:
    """One alert for each run that needs a person, and one for each season that goes on without some of its ready."""
    stuck = {run.id for e in snapshot.exposures if (run := failed_run_of(snapshot, e)) is not None}
    for run in snapshot.runs:
        if run.id in stuck:
            yield _failed(snapshot, run, policy)
        elif run.state is RunState.RUNNING and now - _heard(run) >= _silence(run, policy):
            yield _silent(run, policy)
    yield from _done(snapshot, now)
    yield from _left_out(snapshot, policy)


def _failed(snapshot: Snapshot, run: PostprocRun, policy: Policy) -> AlertWanted:
    """Up as long as exposures wait for somebody to act on it."""
    return AlertWanted(
        key=f"postproc_failed:{run.season}:{run.number}",
        rule="postproc_failed",
        season=run.season,
        text=f"{_name(run)} with {plural(len(run.expnums), 'exposure')}: {run.reason}."
        f"{why_no_retry(snapshot, run, policy)} Its files are in {run.folder}. Mend the cause, then"
        f" `desgw-daemon postproc run --season {run.season}`",
    )


def _silent(run: PostprocRun, policy: Policy) -> AlertWanted:
    step = "before its first step" if run.step is None else f"in step {run.step}"
    return AlertWanted(
        key=f"postproc_silent:{run.season}:{run.number}",
        rule="postproc_silent",
        season=run.season,
        text=f"{_name(run)} has said nothing new since {at(_heard(run))} ({step}), for more than"
        f" {span(_silence(run, policy))}. It is never ended by the daemon: look at"
        f" postproc_run_{run.season}_{run.number}.out in the Post-Processing folder, and at {run.folder};"
        f" `desgw-daemon postproc stop --season {run.season}` ends it",
    )


def _done(snapshot: Snapshot, now: datetime) -> Iterator[AlertWanted]:
    """The newest run of each season, while it is news that it has ended well."""
    newest = {run.season: run for run in sorted(snapshot.runs, key=lambda run: run.number)}
    for run in newest.values():
        if run.state is RunState.DONE and run.ended_at is not None and now - run.ended_at < NEWS_FOR:
            yield AlertWanted(
                key=f"postproc_done:{run.season}:{run.number}",
                rule="postproc_done",
                season=run.season,
                since=run.ended_at,
                text=f"{_name(run)} has ended well at {at(run.ended_at)}: {run.reason or 'no word'}."
                f" `desgw-daemon postproc report --season {run.season}` says what is in it",
            )


def _silence(run: PostprocRun, policy: Policy) -> timedelta:
    """For how long a run may stay at its step."""
    if run.step is None:
        return policy.postproc_silent_after
    return policy.postproc_silent_after_step.get(run.step, policy.postproc_silent_after)


def _left_out(snapshot: Snapshot, policy: Policy) -> Iterator[AlertWanted]:
    """Ready exposures that a run would die of, by no person's wish: the blacklist is one, and needs no alert."""
    for season in sorted({e.season for e in snapshot.exposures}):
        out = [
            (e, why)
            for e in snapshot.exposures
            if e.season == season
            and e.state is ExposureState.READY
            and not e.held
            and e.blacklisted_since is None
            and (why := kept_out(e, policy)) is not None
        ]
        if out:
            first, why = out[0]
            yield AlertWanted(
                key=f"postproc_left_out:{season}",
                rule="postproc_left_out",
                season=season,
                text=f"post-processing of season {season} goes on without {plural(len(out), 'ready exposure')}:"
                f" {some(str(e.expnum) for e, _ in out)}. {first.expnum}: {why}",
            )


def _name(run: PostprocRun) -> str:
    return f"post-processing run {run.number} of season {run.season}"


def _heard(run: PostprocRun) -> datetime:
    return run.step_at or run.started_at or run.intent_at
