"""What `doctor` found missing is one alert, without what another rule tells already."""

from __future__ import annotations

from desgw_daemon.decide.words import at
from desgw_daemon.domain.actions import AlertWanted
from desgw_daemon.domain.checkup import TOLD_BY, Finding
from desgw_daemon.domain.snapshot import Snapshot


def checkup_alerts(snapshot: Snapshot) -> list[AlertWanted]:
    """One alert that names each failure. A rule that has told of a failure since the check keeps it out: whether the
    cause has gone with that alert, the next check tells.
    """
    checkup = snapshot.checkup
    if checkup is None:
        return []
    failed = [found for found in checkup.failed if checkup.rules.isdisjoint(TOLD_BY.get(found.name, ()))]
    if not failed:
        return []
    what = "something" if len(failed) == 1 else f"{len(failed)} things"
    text = f"`desgw-daemon doctor` finds {what} that a night needs (checked at {at(checkup.at)}): "
    return [AlertWanted(key="checkup_failed", rule="checkup_failed", text=text + "; ".join(_words(f) for f in failed))]


def _words(found: Finding) -> str:
    return f"{found.name}: {found.text}" + (f" ({found.todo})" if found.todo else "")
