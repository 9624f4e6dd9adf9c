"""The short form of the fault drill; all of it is `make drill`, and what it came to is in docs/drill.md."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

import pytest

from .catalogue import FAULTS
from .run import drill
from .table import line

#: One of each kind.
SHORT: Final = (
    "pnfs-empty",
    "config-refused",
    "queue-error",
    "submit-rejected",
    "dag-twice",
    "dagmaker-crashes",
    "database-damaged",
)
#: A real one, for which a disk is mounted.
DISKS: Final = ("disk-full",)


@pytest.mark.slow
class TestTheShortForm:
    """Each fault raises exactly one page-worthy alert, that of its cause, and its night ends as planned."""

    def test_one_page_each(self, counted: Callable[[str], None]) -> None:
        wanted = SHORT if os.geteuid() else (*SHORT, *DISKS)
        faults = [fault for fault in FAULTS if fault.name in wanted]
        assert len(faults) == len(wanted)
        # They mostly wait: two at a time is what a machine with two cores takes.
        outcomes = list(drill(faults, at_once=2))
        counted(f"{len(faults)} of {len(FAULTS)} faults, {sum(len(outcome.pages) for outcome in outcomes)} pages")
        bad = [line(outcome) for outcome in outcomes if not outcome.good]
        assert not bad, "\n".join(bad)


class TestTheCatalogue:
    """Every fault has a name of its own, and either an alert or a reason why nobody needs one."""

    def test_names(self) -> None:
        names = [fault.name for fault in FAULTS]
        assert len(names) == len(set(names))

    def test_alert_or_reason(self) -> None:
        assert [fault.name for fault in FAULTS if (fault.alert is None) != bool(fault.why)] == []
