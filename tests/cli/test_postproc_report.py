"""`postproc report`, and `postproc status RUN`: the hand-over of a season, and one run in full."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from desgw_daemon.daemon.alerting import set_alerts
from desgw_daemon.domain.actions import AlertWanted
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.states import RunState
from desgw_daemon.report.handover import read_handover
from desgw_daemon.report.handovertext import as_markdown
from desgw_daemon.store.claims import claim_run
from desgw_daemon.store.database import create_or_check, writing
from desgw_daemon.store.journal import move_run
from desgw_daemon.store.load import load_snapshot
from desgw_daemon.store.load_runs import load_runs
from tests.docs.filled import BAD_HOST, NITE, OTHER_HOST, SEASON, STEP_A, STEP_B, clock, fill
from tests.night.house import House, night_of, planned
from tests.night.results import put_results

ALERT = "post-processing goes on without 1 ready exposure: `desgw-daemon queue remove 1400002`"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The two nites of `filled`, and a third run, tried again, without one of its exposures."""
    path = tmp_path_factory.mktemp("state") / "desgw.db"
    fill(path)
    engine = create_or_check(path)
    with writing(engine) as connection:
        ids = {e.expnum: e.id for e in load_snapshot(connection, with_ccds_of=(), scope="all").exposures}
        run = claim_run(
            connection,
            season=SEASON,
            exposure_ids=[ids[1400101], ids[1400001]],
            bands=["i"],
            fingerprint="f",
            skipto=3,
            skipto_reason="the inputs of a start at step 3 are whole",
            folder_of="runs/S2206_{number}",
            asked_by=None,
            why="2 exposures in i",
            at=clock(9),
            left_out={ids[1400002]: "1 folder missing (i_60)", ids[1400102]: "it no longer holds: 47 of 59 CCDs"},
            retry_of=load_runs(connection)[-1].id,
        )
        assert run is not None
        move_run(connection, run, RunState.RUNNING, at=clock(9), why="started", started_at=clock(9))
        (run,) = (r for r in load_runs(connection) if r.number == 3)
        move_run(connection, run, RunState.DONE, at=clock(10), why="ended", ended_at=clock(10), result="candidates")
        alert = AlertWanted(key="k", rule="postproc_left_out", text=ALERT, season=SEASON)
        other = AlertWanted(key="o", rule="postproc_failed", text="of another", season=2208)
        set_alerts(connection, [alert, other], Policy(), at=clock(9))
    engine.dispose()
    return path


@pytest.fixture(scope="module")
def handover(database: Path) -> dict[str, Any]:
    import sqlite3

    connection = sqlite3.connect(database)
    try:
        return read_handover(connection, SEASON, now=datetime(2026, 11, 22, 8, 1, tzinfo=UTC))
    finally:
        connection.close()


def of(handover: dict[str, Any], expnum: int) -> dict[str, Any]:
    (found,) = (e for e in handover["exposures"] if e["expnum"] == expnum)
    return dict(found)


