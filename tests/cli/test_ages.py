"""Ages of numbers, as each reading command says them and as their --json has them."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from desgw_daemon.cli.main import main
from desgw_daemon.domain.times import utc

from . import filled
from .conftest import change, cycle, sql_time

SIX_MIN = timedelta(minutes=6)


class Reader:
    """The reading commands, in this process: a pipe."""

    def __init__(self, night: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.night, self.capsys = night, capsys

    def says(self, *words: str) -> str:
        assert main(["--config", str(self.night / "daemon.toml"), *words]) == 0
        return self.capsys.readouterr().out

    def json(self, *words: str) -> Any:
        return json.loads(self.says(*words, "--json"))

    def exposures(self) -> dict[int, dict[str, Any]]:
        """Those of the second nite."""
        return {e["expnum"]: e for e in self.json("status", "--nite", filled.NITES[1])["exposures"]}


@pytest.fixture
def reader(night: Path, capsys: pytest.CaptureFixture[str]) -> Reader:
    """The database may have been made minutes ago: one of it is seen now."""
    change(night, "UPDATE exposure SET as_of = ? WHERE expnum = ?", sql_time(datetime.now(UTC)), filled.NEARLY)
    return Reader(night, capsys)


def silence(night: Path, column: str) -> str:
    """A tree answered 9 min ago, and has not since; since when, as it is shown."""
    change(night, "DELETE FROM poll")
    cycle(night, ago=timedelta(minutes=9))
    begun = datetime.now(UTC) - SIX_MIN
    for since in (SIX_MIN, timedelta(minutes=3), timedelta(seconds=3)):
        cycle(night, ago=since)
    change(
        night, f"UPDATE poll SET {column} = 'no answer within 20 s' WHERE started_at > ?", sql_time(begun - SIX_MIN / 6)
    )
    return utc(begun)


class TestPnfsSilent:
    """With /pnfs silent every number that may change says as of when it is, and since when the tree is silent."""

    def test_commands(self, reader: Reader, night: Path) -> None:
        change(night, "UPDATE exposure SET disagreement = 'no output', disagreement_since = since")
        silence(night, "pnfs_problem")
        full = reader.exposures()[filled.FULL]
        words = f"as of {full['as_of']}, /pnfs silent for 6 min"
        lines = reader.says("status", str(filled.FULL)).splitlines()
        assert f"CCDs, {words}: 58 complete, 1 failed of 59" in lines
        assert f"Forcephoto files of the complete CCDs ({words}): 116 of 116 found" in lines
        assert any(
            line.startswith("  the queue and /pnfs dis") and line.endswith(f": no output ({words})") for line in lines
        )
        assert f"  Seen      {words}\n" in reader.says("explain", str(filled.FULL))
        plan = reader.says("plan").splitlines()
        assert plan[0].startswith("/pnfs has been silent since ")
        assert any(f"  {filled.FULL} r: 58 of 59" in line and line.endswith(f" ({words})") for line in plan)
        (season,) = (line for line in plan if line.startswith(f"  season {filled.SEASON}: "))
        assert " not seen of late, the oldest as of " in season

    def test_json(self, reader: Reader, night: Path) -> None:
        since = silence(night, "pnfs_problem")
        seen = reader.exposures()
        stale = {number for number, exposure in seen.items() if exposure["stale"]}
        assert {filled.FULL, filled.PARTIAL, filled.FEW, filled.UNSEEN, filled.WATCHED} <= stale
        assert not stale & {filled.MAKING, filled.REMOVED, filled.NEARLY, *filled.QUEUED}
        assert {seen[number]["stale_because"] for number in stale} == {"pnfs"}
        # The rows are written a moment after `since` is taken.
        shown = datetime.fromisoformat(seen[filled.FULL]["stale_since"]) - datetime.fromisoformat(since)
        assert timedelta(0) <= shown < timedelta(seconds=30)
        assert reader.json("explain", str(filled.FULL))["exposure"] == seen[filled.FULL]
        plan = reader.json("plan")
        assert [each["what"] for each in plan["silent"]] == ["pnfs"]
        (wait,) = (action for action in plan["actions"] if action.get("expnum") == filled.FULL)
        ages = ("as_of", "stale", "stale_because", "stale_since")
        assert [wait[name] for name in ages] == [seen[filled.FULL][name] for name in ages]
        assert all(a["stale"] for a in plan["actions"] if a["kind"] == "wait_season" and a["season"] == filled.SEASON)


class TestPnfsAnswers:
    """While /pnfs answers, only what was not seen or may change by itself is called old."""

    def test_status(self, reader: Reader) -> None:
        seen = reader.exposures()
        assert seen[filled.UNSEEN]["stale_because"] == "exposure"
        assert seen[filled.UNSEEN]["stale_since"] == seen[filled.UNSEEN]["unseen_since"]
        # Files of it may still come, and CCDs of the other.
        assert {seen[number]["stale_because"] for number in (filled.PARTIAL, filled.WATCHED)} == {"schedule"}
        assert not any(seen[number]["stale"] for number in (filled.FULL, filled.FEW, filled.NEARLY))
        unseen = reader.says("status", str(filled.UNSEEN))
        assert re.search(f"\nCCDs, as of {seen[filled.UNSEEN]['as_of']}, not seen for \\d+ min: ", unseen)
        full = reader.says("status", str(filled.FULL))
        assert f"CCDs, as of {seen[filled.FULL]['as_of']}: 58 complete" in full
        assert "Forcephoto files of the complete CCDs: 116" in full
        assert "\n  Seen " not in reader.says("explain", str(filled.FULL))

    def test_daemon_stopped(self, reader: Reader, night: Path) -> None:
        change(night, "DELETE FROM poll")
        cycle(night, ago=timedelta(minutes=20))
        plan = reader.says("plan").splitlines()
        assert plan[0].startswith("The daemon seems NOT TO RUN: ")
        assert any(
            f"  {filled.FULL} r: " in line and line.endswith(", nothing has looked for 20 min)") for line in plan
        )
        assert ", nothing has looked for 20 min: 58 complete" in reader.says("status", str(filled.FULL))


class TestPostprocessingSilent:
    """The step of a run that goes on has the age of the last time that its output could be read."""

    def test_it_is_said(self, reader: Reader, night: Path) -> None:
        silence(night, "postprocessing_problem")
        done, running = reader.json("postproc", "status")
        words = f"(as of {running['as_of']}, Post-Processing silent for 6 min)"
        assert (running["stale"], running["stale_because"]) == (True, "postprocessing")
        assert (done["stale"], done["as_of"]) == (False, done["ended_at"])
        assert reader.json("status")["runs"][1].items() >= {k: running[k] for k in ("as_of", "stale", "step")}.items()
        text = reader.says("postproc", "status")
        assert text.startswith("Post-Processing has been silent since ")
        assert text.splitlines()[-1].endswith(words)
        assert text.count("silent for") == 1
        assert f"  seen       {words[1:-1]}" in reader.says("postproc", "status", "2").splitlines()
        (line,) = (line for line in reader.says("status").splitlines() if line.startswith("  run  2  "))
        assert line.endswith(words)
        # Its step is in what its exposures wait for.
        (line,) = (line for line in reader.says("plan").splitlines() if f"  {filled.IN_RUN[0]} i, " in line)
        assert line.endswith(f"(10 of 10 exposures not seen of late, the oldest {words[1:]}")
        assert f"  Seen      {words[1:-1]}\n" in reader.says("explain", str(filled.IN_RUN[0]))

    def test_it_answers(self, reader: Reader) -> None:
        running = reader.json("postproc", "status")[1]
        assert running["stale"] is False
        assert f"  {running['as_of']}  " in reader.says("postproc", "status").splitlines()[-1] + "  "
        assert "silent" not in reader.says("postproc", "status")
