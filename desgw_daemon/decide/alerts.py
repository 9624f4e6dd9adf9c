"""Which alerts should be up now. The store raises and clears by the difference: a restart repeats none, loses none."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from desgw_daemon.decide.attention_alerts import attention_alerts
from desgw_daemon.decide.checkup_alerts import checkup_alerts
from desgw_daemon.decide.delivering import delivery_alerts
from desgw_daemon.decide.disagree import disagreement_alerts
from desgw_daemon.decide.failure_alerts import failure_alerts
from desgw_daemon.decide.leftover_alerts import leftover_alerts
from desgw_daemon.decide.looks import is_watched
from desgw_daemon.decide.pace_alerts import pace_alerts
from desgw_daemon.decide.postproc_alerts import postproc_alerts
from desgw_daemon.decide.queue_alerts import queue_alerts
from desgw_daemon.decide.refreshing import failed_refresh, lacks_data, waiting_for_data
from desgw_daemon.decide.skipto import unsafe_alerts
from desgw_daemon.decide.tree_alerts import tree_alerts
from desgw_daemon.decide.vitals import vitals_alerts
from desgw_daemon.decide.words import at, plural, some
from desgw_daemon.domain.actions import AlertWanted
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.snapshot import Snapshot
from desgw_daemon.domain.states import ExposureState

_NEEDS_CREDENTIAL: Final = (ExposureState.QUEUED, ExposureState.MAKING, ExposureState.SUBMITTING)
#: A credential is told to be old from so many times `credential.min_left` on: tokens live for an hour or so only.
_SOON: Final = 1.5


def wanted_alerts(snapshot: Snapshot, policy: Policy, now: datetime) -> tuple[AlertWanted, ...]:
    """One alert for each root cause."""
    failures = failure_alerts(snapshot, policy, now)
    return (
        *failures.alerts,
        *attention_alerts(snapshot, policy, failures.ccds),
        *leftover_alerts(snapshot, policy, now),
        *pace_alerts(snapshot, policy, now),
        *_silent(snapshot, policy),
        *_credential(snapshot, policy, now),
        *postproc_alerts(snapshot, policy, now),
        *unsafe_alerts(policy),
        *queue_alerts(snapshot, policy, now),
        *disagreement_alerts(snapshot),
        *_refresh_failed(snapshot),
        *_without_data(snapshot, policy, now),
        *_paused(snapshot),
        *_unseen(snapshot),
        *delivery_alerts(snapshot.undelivered, policy.alerts),
        *checkup_alerts(snapshot),
        *vitals_alerts(snapshot, policy),
    )


def _silent(snapshot: Snapshot, policy: Policy) -> list[AlertWanted]:
    alerts = []
    if snapshot.pnfs_silent:
        since, why = snapshot.pnfs_silent
        alerts.append(
            AlertWanted(
                key="pnfs_silent",
                rule="pnfs_silent",
                text=f"/pnfs cannot be seen since {at(since)}: {why}. Every CCD keeps its last state; it goes on by"
                " itself when the mount answers. If it lasts, tell the storage service",
                since=since,
            )
        )
    alerts += tree_alerts(snapshot, policy)
    if snapshot.engine_silent:
        since, why = snapshot.engine_silent
        alerts.append(
            AlertWanted(
                key="engine_silent",
                rule="engine_silent",
                text=f"the queue does not answer since {at(since)}: {why}. Nothing is taken for lost, and nothing is"
                " submitted. Watching, making and post-processing go on; the rest goes on by itself when it answers",
                since=since,
            )
        )
    if snapshot.making_blocked:
        since, why = snapshot.making_blocked
        alerts.append(
            AlertWanted(
                key="making_blocked",
                rule="making_blocked",
                text=f"no DAG can be made since {at(since)}: {why}. Watching and post-processing go on; making starts"
                " again by itself when the cause has gone",
                since=since,
            )
        )
    return alerts


def _credential(snapshot: Snapshot, policy: Policy, now: datetime) -> list[AlertWanted]:
    """One that is no good while something waits for it; before that, one that will soon be too old."""
    waiting = [e for e in snapshot.exposures if e.state in _NEEDS_CREDENTIAL and not e.watch_only and not e.held]
    if not waiting:
        return []
    if snapshot.credential_bad:
        since, why = snapshot.credential_bad
        return [
            AlertWanted(
                key="credential",
                rule="credential",
                text=f"nothing is made or submitted since {at(since)} ({plural(len(waiting), 'exposure')} in line):"
                f" {why}. Watching and post-processing go on; making starts again by itself when it is good",
                since=since,
            )
        ]
    until = snapshot.credential_until
    if until is None or until - now >= _SOON * policy.credential_min_left:
        return []
    return [
        AlertWanted(
            key="credential_soon",
            rule="credential_soon",
            text=f"the credential ends at {at(until)}: from {at(until - policy.credential_min_left)} on nothing more is"
            f" made or submitted ({plural(len(waiting), 'exposure')} in line). Renew it before",
        )
    ]


def _refresh_failed(snapshot: Snapshot) -> list[AlertWanted]:
    if (failed := failed_refresh(snapshot)) is None:
        return []
    waiting = waiting_for_data(snapshot)
    return [
        AlertWanted(
            key="refresh_failed",
            rule="refresh_failed",
            text=f"exposures.list could not be refreshed at {at(failed.started_at)}: {failed.reason}. The old one"
            f" stays; {plural(len(waiting), 'exposure')} of the queue not in it:"
            f" {some(str(e.expnum) for e in waiting)}. Mend the cause; `desgw-daemon exposures refresh` tries at once",
        )
    ]


def _without_data(snapshot: Snapshot, policy: Policy, now: datetime) -> list[AlertWanted]:
    """Exposures that exposures.list does not know. What keeps it from being refreshed has an alert of its own."""
    delay = policy.alerts.delay("no_data")
    waiting = [e for e in snapshot.exposures if lacks_data(e) and now - e.queued_at >= delay]
    if not waiting:
        return []
    return [
        AlertWanted(
            key="no_data",
            rule="no_data",
            text=f"exposures.list has no line for {plural(len(waiting), 'queued exposure')}:"
            f" {some(str(e.expnum) for e in waiting)}. They go on when it has one:"
            " `desgw-daemon exposures refresh`; a wrong number: `desgw-daemon queue remove EXPNUM`",
            since=min(e.queued_at for e in waiting),
        )
    ]


def _paused(snapshot: Snapshot) -> list[AlertWanted]:
    """A pause that was forgotten is a lost night."""
    since = snapshot.paused_since
    if since is None:
        return []
    return [
        AlertWanted(
            key="paused",
            rule="paused",
            text=f"everything is paused since {at(since)}: {snapshot.paused_reason}. `desgw-daemon resume` goes on",
            since=since,
        )
    ]


def _unseen(snapshot: Snapshot) -> list[AlertWanted]:
    """Folders that cannot be looked at. A /pnfs that cannot be seen at all has an alert of its own."""
    unseen = [exposure for exposure in snapshot.exposures if is_watched(exposure) and exposure.unseen_since is not None]
    if not unseen:
        return []
    since = min(exposure.unseen_since for exposure in unseen if exposure.unseen_since is not None)
    return [
        AlertWanted(
            key="exposures_unseen",
            rule="exposures_unseen",
            text=f"{plural(len(unseen), 'exposure')} cannot be looked at on /pnfs since {at(since)} or later:"
            f" {some(str(e.expnum) for e in unseen)}. The first: {unseen[0].unseen_problem}. What was known of them"
            " stays, and post-processing starts without them; they go on when they can be seen",
            since=since,
        )
    ]