class TestHandOver:
    """Each exposure with the runs it was in or why it was in none; failures; times; what needs a person."""

    def test_what_went_in(self, handover: dict[str, Any]) -> None:
        assert of(handover, 1400101)["runs"] == [1, 2, 3]
        assert of(handover, 1400101)["left_out"] is None
        assert handover["summary"]["in_last_good_run"] == 2
        assert handover["summary"]["last_good_run"] == 3

    def test_what_was_left_out_and_why(self, handover: dict[str, Any]) -> None:
        assert of(handover, 1400102)["left_out"] == "it no longer holds: 47 of 59 CCDs"
        assert "50 complete ones are needed" in of(handover, 1400103)["left_out"]
        assert "its DAG was submitted" in of(handover, 1400104)["left_out"]
        assert sorted(handover["runs"][-1]["left_out"]) == ["1400002", "1400102"]

    def test_failures_by_step_and_host(self, handover: dict[str, Any]) -> None:
        steps = {f["step"]: (f["ccds"], f["exposures"], f["hosts"]) for f in handover["failures"]["by_step"]}
        assert steps == {STEP_A: (17, 4, 2), STEP_B: (1, 1, 1)}
        hosts = {f["host"]: (f["ccds"], f["exposures"], f["steps"]) for f in handover["failures"]["by_host"]}
        assert hosts == {BAD_HOST: (15, 2, 1), OTHER_HOST: (3, 3, 2)}

    def test_times(self, handover: dict[str, Any]) -> None:
        first = handover["runs"][0]
        assert [(step["step"], step["seconds"]) for step in first["steps"]] == [
            *((step, 300) for step in range(4)),
            (4, 2400),
        ]

    def test_what_needs_a_person_with_the_command(self, handover: dict[str, Any]) -> None:
        wanted = [(one["what"], one["expnum"], one["commands"]) for one in handover["needs_person"]]
        assert wanted == [
            ("postproc_left_out", None, ["desgw-daemon queue remove 1400002"]),
            ("attention", 1400103, []),
            ("held", 1400106, [f"desgw-daemon queue release 1400106 --season {SEASON}"]),
            ("paused", None, ["desgw-daemon resume"]),
        ]

    def test_a_disagreement_is_told_once_with_its_exposure(self, database: Path, tmp_path: Path) -> None:
        import sqlite3

        copy = shutil.copy(database, tmp_path)
        text = "its DAG ended: 2 CCDs without output, although the queue says that their jobs ended well"
        since = "2026-11-22 05:00:00.000000"
        with closing(sqlite3.connect(copy)) as connection, connection:
            connection.execute(
                "UPDATE exposure SET disagreement = ?, disagreement_since = ? WHERE expnum = 1400101", [text, since]
            )
            connection.execute(
                "INSERT INTO alert (key, rule, severity, text, raised_at, times_told)"
                " VALUES ('d', 'disagreement', 'warning', 'of 1 exposure', ?, 0)",
                [since],
            )
            told = read_handover(connection, SEASON, now=datetime(2026, 11, 22, 8, 1, tzinfo=UTC))["needs_person"]
        (one,) = (one for one in told if one["what"] == "disagreement")
        assert (one["expnum"], one["commands"]) == (1400101, [f"desgw-daemon status 1400101 --season {SEASON}"])
        assert one["why"].startswith(text)
        assert [one["expnum"] for one in told if one["what"] == "attention"] == [1400103]

    @pytest.mark.parametrize("rule", ["exposure_attention", "submission_rejected", "no_templates"])
    def test_an_exposure_of_a_group_is_told_once(self, database: Path, tmp_path: Path, rule: str) -> None:
        import sqlite3

        copy = shutil.copy(database, tmp_path)
        with closing(sqlite3.connect(copy)) as connection, connection:
            connection.execute(
                "INSERT INTO alert (key, rule, severity, text, raised_at, times_told, season)"
                " VALUES ('g', ?, 'warning', 'of 1 exposure: 1400103', '2026-11-22 05:00:00.000000', 1, ?)",
                [rule, SEASON],
            )
            told = read_handover(connection, SEASON, now=datetime(2026, 11, 22, 8, 1, tzinfo=UTC))["needs_person"]
        assert [one["what"] for one in told if "1400103" in (one["why"], str(one["expnum"]))] == ["attention"]
        assert rule not in {one["what"] for one in told}

    def test_a_daemon_that_does_not_run(self, database: Path) -> None:
        import sqlite3

        connection = sqlite3.connect(database)
        late = read_handover(connection, SEASON, now=datetime(2026, 11, 22, 11, 0, tzinfo=UTC))
        connection.close()
        first = late["needs_person"][0]
        assert (first["what"], first["commands"]) == ("daemon", ["desgw-daemon run"])
        assert "began 3 h 00 min ago" in first["why"]


