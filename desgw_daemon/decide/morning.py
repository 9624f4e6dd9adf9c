"""When the report of a night is due: once a night, also when nothing ran in it, over any restart."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from desgw_daemon.domain.nights import Night, Watch
from desgw_daemon.domain.policy import Policy

#: Without `alerts.report_at` nobody reads it before this (UTC; sunrise at Cerro Tololo is between 9:30 and 11:45), and
#: until then more exposures may come ...
_MORNING: Final = time(9, 0)
#: ... and by this, with whatever still runs, it is written all the same.
_AT_LATEST: Final = time(16, 0)
_DAY: Final = timedelta(days=1)


def last_night(report_at: time | None, now: datetime) -> Night:
    """The newest night whose report may be due: a day that ends when people read it."""
    gate = _on(now.date(), report_at or _MORNING)
    if gate > now:
        gate -= _DAY
    return Night(nite=f"{gate.date() - _DAY:%Y%m%d}", since=gate - _DAY, until=now)


def due_night(watch: Watch, policy: Policy, now: datetime) -> Night | None:
    """The night that is to be reported now; None: none is due, or it has been reported."""
    report_at = policy.alerts.report_at
    night = last_night(report_at, now)
    if watch.first_cycle is None or (watch.reported is not None and watch.reported >= night.nite):
        return None
    gate = night.since + _DAY
    seen = watch.first_cycle < gate
    if report_at is not None:
        return night if seen else None
    anything = watch.last_change is not None and watch.last_change >= night.since
    if not seen and not anything:
        return None
    latest = _on(gate.date(), _AT_LATEST)
    if now >= latest and watch.first_cycle < latest:
        return night
    quiet = watch.last_change is None or now - watch.last_change >= policy.postproc_quiet_for
    return night if quiet and not watch.open else None


def _on(day: date, at: time) -> datetime:
    return datetime.combine(day, at, tzinfo=UTC)
