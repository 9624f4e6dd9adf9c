"""docs/metrics.md, the dashboard and the alert rules name the numbers that the program shows, and no others."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from typing import Any

from desgw_daemon.domain.metricnames import METRICS
from tests.docs.pages import DOCS, names, page, sections
from tests.tools import needed

PROMTOOL = ("promtool", "prometheus", "checks the rules for Prometheus")
RULES = DOCS / "prometheus"


def used(text: str) -> set[str]:
    """The names of ours in a text."""
    return set(re.findall(r"\bdesgw_[a-z_]+", text))


def dashboard() -> dict[str, Any]:
    """The dashboard."""
    found: dict[str, Any] = json.loads((DOCS / "grafana" / "desgw-daemon.json").read_text(encoding="utf-8"))
    return found


def expressions() -> Iterator[tuple[str, str]]:
    """(panel, expr) for each query of the dashboard."""
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


class TestThePage:
    """docs/metrics.md has a row for each number, in the order and the words of the catalogue."""

    def test_rows(self) -> None:
        (section,) = (section for section in sections(page("metrics.md")) if section.title == "The numbers")
        rows = [(names(name)[0], kind, tuple(names(labels)), what) for name, kind, labels, what in section.table]
        assert rows == [
            (
                metric.name,
                metric.kind + (" (from 0 at each start)" if metric.resets else ""),
                metric.labels,
                metric.help,
            )
            for metric in METRICS.values()
        ]

    def test_names_follow_the_conventions(self) -> None:
        for metric in METRICS.values():
            assert metric.name.endswith("_total") == (metric.kind == "counter")
            assert metric.name.endswith("_info") == (metric.kind == "info")


class TestTheDashboard:
    """Each panel asks for numbers that exist, of a data source that is chosen at import."""

    def test_numbers(self) -> None:
        for panel, expr in expressions():
            assert used(expr) and used(expr) <= set(METRICS), panel

    def test_every_number_that_moves_is_shown(self) -> None:
        shown = set().union(*(used(expr) for _, expr in expressions()))
        assert len(shown) > 30

    def test_it_can_be_imported(self) -> None:
        board = dashboard()
        panels = board["panels"]
        assert board["title"] == "desgw-daemon" and board["uid"] and board["schemaVersion"] >= 36
        assert len({panel["id"] for panel in panels}) == len(panels)
        variables = {variable["name"] for variable in board["templating"]["list"]}
        assert set(re.findall(r"\$\{?(\w+)", json.dumps(panels))) <= variables
        for panel in panels:
            place = panel["gridPos"]
            assert place["x"] + place["w"] <= 24
            overlap = [other["title"] for other in panels if other is not panel and _overlap(place, other["gridPos"])]
            assert overlap == [], panel["title"]

    def test_prometheus_understands_each_query(self, tmp_path: Any) -> None:
        promtool = needed(*PROMTOOL)
        rules = [{"record": f"q:{n}", "expr": expr} for n, (_, expr) in enumerate(expressions())]
        text = json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}).replace("$season", ".*")
        (tmp_path / "rules.yml").write_text(text)  # JSON is YAML
        done = subprocess.run([promtool, "check", "rules", tmp_path / "rules.yml"], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


class TestTheAlertRules:
    """promtool finds nothing wrong with them, and they fire when they should."""

    def test_numbers(self) -> None:
        assert used((RULES / "alerts.yml").read_text()) <= set(METRICS)

    def test_promtool(self) -> None:
        promtool = needed(*PROMTOOL)
        for words in (("check", "rules", "alerts.yml"), ("test", "rules", "alerts_test.yml")):
            done = subprocess.run([promtool, *words], cwd=RULES, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr


def _overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    across = one["x"] < other["x"] + other["w"] and other["x"] < one["x"] + one["w"]
    return across and one["y"] < other["y"] + other["h"] and other["y"] < one["y"] + one["h"]