class TestMarkdown:
    """It can be read in a terminal as it is: short lines, what needs somebody first."""

    def test_order(self, handover: dict[str, Any]) -> None:
        lines = as_markdown(handover).splitlines()
        assert [line for line in lines if line.startswith("#")] == [
            f"# Season {SEASON}: post-processing, as of 2026-11-22T08:01:00Z",
            "## What needs a person (4)",
            "## What went in",
            "## What is not in run 3, and why",
            "## Runs",
            "### Time of each step",
            "## CCD failures",
        ]
        assert "2 in run 3, which ended well at 2026-11-22T10:00:00Z (candidates)" in " ".join(lines)
        assert max(map(len, lines)) <= 120
        assert "    desgw-daemon queue remove 1400002" in "\n".join(lines)
        assert any(line.startswith("- 1400102 i, done since") and "it no longer holds" in line for line in lines)

    def test_a_row_for_each_exposure_and_run(self, handover: dict[str, Any]) -> None:
        rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in as_markdown(handover).splitlines()]
        (row,) = (row for row in rows if row[:1] == ["1400101"])
        assert row == ["1400101", "i", NITE, "postprocessing", "58", "1", "0", "116 of 116", "1, 2, 3"]
        (third,) = (row for row in rows if row[:3] == ["3", "done", "candidates"])
        assert third[3:6] == ["2", "2", "3"] and third[-1] == "run 2 tried again"

    def test_a_season_in_which_nothing_has_run(self, handover: dict[str, Any]) -> None:
        none: dict[str, list[Any]] = {"by_step": [], "by_host": [], "without_result": []}
        summary = handover["summary"] | {"last_good_run": None, "in_last_good_run": 0}
        text = as_markdown(handover | {"runs": [], "needs_person": [], "failures": none, "summary": summary})
        assert "no run has ended well yet" in text
        assert "## What needs a person (0)\n\nNothing." in text
        assert text.endswith("## CCD failures\n\nNone.\n")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path / "sandbox", night_of(planned(938524), planned(938525)), {})
    yield house
    house.close()


class TestCommands:
    """Through the program: the report on the terminal, as JSON and in a file; one run in full."""

    def test_report_and_run(self, house: House) -> None:
        put_results(house.sandbox, 938524)
        put_results(house.sandbox, 938525, failed=range(3, 15))
        house.ok("queue", "adopt", "--season", "2206", "--yes")
        house.until(lambda: house.tick() and house.exposure(938524)["state"] == "done", "the run is over")
        text = house.ok("postproc", "report", "--season", "2206")
        assert text.startswith("# Season 2206: post-processing, as of 20")
        assert "1 in run 1, which ended well" in text
        shown = json.loads(house.ok("postproc", "report", "--season", "2206", "--json"))
        assert [(e["expnum"], e["runs"]) for e in shown["exposures"]] == [(938524, [1]), (938525, [])]
        cause, exposure = shown["needs_person"]
        assert (cause["what"], cause["commands"]) == ("host_failures", ["desgw-daemon queue retry 938525"])
        assert exposure["commands"][0].startswith("desgw-daemon status 938525")
        file = house.root / "handover.md"
        assert str(file) in house.ok("postproc", "report", "--season", "2206", "--output", str(file))
        assert file.read_text().splitlines()[2:] == text.splitlines()[2:]
        assert [path.name for path in house.root.glob("*.part")] == []

        run = json.loads(house.ok("postproc", "status", "1", "--json"))
        assert (run["number"], run["expnums"], run["skipto"]) == (1, [938524], 0)
        assert [step["step"] for step in run["steps"]] == [0, 1, 2, 3, 4, 5, 6, 7]
        assert all(step["seconds"] >= 0 and step["at"] <= run["ended_at"] for step in run["steps"])
        lines = house.ok("postproc", "status", "--season", "2206", "1").splitlines()
        assert lines[0] == "season 2206 run 1: done (candidates)"
        words = " ".join(lines)
        for said in (
            "complete_exposures_S2206_",
            "postproc_2206.ini",
            "exposures  1: 938524",
            "asked by   nobody: it began by itself",
            "SKIPTO     0: from scratch: no earlier run",
        ):
            assert said in words

    def test_refused(self, house: House) -> None:
        house.ok("queue", "add", "938524", "--season", "2206")
        assert "2208 has no exposures" in house.refused("postproc", "report", "--season", "2208", code=1)
        assert "there is no run 7 of season 2206" in house.refused(
            "postproc", "status", "--season", "2206", "7", code=1
        )
        assert "whole number" in house.refused("postproc", "status", "x", code=2)
        nowhere = str(Path("no") / "such" / "file.md")
        assert "cannot be written" in house.refused(
            "postproc", "report", "--season", "2206", "--output", nowhere, code=1
        )
