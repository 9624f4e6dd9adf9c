"""From the alerts that are wanted and those that are written down to what changes: raised, waiting, muted, cleared.

Must not tell anybody, and must not know what a rule is about: that is in the catalogue and in the conditions.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from desgw_daemon.domain.actions import AlertWanted
from desgw_daemon.domain.alertrules import AlertRule
from desgw_daemon.domain.alerts import Alert, AlertChanges, Pending, Raised
from desgw_daemon.domain.policy import AlertPolicy, Policy

#: An alert that comes back within so many cycles of its end is the same one: nobody is told of the gap, since its end
#: is told when it has lasted for so long. A cause that comes and goes with each cycle would fill a night with messages.
CALM_CYCLES: Final = 5
#: A consequence whose cause has gone may be about to heal: it gets so many cycles, where its rule has no delay.
HEAL_CYCLES: Final = 2
#: A delay has passed when less than this part of a cycle is left of it: cycles do not begin on the dot, and half a
#: second too early is better than a cycle too late.
_SLACK: Final = 0.1


def calm(policy: Policy) -> timedelta:
    """For how long an end must last to be told."""
    return CALM_CYCLES * policy.poll_interval


def causes(rules: Iterable[str], alerts: AlertPolicy) -> frozenset[str]:
    """Those of these rules that may mute others: nobody would be told of one on trial."""
    return frozenset(rules) - alerts.on_trial


def cause_of(rule: AlertRule | None, present: Collection[str]) -> str | None:
    """The rule that mutes this one now, if any does."""
    return None if rule is None else next((cause for cause in rule.muted_by if cause in present), None)


@dataclass(slots=True)
class _Changes:
    """Collects them."""

    raised: list[Raised] = field(default_factory=list)
    refreshed: list[tuple[int, AlertWanted, str]] = field(default_factory=list)
    reopened: list[int] = field(default_factory=list)
    tried: list[int] = field(default_factory=list)
    waiting: list[Pending] = field(default_factory=list)


def alert_changes(
    wanted: Sequence[AlertWanted], known: Sequence[Alert], pending: Sequence[Pending], policy: Policy, now: datetime
) -> AlertChanges:
    """What is to be written down.

    known: the alerts that are up, and those that were cleared lately. Of several that are wanted with one key the
    first counts.
    """
    by_key: dict[str, AlertWanted] = {}
    for alert in wanted:
        by_key.setdefault(alert.key, alert)
    up = {alert.key: alert for alert in known if alert.cleared_at is None}
    # The newest of a key comes last.
    fresh = {alert.key: alert for alert in known if _may_come_back(alert, policy, now)}
    waited = {row.key: row for row in pending}
    present = causes((alert.rule for alert in by_key.values()), policy.alerts)
    changes = _Changes()
    for key, alert in by_key.items():
        rule = policy.alerts.rules[alert.rule]
        active = alert.rule not in policy.alerts.on_trial
        one = up.get(key) or fresh.get(key)
        if one is not None:
            if key not in up:
                changes.reopened.append(one.id)
            changes.refreshed.append((one.id, alert, rule.severity))
            if active and not one.active:
                changes.tried.append(one.id)
            continue
        row = _waiting(alert, rule, waited.get(key), cause_of(rule, present), now)
        if row.muted_by is None and _has_held(rule, row, waited.get(key), policy, now):
            since = min(alert.since or row.since, row.since)
            changes.raised.append(Raised(wanted=alert, severity=rule.severity, since=since, active=active))
        else:
            changes.waiting.append(row)
    ended = [alert for key, alert in up.items() if key not in by_key]
    return AlertChanges(
        raised=tuple(changes.raised),
        refreshed=tuple(changes.refreshed),
        reopened=tuple(changes.reopened),
        ended=tuple(alert.id for alert in ended),
        closed=tuple(alert.id for alert in ended if alert.severity == "info"),
        tried=tuple(changes.tried),
        waiting=tuple(changes.waiting),
    )


def _may_come_back(alert: Alert, policy: Policy, now: datetime) -> bool:
    """Whether for people it is still the same one.

    It is until they have been told of its end, which may take long: a consequence's is told with that of its cause.
    One that nobody has heard of, and an info, whose end nobody is told, is the same for as long as others are calm.
    """
    if alert.cleared_at is None:
        return False
    if alert.told_at is None or alert.severity == "info":
        return now - alert.cleared_at < calm(policy)
    return alert.cleared_told_at is None


def _waiting(alert: AlertWanted, rule: AlertRule, before: Pending | None, cause: str | None, now: datetime) -> Pending:
    """Its row while it is no alert. The delay begins anew when its cause has gone."""
    if before is None:
        since = min(alert.since or now, now)
    elif before.muted_by is not None and cause is None:
        since = now
    else:
        # Of a group that is another one by now the cause is younger.
        since = max(before.since, alert.since or before.since)
    return Pending(key=alert.key, rule=alert.rule, severity=rule.severity, text=alert.text, since=since, muted_by=cause)


def _has_held(rule: AlertRule, row: Pending, before: Pending | None, policy: Policy, now: datetime) -> bool:
    """Whether it has held for as long as it must."""
    delay = rule.after
    if not delay and before is not None:
        # Without a delay it has waited because it was muted.
        delay = HEAL_CYCLES * policy.poll_interval
    return not delay or now - row.since >= delay - _SLACK * policy.poll_interval
