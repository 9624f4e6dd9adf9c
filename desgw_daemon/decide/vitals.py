"""What the daemon's own condition means: alerts, and when nothing new may be begun. Pure."""

from __future__ import annotations

from typing import Final

from desgw_daemon.decide.words import at, plural, span
from desgw_daemon.domain.actions import AlertWanted
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.snapshot import Snapshot

#: Below this part of alerts.min_free nothing new is begun: what runs already still needs room for its own end.
_NOTHING_NEW_BELOW: Final = 0.1
_GIB: Final = 1024**3


def nothing_new(snapshot: Snapshot, policy: Policy) -> str | None:
    """Why nothing new may be begun at all, for any exposure: a pause, a disk without room."""
    if snapshot.paused:
        return f"everything is paused: {snapshot.paused_reason}. It goes on after `desgw-daemon resume`"
    free = snapshot.vitals.free
    least = policy.alerts.min_free * _NOTHING_NEW_BELOW
    if free is not None and free < least:
        return (
            f"the disk of the state folder has {_size(free)} left, and nothing new is begun below {_size(least)}"
            " (a tenth of alerts.min_free). It goes on by itself when there is room"
        )
    return None


def vitals_alerts(snapshot: Snapshot, policy: Policy) -> tuple[AlertWanted, ...]:
    """Room on the disk, the clock, the pace, the starts."""
    vitals, alerts = snapshot.vitals, []
    if vitals.free is not None and vitals.free < policy.alerts.min_free:
        alerts.append(
            AlertWanted(
                key="disk_nearly_full",
                rule="disk_nearly_full",
                text=f"the disk of the state folder has {_size(vitals.free)} left (alerts.min_free is"
                f" {_size(policy.alerts.min_free)}). Make room: below {_size(policy.alerts.min_free / 10)} nothing new"
                " is begun, and on a full disk nothing at all is done; it goes on by itself when there is room",
            )
        )
    if vitals.seconds is not None and vitals.seconds > policy.poll_interval.total_seconds():
        alerts.append(
            AlertWanted(
                key="poll_overrun",
                rule="poll_overrun",
                text=f"a cycle takes {vitals.seconds:.0f} s, poll.interval is {span(policy.poll_interval)}: all that is"
                " shown is older than it should be, and all that is done comes later. `v_poll` tells what took how"
                " long; a longer poll.interval or more poll.calls_at_once may help",
            )
        )
    if vitals.jumps:
        newest = vitals.jumps[-1]
        way = "forward" if newest.seconds > 0 else "back"
        alerts.append(
            AlertWanted(
                key="clock_jumped",
                rule="clock_jumped",
                text=f"the clock of this host was set {way} by {abs(newest.seconds):.0f} s, seen at {at(newest.at)}"
                f" ({plural(len(vitals.jumps), 'jump')} within an hour). Times in the history jump with it, and waits"
                " that are counted by the clock end sooner or later. Look at the time service (`timedatectl`)",
            )
        )
    if len(vitals.crashes) > policy.alerts.max_restarts:
        alerts.append(
            AlertWanted(
                key="restarts",
                rule="restarts",
                text=f"the daemon was started {len(vitals.crashes)} times since {at(vitals.crashes[0])} without having"
                " been stopped before. Each start goes on where the last one was cut off; `desgw-daemon logs` and"
                " `systemctl status desgw-daemon` tell why it ends",
            )
        )
    return tuple(alerts)


def _size(free: float) -> str:
    return f"{free / _GIB:.1f} GiB" if free >= _GIB else f"{free / 1024**2:.0f} MiB"
