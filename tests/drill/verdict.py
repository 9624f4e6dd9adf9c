"""What came of a night: what people were told, and whether everything in it was done once and rightly.

Page-worthy is what people are told about: an alert of severity `warning` or `critical` that was told as raised, and not
one that waited, was muted by its cause, or is on trial. The drill asks for exactly one of each fault: its root cause.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from desgw_daemon.sandbox.judge import judge

from .fault import Fault
from .night import DrillNight

_PAGE_WORTHY: Final = ("warning", "critical")


def is_page_worthy(alert: dict[str, Any]) -> bool:
    """Whether people were told of this alert as of something that wants them. alert: a row of the table."""
    return alert["severity"] in _PAGE_WORTHY and alert["times_told"] > 0 and bool(alert["active"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Of one fault. raised_after, cleared_after: seconds from the fault, and from its mending; polls: from the fault to
    the alert. wrong: what of the night is not as it should be.
    """

    fault: Fault
    pages: tuple[str, ...]
    raised_after: float | None = None
    polls: int | None = None
    cleared_after: float | None = None
    still_up: bool = False
    wrong: tuple[str, ...] = ()

    @property
    def one_page(self) -> bool:
        """Whether people were told what they must be told, and nothing besides."""
        return self.pages == (() if self.fault.alert is None else (self.fault.alert,))

    @property
    def good(self) -> bool:
        """Whether the daemon has passed."""
        return self.one_page and not self.wrong


def outcome_of(fault: Fault, night: DrillNight) -> Outcome:
    """Judge a night that is over, by the sandbox's own independent check and by the rows of alerts."""
    told = [alert for alert in night.alerts() if is_page_worthy(alert)]
    own = next((alert for alert in told if alert["rule"] == fault.alert), None)
    verdict = judge(night.house.root, night.house.ok("status", "--json"))
    wrong = [line.text for line in verdict.lines if not line.ok and not line.text.startswith(fault.excused or ("\0",))]
    if night.web is not None and (heard := len(night.heard())) != len(told):
        wrong.append(f"{heard} messages of {len(told)} alerts came in")
    numbers: dict[str, Any] = {}
    if own is not None and night.broken_at is not None:
        raised = _time(own["raised_at"])
        numbers["raised_after"] = (raised - night.broken_at).total_seconds()
        numbers["polls"] = night.polls(night.broken_at, own["raised_at"])
        numbers["still_up"] = own["cleared_at"] is None
        if own["cleared_at"] is not None and night.healed_at is not None:
            numbers["cleared_after"] = (_time(own["cleared_at"]) - night.healed_at).total_seconds()
    return Outcome(fault=fault, pages=tuple(alert["rule"] for alert in told), wrong=tuple(wrong), **numbers)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
