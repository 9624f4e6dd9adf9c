"""Every rule of the catalogue is raised by something, and nothing raises another."""

from __future__ import annotations

from typing import Final

import pytest

from desgw_daemon.domain.alertrules import RULES

from .source import alert_rules

#: Of gw_workflow and Post-Processing, which are still looked at by the daemon itself: their rules come with processes
#: that do it. Until then `making_blocked` and `action_failed` tell of them.
TO_COME: Final = frozenset({"workflow_silent", "postprocessing_silent", "processes_stuck"})
RAISED: Final = alert_rules()


class TestRaised:
    """A rule that nothing raises is a promise in the runbook that nobody keeps."""

    @pytest.mark.parametrize("name", [name for name in RULES if name not in TO_COME])
    def test_by_something(self, name: str) -> None:
        assert name in RAISED

    def test_no_others(self) -> None:
        assert set(RULES) >= RAISED
