"""Which alerts are told now: new ones, those that stay up for long, and the ends of those that were told.

All of it follows from what is written down, so that a restart neither repeats nor loses one.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from desgw_daemon.decide.raising import calm, cause_of, causes
from desgw_daemon.domain.alerts import Alert, Pending, Silence, Telling, Told, is_about
from desgw_daemon.domain.policy import AlertPolicy, Policy

#: A change that is longer is told by the old words as a whole.
_MOST_PLACES: Final = 3
_MOST_WORDS: Final = 12
_MOST_TEXT: Final = 300


def tellings(
    known: Sequence[Alert], pending: Sequence[Pending], silences: Sequence[Silence], policy: Policy, now: datetime
) -> tuple[Telling, ...]:
    """What is to be told, in the order in which it came about.

    known: the alerts that are up, and those whose end is still to be told. silences: those that are in force.
    """
    up = [alert for alert in known if alert.cleared_at is None]
    present = causes((*(alert.rule for alert in up), *(row.rule for row in pending)), policy.alerts)
    return (*_ends(known, present, policy, now), *_up(up, present, silences, policy.alerts, now))


def silenced_by(alert: Alert, silences: Sequence[Silence]) -> Silence | None:
    """The silence that keeps an alert from being told."""
    return next(
        (s for s in silences if is_about(s.what, rule=alert.rule, key=alert.key, expnum=alert.expnum)),
        None,
    )


def _up(
    up: Sequence[Alert],
    present: frozenset[str],
    silences: Sequence[Silence],
    policy: AlertPolicy,
    now: datetime,
) -> Iterator[Telling]:
    for alert in up:
        if alert.acked_at is not None or silenced_by(alert, silences) is not None:
            continue
        if cause_of(policy.rules.get(alert.rule), present) is not None:
            continue
        if alert.told_at is None:
            yield _telling(alert, "raised")
        elif alert.severity != "info" and now - alert.told_at >= _interval(alert, policy):
            yield _telling(alert, "still", changed=what_changed(alert.told_text or alert.text, alert.text))


def _interval(alert: Alert, policy: AlertPolicy) -> timedelta:
    """After how long it is told again: twice as long each time, up to a limit."""
    doublings = alert.times_told - 1
    longest = max(policy.repeat_at_most, policy.repeat_after)
    interval = policy.repeat_after
    while doublings > 0 and interval < longest:
        interval, doublings = 2 * interval, doublings - 1
    return min(interval, longest)


def _ends(known: Sequence[Alert], present: frozenset[str], policy: Policy, now: datetime) -> Iterator[Telling]:
    """The ends that have lasted. A consequence that is over together with its cause is told with that one."""
    over = [
        (alert, alert.cleared_at)
        for alert in known
        if alert.cleared_at is not None and alert.told_at is not None and alert.cleared_told_at is None
    ]
    due = [alert for alert, cleared_at in over if now - cleared_at >= calm(policy)]
    with_cause: dict[int, list[Alert]] = {}
    alone = []
    for alert, cleared_at in over:
        rule = policy.alerts.rules.get(alert.rule)
        cause = next(
            (
                other
                for other, _ in over
                if rule is not None and other.rule in rule.muted_by and other.raised_at <= cleared_at
            ),
            None,
        )
        if cause is not None and cause.active:
            with_cause.setdefault(cause.id, []).append(alert)
        elif cause_of(rule, present) is None and alert in due:
            alone.append(alert)
    for alert in alone:
        consequences = _all_below(alert, with_cause)
        yield _telling(alert, "cleared", over=consequences)


def _all_below(alert: Alert, with_cause: dict[int, list[Alert]]) -> list[Alert]:
    """The consequences of an alert, and theirs."""
    found = []
    for consequence in with_cause.get(alert.id, ()):
        found += [consequence, *_all_below(consequence, with_cause)]
    return found


def _telling(alert: Alert, kind: Told, *, changed: str | None = None, over: Sequence[Alert] = ()) -> Telling:
    return Telling(
        id=alert.id,
        key=alert.key,
        rule=alert.rule,
        text=alert.text,
        severity=alert.severity,
        kind=kind,
        since=alert.since,
        season=alert.season,
        nite=alert.nite,
        expnum=alert.expnum,
        changed=changed,
        over=tuple(other.key for other in over),
        over_ids=tuple(other.id for other in over),
        trial=not alert.active,
    )


def what_changed(before: str, now: str) -> str | None:
    """In what two texts of an alert differ, in words: ``was: 20 CCDs; now: 37 CCDs``. None when they do not."""
    old, new = before.split(), now.split()
    places = [
        (old[i:j], new[k:m])
        for what, i, j, k, m in difflib.SequenceMatcher(a=old, b=new, autojunk=False).get_opcodes()
        if what != "equal"
        # With the word behind it: a number alone says little.
        for j, m in [(j + 1, m + 1)]
    ]
    if not places:
        return None
    if len(places) > _MOST_PLACES or any(len(was) > _MOST_WORDS or len(is_) > _MOST_WORDS for was, is_ in places):
        return f"was: {before[:_MOST_TEXT]}"
    was = ", ".join(" ".join(words).rstrip(",.;:") or "nothing" for words, _ in places)
    is_ = ", ".join(" ".join(words).rstrip(",.;:") or "nothing" for _, words in places)
    return f"was: {was}; now: {is_}"
