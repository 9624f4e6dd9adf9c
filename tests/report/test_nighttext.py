"""The report of a night in words."""

from __future__ import annotations

from typing import Any

import pytest

from desgw_daemon.report.nighttext import summary

SINCE = "2026-11-22T05:00:00Z"


def night(rule: str) -> dict[str, Any]:
    """Nothing ran; one exposure needs a person, and an alert of this rule is up."""
    alert = {"rule": rule, "key": rule, "severity": "warning", "text": "of 1 exposure: 1400103", "since": SINCE}
    return {
        "exposures": 0,
        "alerts": [alert | {"raised_at": SINCE, "cleared_at": None, "acked_at": None}],
        "attention": [{"expnum": 1400103, "band": "i", "since": SINCE, "reason": "refused"}],
    }


class TestEachOnce:
    """What needs a person is said once: an exposure, and not the alert that names it as well."""

    @pytest.mark.parametrize("rule", ["exposure_attention", "submission_rejected", "no_templates", "disagreement"])
    def test_of_an_exposure(self, rule: str) -> None:
        assert summary(night(rule)) == "nothing ran, 1 needs a person"

    def test_another_alert(self) -> None:
        assert summary(night("host_failures")) == "nothing ran, 2 need a person"
