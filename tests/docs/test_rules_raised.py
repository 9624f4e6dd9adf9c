"""Every rule of the catalogue is raised by something, and nothing raises another."""

from __future__ import annotations

from typing import Final

import pytest

from desgw_daemon.domain.alertrules import RULES

from .source import alert_rules

RAISED: Final = alert_rules()


class TestRaised:
    """A rule that nothing raises is a promise in the runbook that nobody keeps."""

    @pytest.mark.parametrize("name", RULES)
    def test_by_something(self, name: str) -> None:
        assert name in RAISED

    def test_no_others(self) -> None:
        assert set(RULES) >= RAISED
