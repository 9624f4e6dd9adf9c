"""Which alerts should be up now. The store raises and clears by the difference: a restart repeats none, loses none."""

from __future__ import annotations

from datetime import datetime

from desgw_daemon.decide.postproc import run_of
from desgw_daemon.decide.words import at, plural, some, span
from desgw_daemon.domain.actions import AlertWanted
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.snapshot import Snapshot
from desgw_daemon.domain.states import ExposureState, RunState, SubmissionState


def wanted_alerts(snapshot: Snapshot, policy: Policy, now: datetime) -> tuple[AlertWanted, ...]:
    """One alert for each root cause."""
    return (
        *_silent(snapshot, policy, now),
        *_runs(snapshot, policy, now),
        *_attention(snapshot),
        *_unknown(snapshot, policy, now),
    )


def _silent(snapshot: Snapshot, policy: Policy, now: datetime) -> list[AlertWanted]:
    alerts = []
    if snapshot.pnfs_silent and now - snapshot.pnfs_silent[0] >= policy.poll_interval:
        since, why = snapshot.pnfs_silent
        alerts.append(
            AlertWanted(
                key="pnfs_silent",
                rule="pnfs_silent",
                severity="critical",
                text=f"/pnfs cannot be seen since {at(since)}: {why}. Every CCD keeps its last state; it goes on by"
                " itself when the mount answers. If it lasts, tell the storage service",
            )
        )
    if snapshot.engine_silent and now - snapshot.engine_silent[0] >= policy.poll_interval:
        since, why = snapshot.engine_silent
        alerts.append(
            AlertWanted(
                key="engine_silent",
                rule="engine_silent",
                severity="critical",
                text=f"the queue does not answer since {at(since)}: {why}. Nothing is taken for lost; submissions wait",
            )
        )
    if snapshot.making_blocked and now - snapshot.making_blocked[0] >= policy.poll_interval:
        since, why = snapshot.making_blocked
        alerts.append(
            AlertWanted(
                key="making_blocked",
                rule="making_blocked",
                severity="critical",
                text=f"no DAG can be made since {at(since)}: {why}. Watching and post-processing go on; making starts"
                " again by itself when the cause has gone",
            )
        )
    return alerts


def _runs(snapshot: Snapshot, policy: Policy, now: datetime) -> list[AlertWanted]:
    alerts = []
    newest = {run.season: run for run in sorted(snapshot.runs, key=lambda run: run.number)}
    for run in newest.values():
        name = f"post-processing run {run.number} of season {run.season}"
        heard = run.step_at or run.started_at or run.intent_at
        if run.state in (RunState.FAILED, RunState.LOST):
            alerts.append(
                AlertWanted(
                    key=f"postproc_failed:{run.season}:{run.number}",
                    rule="postproc_failed",
                    severity="critical",
                    season=run.season,
                    text=f"{name} with {plural(len(run.expnums), 'exposure')}: {run.reason}. What it wrote is in"
                    f" {run.folder}. Mend the cause, then `desgw-daemon postproc run --season {run.season}`",
                )
            )
        elif run.state is RunState.RUNNING and now - heard >= policy.postproc_silent_after:
            alerts.append(
                AlertWanted(
                    key=f"postproc_silent:{run.season}:{run.number}",
                    rule="postproc_silent",
                    severity="warning",
                    season=run.season,
                    text=f"{name} has said nothing new since {at(heard)} (step {run.step}), for more than"
                    f" {span(policy.postproc_silent_after)}. It is never ended by the daemon: look at its output in"
                    f" {run.folder}",
                )
            )
    return alerts


def _attention(snapshot: Snapshot) -> list[AlertWanted]:
    """An exposure for a person; those that only share a failed run are in that run's alert."""
    alerts = []
    for exposure in snapshot.exposures:
        if exposure.state is not ExposureState.ATTENTION:
            continue
        run = run_of(snapshot, exposure)
        if run is not None and run.state in (RunState.FAILED, RunState.LOST):
            continue
        alerts.append(
            AlertWanted(
                key=f"exposure_attention:{exposure.id}",
                rule="exposure_attention",
                severity="warning",
                text=f"exposure {exposure.label} needs a person: {exposure.reason}",
                season=exposure.season,
                nite=exposure.nite,
                expnum=exposure.expnum,
            )
        )
    return alerts


def _unknown(snapshot: Snapshot, policy: Policy, now: datetime) -> list[AlertWanted]:
    grace = policy.submit_confirm_absent + 2 * policy.poll_interval
    lost_from_view = [
        exposure
        for exposure in snapshot.exposures
        if (submission := exposure.submission) is not None
        and submission.state is SubmissionState.UNKNOWN
        and now - (submission.as_of or submission.intent_at) >= grace
    ]
    if not lost_from_view:
        return []
    return [
        AlertWanted(
            key="submission_unknown",
            rule="submission_unknown",
            severity="critical",
            text=f"{plural(len(lost_from_view), 'submission')} of unknown outcome:"
            f" {some(str(e.expnum) for e in lost_from_view)}. Nothing is submitted twice; it is settled when the queue"
            " gives a sure answer",
        )
    ]
