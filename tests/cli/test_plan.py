"""`plan`: what a cycle would do, from the database alone, doing nothing."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from desgw_daemon.cli.plan import moment, plan_lines
from desgw_daemon.cli.screen import Screen
from desgw_daemon.decide.plan import plan
from desgw_daemon.domain.actions import Wait
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.snapshot import Exposure, Snapshot
from desgw_daemon.domain.states import ExposureState
from desgw_daemon.errors import UsageError
from desgw_daemon.report.statustypes import Age
from desgw_daemon.store.circumstances import with_circumstances
from desgw_daemon.store.database import make_engine, reading
from desgw_daemon.store.load import load_snapshot

from . import filled
from .program import program

NOW = datetime(2026, 11, 22, 2, 14, 5, tzinfo=UTC)


def planned(*words: str, cwd: Path) -> dict[str, Any]:
    """What `plan WORDS --json` says."""
    done = program("plan", *words, "--json", cwd=cwd)
    assert (done.returncode, done.stderr) == (0, "")
    value: dict[str, Any] = json.loads(done.stdout)
    return value


class TestPlan:
    """It says what the planner decides on what is written down, acting things first."""

    def test_same_as_the_planner(self, night: Path) -> None:
        said = planned("--at", "2030-01-01T00:00:00Z", cwd=night)
        assert said["at"] == "2030-01-01T00:00:00Z"
        engine = make_engine(night / "desgw.db")
        with reading(engine) as connection:
            snapshot = with_circumstances(connection, load_snapshot(connection))
        engine.dispose()
        actions = plan(snapshot, Policy(), datetime(2030, 1, 1, tzinfo=UTC))
        assert [action["reason"] for action in said["actions"]] == [action.reason for action in actions]

    def test_kinds(self, night: Path) -> None:
        said = planned(cwd=night)
        kinds = Counter(action["kind"] for action in said["actions"])
        assert (kinds["make"], kinds["submit"], kinds["reconcile"], kinds["wait_season"]) == (4, 1, 1, 2)
        (submit,) = (action for action in said["actions"] if action["kind"] == "submit")
        assert (submit["expnum"], submit["season"], submit["nite"], submit["band"]) == (
            filled.MADE,
            filled.SEASON,
            filled.NITES[1],
            "r",
        )

    def test_text(self, night: Path) -> None:
        lines = program("plan", cwd=night).stdout.splitlines()
        assert lines[0].startswith("A cycle at 20")
        assert lines[0].endswith("Z would")
        waits = lines.index("32 exposures would wait:")
        seasons = lines.index("post-processing would wait:")
        acting = lines[1 : waits - 1]
        assert len(acting) == 6
        assert f"  submit the DAG of {filled.MADE} r (season 2206, nite 20261121): its DAG is made" in acting
        assert any(line.startswith("  1200106 i (season 2208, nite 20261120): held") for line in lines[waits:seasons])
        assert lines[seasons + 1].startswith("  season 2206: run 2 goes on since ")

    def test_same_reason_stands_once(self, night: Path) -> None:
        text = program("plan", cwd=night).stdout
        (line,) = (line for line in text.splitlines() if "  1200120 i" in line)
        assert all(f"{expnum} i" in line for expnum in filled.IN_RUN)

    def test_it_does_nothing(self, night: Path) -> None:
        before = (night / "desgw.db").read_bytes()
        assert planned(cwd=night)["actions"] == planned(cwd=night)["actions"]
        assert (night / "desgw.db").read_bytes() == before

    def test_daemon_toml_counts(self, night: Path) -> None:
        with (night / "daemon.toml").open("a") as toml:
            toml.write("[submit]\nmax_in_flight = 2\n")
        assert Counter(action["kind"] for action in planned(cwd=night)["actions"])["submit"] == 0


class TestWhoWaitsForWhom:
    """Those that wait for the same DAG stand together, those that wait for others apart, on a terminal too."""

    def test_apart(self) -> None:
        def waiting(number: int, other: int) -> Wait:
            reason = f"template {number}: the DAG of {other} runs"
            return Wait(exposure_id=number, expnum=number, reason=reason, waits_for=(other,))

        night = Snapshot(exposures=tuple(_queued(number) for number in (1, 2, 3)))
        waits = [waiting(1, 938524), waiting(2, 938526), waiting(3, 938524)]
        ages = dict.fromkeys((1, 2, 3), Age(as_of=None, stale=False, stale_because=None, stale_since=None))
        lines = [line for line, _ in plan_lines(waits, night, NOW, Screen(now=NOW, width=200), ages)]
        assert lines[-2:] == [
            "  1 i, 3 i: each with its own numbers, such as: template 1: the DAG of 938524 runs",
            "  2 i: template 2: the DAG of 938526 runs",
        ]


def _queued(number: int) -> Exposure:
    return Exposure(
        id=number,
        season=2206,
        expnum=number,
        nite="20261121",
        band="i",
        state=ExposureState.SUBMITTING,
        reason="",
        since=NOW,
        queued_at=NOW,
        news_at=NOW,
    )


class TestAt:
    """--at takes a time with its zone, or a span from now; anything else is wrong use."""

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("2026-11-22T02:14:05Z", NOW),
            ("2026-11-21T20:14:05-06:00", NOW),
            ("+30min", NOW + timedelta(minutes=30)),
            ("+2h", NOW + timedelta(hours=2)),
            ("+ 3 d", NOW + timedelta(days=3)),
        ],
    )
    def test_right(self, text: str, found: datetime) -> None:
        assert moment(text, NOW) == found

    @pytest.mark.parametrize(
        "text", ["tomorrow", "", "+", "+2", "+2 weeks", "2026-11-22T02:14:05", "2026-13-01T00:00:00Z"]
    )
    def test_wrong(self, text: str) -> None:
        with pytest.raises(UsageError, match="--at"):
            moment(text, NOW)

    def test_later(self, night: Path) -> None:
        done = program("plan", "--at", "+2h", cwd=night)
        assert "(in 2 h 00 min, if nothing new is seen until then) would" in done.stdout
        done = program("plan", "--at", "soon", cwd=night)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
