"""docs/waiting.md names every waiting state, and keys, times and alerts as they are."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable
from datetime import timedelta

import pytest

from desgw_daemon.config.model import Config, keys, value_of
from desgw_daemon.config.spans import parse_span
from desgw_daemon.domain.states import (
    CCD_FINAL,
    IN_FLIGHT,
    MAKING_LIVE,
    RUN_LIVE,
    CcdState,
    ExposureState,
)

from .pages import names, page, sections
from .source import alert_rules

TEXT = page("waiting.md")
PAGE = {section.title: section for section in sections(TEXT)}
FIXED = PAGE["Fixed times"].table
WAITS = {title: section.table for title, section in PAGE.items() if section.table and title != "Fixed times"}
DEFAULTS = Config.model_validate({"paths": {"state": "/var/lib/desgw-daemon"}})
SECTIONS = {key.split(".")[0] for key in keys()}
#: Keys of daemon.toml, each with the default in parentheses behind it.
SAID = sorted(
    {
        (key, default)
        for key, default in re.findall(r"`([a-z]+\.[a-z_]+)`(?: \(([^)]*)\))?", TEXT)
        if key.split(".")[0] in SECTIONS
    }
)
#: Spans that are no wait: by how much a clock may be set.
NO_WAIT = {"alerts.clock_jump"}
SPANS = [key for key in keys() if isinstance(value_of(DEFAULTS, key), timedelta) and key not in NO_WAIT]


def as_value(text: str, like: object) -> object:
    """What a value in words means."""
    if isinstance(like, timedelta):
        return parse_span(text)
    if isinstance(like, bool):
        return {"true": True, "false": False}[text]
    if isinstance(like, int):
        return int(text)
    return float(text) if isinstance(like, float) else text.strip('"')


class TestKeys:
    """Each key of daemon.toml that the page names exists, and has the default that the page says."""

    @pytest.mark.parametrize(("key", "default"), SAID)
    def test_default(self, key: str, default: str) -> None:
        value = value_of(DEFAULTS, key)
        assert as_value(default, value) == value

    @pytest.mark.parametrize("key", SPANS)
    def test_every_span(self, key: str) -> None:
        assert key in {name for name, _ in SAID}, "a time that ends no wait, or a wait that the page does not have"


class TestFixedTimes:
    """Each time that stands in the program is the one that the page says."""

    @pytest.mark.parametrize("row", FIXED, ids=lambda row: row[0])
    def test_value(self, row: list[str]) -> None:
        (name,) = names(row[0])
        module, _, path = name.partition(":")
        first, *rest = path.split(".")
        value = getattr(importlib.import_module(f"desgw_daemon.{module}"), first)
        if rest:
            value = getattr(value(), rest[0])
        said = float(row[1]) if isinstance(value, int) else parse_span(row[1])
        assert (timedelta(seconds=value) if isinstance(value, float) else value) == said


class TestStates:
    """Every state in which something can wait has a row."""

    @pytest.mark.parametrize(
        ("title", "states"),
        [
            ("Exposures", set(ExposureState) - {ExposureState.DONE, ExposureState.REMOVED}),
            ("CCDs", set(CcdState) - CCD_FINAL),
            ("DAGMaker", MAKING_LIVE),
            ("Submissions", IN_FLIGHT),
            ("Runs of post-processing", RUN_LIVE),
        ],
    )
    def test_all(self, title: str, states: Iterable[str]) -> None:
        named = {name for row in WAITS[title] for name in names(row[0])}
        text = "\n".join(PAGE[title].lines)
        assert {state for state in states if state not in named and f"state `{state}`" not in text} == set()


class TestRows:
    """Every wait says what ends it: evidence, a time, or a person."""

    @pytest.mark.parametrize("title", WAITS)
    def test_full(self, title: str) -> None:
        for row in WAITS[title]:
            assert len(row) == 4, row
            assert row[1] or row[2] or row[3], row
            assert not row[2].startswith("never") or row[1] or row[3], f"no way out: {row}"


class TestAlerts:
    """Every alert that the page names exists."""

    def test_all(self) -> None:
        named = set(re.findall(r"alert ((?:`\w+`(?: or )?)+)", TEXT))
        assert len(named) > 5
        assert {name for words in named for name in names(words)} <= alert_rules()
