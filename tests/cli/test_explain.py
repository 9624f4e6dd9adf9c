"""`explain`: why an exposure is where it is, what happens next and by when, and whether a person is needed."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from . import filled
from .conftest import change, cycle, sql_time
from .program import program


def explained(*words: str, cwd: Path) -> dict[str, Any]:
    """What `explain WORDS --json` says."""
    done = program("explain", *words, "--json", cwd=cwd)
    assert (done.returncode, done.stderr) == (0, "")
    value: dict[str, Any] = json.loads(done.stdout)
    return value


def text(*words: str, cwd: Path) -> str:
    """What `explain WORDS` prints in a pipe."""
    done = program("explain", *words, cwd=cwd)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


class TestWhatHappensNext:
    """Every state says what happens next, and whether a person is needed."""

    @pytest.mark.parametrize(
        ("expnum", "state", "words"),
        [
            (
                filled.QUEUED[3],
                "queued",
                "DAGMaker makes its DAG when its turn comes (before it of its season: 4; 5 are",
            ),
            (filled.NO_DATA, "queued", "as soon as exposures.list in the workflow folder has a line for it"),
            (filled.MAKING, "making", "its DAG is checked, and submitted as soon as fewer than 20 DAGs are in flight"),
            (filled.MADE, "submitting", "in the next cycle in which fewer than 20 DAGs are in flight"),
            (filled.IN_DOUBT, "submitting", "asked for its DAG in every cycle until its answer is sure"),
            (filled.NEARLY, "processing", "at least 50 complete ones and more than 50% of their forcephoto files"),
            (filled.UNSEEN, "processing", "what cannot be seen now is looked at again in every cycle"),
            (filled.WATCHED, "processing", "it is only watched, never submitted"),
            (
                filled.FULL,
                "ready",
                "the next run of post-processing of season 2206, after run 2 of season 2206 has ended",
            ),
            (filled.IN_RUN[0], "postprocessing", "when its run of post-processing ends well it is done"),
            (filled.DONE[0], "done", "nothing more: it has been through post-processing"),
            (filled.REMOVED, "removed", "nothing: it was taken out"),
        ],
    )
    def test_without_a_person(self, expnum: int, state: str, words: str, night: Path) -> None:
        said = explained(str(expnum), cwd=night)
        assert said["exposure"]["state"] == state
        assert words in said["next"]
        assert said["person"] is False
        assert "\n  Person    nobody is needed" in text(str(expnum), cwd=night)

    @pytest.mark.parametrize(
        ("expnum", "command"),
        [
            (filled.FEW, f"desgw-daemon queue retry {filled.FEW}"),
            (filled.NO_TEMPLATES, f"desgw-daemon queue retry {filled.NO_TEMPLATES}"),
            (filled.REFUSED, f"desgw-daemon queue retry {filled.REFUSED}"),
            (filled.SURPLUS, f"desgw-daemon queue remove {filled.SURPLUS}"),
        ],
    )
    def test_with_a_person(self, expnum: int, command: str, night: Path) -> None:
        said = explained(str(expnum), cwd=night)
        assert said["person"] is True
        assert command in said["commands"]
        assert "\n  Person    NEEDED" in text(str(expnum), cwd=night)
        assert f"\n              {command}\n" in text(str(expnum), cwd=night)


class TestByWhen:
    """A deadline is a time: that of the rule in daemon.toml, counted from what it counts from."""

    def time(self, night: Path, expnum: int) -> datetime:
        return datetime.fromisoformat(explained(str(expnum), cwd=night)["by"])

    def test_dag_runs(self, night: Path) -> None:
        submitted = explained(str(filled.NEARLY), cwd=night)["submissions"][0]["intent_at"]
        assert self.time(night, filled.NEARLY) - datetime.fromisoformat(submitted) == timedelta(days=3)

    def test_dag_has_ended(self, night: Path) -> None:
        ended = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=3)
        change(
            night,
            "UPDATE submission SET state = 'done', ended_at = ? WHERE exposure_id ="
            " (SELECT id FROM exposure WHERE expnum = ?)",
            sql_time(ended),
            filled.NEARLY,
        )
        assert self.time(night, filled.NEARLY) == ended + timedelta(minutes=30)
        # 26 or 27 on a quick machine.
        assert re.search(r"\(in 2[0-7] min\)", text(str(filled.NEARLY), cwd=night))

    def test_adopted(self, night: Path) -> None:
        news = explained(str(filled.WATCHED), cwd=night)["exposure"]["news_at"]
        assert self.time(night, filled.WATCHED) - datetime.fromisoformat(news) == timedelta(hours=12)

    def test_configured(self, night: Path) -> None:
        with (night / "daemon.toml").open("a") as toml:
            toml.write('[readiness]\nadopted_deadline = "5 h"\n')
        news = explained(str(filled.WATCHED), cwd=night)["exposure"]["news_at"]
        assert self.time(night, filled.WATCHED) - datetime.fromisoformat(news) == timedelta(hours=5)


class TestReady:
    """What a ready exposure waits for is its season."""

    @pytest.fixture
    def free(self, night: Path) -> Path:
        """No run goes on."""
        change(night, "UPDATE postproc_run SET state = 'done'")
        return night

    def test_open_ones(self, free: Path) -> None:
        said = explained(str(filled.FULL), cwd=free)
        # Queued, making, submitting, processing; not those that are held, done, removed or need a person.
        assert "when nothing of the season is open any more (24 now), or earlier, if nothing new comes" in said["next"]
        assert said["commands"] == ["desgw-daemon postproc run --season 2206"]
        assert said["person"] is False
        # The first has waited for long enough before half an hour without news is over.
        exposures = json.loads(program("status", "--json", cwd=free).stdout)["exposures"]
        newest = max(datetime.fromisoformat(e["news_at"]) for e in exposures)
        first = min(datetime.fromisoformat(e["since"]) for e in exposures if e["state"] == "ready" and not e["held"])
        ends = (newest + timedelta(minutes=30), first + timedelta(hours=1))
        assert datetime.fromisoformat(said["by"]) == min(ends) == ends[1]

    def test_all_settled(self, free: Path) -> None:
        change(
            free,
            "UPDATE exposure SET state = 'removed' WHERE state IN ('queued', 'making', 'submitting', 'processing')",
        )
        assert "all of the season are settled" in explained(str(filled.FULL), cwd=free)["next"]

    def test_asked_for(self, free: Path) -> None:
        insert = "INSERT INTO request (kind, season, asked_at, asked_by) VALUES ('postproc', 2206, ?, 'observer')"
        change(free, insert, sql_time(datetime.now(UTC)))
        assert "was asked for and starts after a last look" in explained(str(filled.FULL), cwd=free)["next"]

    def test_not_by_itself(self, free: Path) -> None:
        with (free / "daemon.toml").open("a") as toml:
            toml.write("[postproc]\nauto = false\n")
        said = explained(str(filled.FULL), cwd=free)
        assert (said["person"], said["commands"]) == (True, ["desgw-daemon postproc run --season 2206"])


class TestKeptBack:
    """What people keep back says who can let it go on; a daemon that does not run comes first."""

    def test_held(self, night: Path) -> None:
        said = explained(str(filled.HELD), cwd=night)
        assert "while it is held" in said["next"]
        assert said["commands"] == [f"desgw-daemon queue release {filled.HELD}"]

    def test_paused(self, night: Path) -> None:
        at = sql_time(datetime.now(UTC))
        change(night, "INSERT INTO setting VALUES ('paused', 'dCache is down', ?, 'observer')", at)
        said = explained(str(filled.QUEUED[0]), cwd=night)
        assert "while the daemon is paused (by observer: dCache is down)" in said["next"]
        assert said["commands"] == ["desgw-daemon resume"]
        assert "each cycle looks" in explained(str(filled.NEARLY), cwd=night)["next"]

    @pytest.mark.parametrize(("expnum", "stands"), [(filled.NEARLY, True), (filled.DONE[0], False)])
    def test_no_daemon(self, expnum: int, stands: bool, night: Path) -> None:
        change(night, "DELETE FROM poll")
        cycle(night, ago=timedelta(minutes=10))
        said = explained(str(expnum), cwd=night)
        assert (said["person"], "seems not to run" in said["next"]) == (stands, stands)


class TestStory:
    """Below stand its DAGMaker runs, submissions, runs of post-processing and last changes."""

    def test_all(self, night: Path) -> None:
        said = text("1200121", cwd=night)
        assert "\nDAGMaker:\n  attempt 1  made (from 20" in said
        assert "\nSubmissions:\n  attempt 1  done, ended 20" in said
        assert "job local.1200121 (local): all its jobs ended with exit code 0" in said
        assert "\n             60 jobs: 20 done\n" in said
        assert "\nPost-processing:\n  run  2  running  10 exposures in i; since 20" in said
        assert "ready -> postprocessing: goes into post-processing run 2 of season 2206" in said
        assert "`desgw-daemon history 1200121` shows all" in said

    def test_reason_stands_whole(self, night: Path) -> None:
        said = explained(str(filled.FEW), cwd=night)
        assert f"\n  Why       {said['exposure']['reason']}\n" in text(str(filled.FEW), cwd=night)

    def test_json(self, night: Path) -> None:
        said = explained(str(filled.IN_DOUBT), cwd=night)
        assert [run["state"] for run in said["dagmaker_runs"]] == ["made"]
        assert [row["state"] for row in said["submissions"]] == ["unknown"]
        assert said["changes"][-1]["after"] == "unknown"
