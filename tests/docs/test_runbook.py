"""docs/runbook.md says of each rule what the catalogue says."""

from __future__ import annotations

from datetime import timedelta

import pytest

from desgw_daemon.domain.alertrules import RULES

from .pages import Section, names, page, sections

PAGE = {section.title: section for section in sections(page("runbook.md"))}


def said(section: Section) -> dict[str, str]:
    """The table at the head of a section."""
    return dict(section.table)


class TestRunbook:
    """A section for each rule, in the order of the catalogue, with its words."""

    def test_all(self) -> None:
        assert [section.title for section in PAGE.values() if section.level == 2 and section.title in RULES] == [*RULES]

    @pytest.mark.parametrize("name", RULES)
    def test_words(self, name: str) -> None:
        rule, table = RULES[name], said(PAGE[name])
        assert table["severity"] == rule.severity
        assert table["fires when"] == rule.fires
        minutes = round(rule.after / timedelta(minutes=1))
        assert table["after"] == (f"{minutes} min" if minutes else "at once")
        assert table["clears when"] == rule.clears
        assert table["do"] == rule.todo
        assert tuple(names(table.get("muted by", ""))) == rule.muted_by

    @pytest.mark.parametrize("name", RULES)
    def test_causes_are_rules(self, name: str) -> None:
        assert set(RULES[name].muted_by) <= set(RULES) - {name}
