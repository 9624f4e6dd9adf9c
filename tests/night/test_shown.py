"""What people see of DAGs: their jobs, what is held, a silent queue, lost CCDs, and where queue and disk disagree."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .filepool import FilePool, dag_ad
from .house import House, night_of, planned
from .results import finish_ccd

EXPNUM = 938524
TAG = "dp2206_20200304_938524_a1"
MEMORY = "SYSTEM_PERIODIC_HOLD Memory Usage 4300 MB"


@pytest.fixture
def pool(tmp_path: Path) -> FilePool:
    """A schedd whose answers the test writes."""
    return FilePool(tmp_path / "pool")


@pytest.fixture
def house(make_house: Callable[..., House], pool: FilePool) -> House:
    """One exposure, queued for the pool; /pnfs is looked at often."""
    house = make_house(night_of(planned(EXPNUM), planned(938525)), pool.settings | {"poll.recheck": '"1 s"'})
    house.ok("queue", "add", str(EXPNUM), "--season", "2206")
    return house


def counted(**more: Any) -> dict[str, Any]:
    """DAGMan's ad, with the counts of its jobs: 61, of which 20 are done and 1 failed."""
    counts = {"DAG_NodesTotal": 61, "DAG_NodesDone": 20, "DAG_NodesFailed": 1, "DAG_NodesQueued": 5}
    return dag_ad(TAG, EXPNUM, **(counts | {"DAG_JobsRunning": 3, "DAG_JobsHeld": 0} | more))


def job_ad(node: str, number: int, status: int, **more: Any) -> dict[str, Any]:
    """A job's ad. status: 3 removed, 4 completed, 5 held."""
    return dag_ad(TAG, EXPNUM, cluster=200 + number, status=status, JobUniverse=5, DAGNodeName=node, **more)


def ticks_until(house: House, state: str) -> None:
    """Cycles, until its submission is in this state."""
    query = "SELECT state FROM v_submission WHERE expnum = ?"
    house.until(lambda: house.tick() and [{"state": state}] == house.rows(query, EXPNUM), f"the submission is {state}")


def shown(house: House) -> dict[str, Any]:
    """The exposure, as `status --json` has it."""
    found: dict[str, Any] = json.loads(house.ok("status", str(EXPNUM), "--json"))["exposures"][0]
    return found


class TestJobs:
    """The jobs of a DAG are counted by what they do, with its id, its engine, and how often it was handed over."""

    def test_everywhere(self, house: House, pool: FilePool) -> None:
        pool.takes([counted(), job_ad("012_SEdiff_c07", 1, 5, HoldReason=MEMORY)])
        ticks_until(house, "running")
        house.tick()
        dag = shown(house)["submission"]
        numbers = {name: dag[f"nodes_{name}"] for name in ("total", "waiting", "running", "done", "failed", "held")}
        assert numbers == {"total": 61, "waiting": 36, "running": 3, "done": 20, "failed": 1, "held": 1}
        assert (dag["job_id"], dag["engine"], dag["held_since"]) == ("163.0", "htcondor", None)
        assert dag["hold_reason"] == f"012_SEdiff_c07: {MEMORY}"
        assert (dag["tries"], dag["last_outcome"]) == (1, "accepted")
        jobs = "61 jobs: 36 waiting, 3 running, 20 done, 1 failed, 1 held"
        for command in ("status", "explain"):
            text = house.ok(command, str(EXPNUM))
            assert "job 163.0 (htcondor)" in text and jobs in text
            assert f"1 of its jobs held: 012_SEdiff_c07: {MEMORY}" in text
        row = next(line for line in house.ok("status").splitlines() if f"  {EXPNUM}  " in line)
        assert "  36/3/20/1/1  " in row and "  163.0  " in row
        assert f"20 of 61 jobs done, 1 failed, 3 running, 1 held (012_SEdiff_c07: {MEMORY})" in row

    def test_a_held_one_needs_a_person(self, house: House, pool: FilePool) -> None:
        pool.takes([counted(JobStatus=5, HoldReason="Job credentials are not available", DAG_NodesQueued=0)])
        ticks_until(house, "held")
        since = shown(house)["submission"]["held_since"]
        house.tick()
        assert shown(house)["submission"]["held_since"] == since is not None
        explained = json.loads(house.ok("explain", str(EXPNUM), "--json"))
        assert explained["person"] is True and "nothing more of its DAG runs before" in explained["next"]
        assert f"held since {since} (" in house.ok("status", str(EXPNUM))
        assert "Job credentials are not available" in house.ok("status")

    def test_tries(self, house: House, pool: FilePool) -> None:
        pool.says("ERROR: something that was never seen before")
        ticks_until(house, "unknown")
        assert "[DAG unknown, 1 try: " in house.ok("queue", "list")
        (entry,) = json.loads(house.ok("queue", "list", "--json"))
        assert (entry["submission"]["tries"], entry["submission"]["last_outcome"]) == (1, "unclear")
        explained = json.loads(house.ok("explain", str(EXPNUM), "--json"))
        assert [(tried["number"], tried["outcome"]) for tried in explained["submit_tries"]] == [(1, "unclear")]
        resolve = f"desgw-daemon queue resolve {EXPNUM}"
        assert explained["commands"] == [f"{resolve} --adopt ID", f"{resolve} --absent"]
        assert "handed over once, the last: unclear (" in house.ok("explain", str(EXPNUM))


class TestSilence:
    """A queue that is silent stands at the top of the page: since when, why, and what it means. What is known stays."""

    def test_at_the_top(self, house: House, pool: FilePool) -> None:
        pool.takes([counted()])
        ticks_until(house, "running")
        house.tick()
        known = shown(house)["submission"]
        pool.silent()
        house.tick()
        house.tick()
        since = house.rows("SELECT min(started_at) AS at FROM v_poll WHERE engine_problem IS NOT NULL")[0]["at"]
        first = f"The queue of the grid has been silent since {since}, for "
        why = "(condor_q: exit code 1: Failed to connect to the schedd): what is said of DAGs is as of then; nothing is"
        for command in (["status"], ["status", str(EXPNUM)], ["explain", str(EXPNUM)]):
            top = house.ok(*command).splitlines()[0]
            assert top.startswith(first) and why in top
        (silence,) = json.loads(house.ok("status", "--json"))["silent"]
        assert (silence["what"], silence["since"]) == ("engine", since)
        assert silence["means"].startswith("what is said of DAGs is as of then")
        assert shown(house)["submission"] == known
        pool.silent(False)
        house.tick()
        assert "has been silent" not in house.ok("status")


class TestEndedWithoutOutput:
    """CCDs without output are lost with what the queue knew; where that is a good end, it is shown as disagreement."""

    def test_lost(self, house: House, pool: FilePool) -> None:
        pool.takes([counted()])
        ticks_until(house, "running")
        pool.queue([])
        pool.history(
            [
                counted(JobStatus=4, ExitCode=1, DAG_Status=2),
                job_ad("003_SEdiff_c01", 1, 4, ExitCode=0, LastRemoteHost="slot1@fnpc123"),
                job_ad("004_SEdiff_c03", 2, 4, ExitCode=3, LastRemoteHost="slot1@fnpc124"),
                job_ad("005_SEdiff_c04", 3, 4, ExitBySignal=True, ExitSignal=9, LastRemoteHost="slot1@fnpc125"),
            ]
        )
        house.until(lambda: house.tick() and shown(house)["disagreement"], "it is lost, and they disagree")
        lost = {row["ccd"]: row for row in house.rows("SELECT * FROM v_failures WHERE state = 'lost'")}
        assert len(lost) == 59
        assert lost[1]["reason"].endswith(
            "(failed) and left no sign; its job ended with exit code 0 on fnpc123 (one that fails in its SE part does"
            " so, too)"
        )
        assert lost[3]["reason"].endswith("; its job ended with exit code 3 on fnpc124")
        assert lost[4]["reason"].endswith("; its job was ended by signal 9 on fnpc125")
        assert lost[5]["reason"].endswith("; nothing is known of its job")
        assert [lost[ccd]["host"] for ccd in (1, 3, 4, 5)] == ["fnpc123", "fnpc124", "fnpc125", None]
        house.tick()
        self.both_ways(house, pool)

    @staticmethod
    def both_ways(house: House, pool: FilePool) -> None:
        """The same night goes on: somebody looks, and then the queue has the DAG again."""
        words = "1 CCD without output (of 59), although the queue says that their jobs ended with exit code 0: i_01"
        rows = house.rows("SELECT kind, reason, since FROM v_attention ORDER BY kind")
        assert [row["kind"] for row in rows] == ["attention", "disagreement"]
        assert words in rows[1]["reason"] and rows[1]["since"] == shown(house)["disagreement_since"]
        for command in (["status"], ["status", str(EXPNUM)], ["explain", str(EXPNUM)]):
            assert f"the queue and /pnfs disagree since {rows[1]['since']} (" in house.ok(*command)
            assert words in house.ok(*command)
        # People are told of the CCDs that are lost: that the queue saw their jobs end well is the same matter.
        assert house.alerts("disagreement") == [] and len(house.alerts("ccds_lost")) == 1
        # The queue is asked only while there is something to ask it for.
        house.ok("queue", "add", "938525", "--season", "2206")
        house.ok("queue", "hold", "938525")
        pool.queue([dag_ad(TAG, EXPNUM, cluster=170)])
        again = f"its DAG {TAG} was failed at "
        house.until(lambda: house.tick() and again in shown(house)["disagreement"], "it is seen there")
        assert "but the queue has it as 170.0 (running, seen since " in shown(house)["disagreement"]
        (foreign,) = house.rows("SELECT tag, job_id, ours FROM v_foreign_dag")
        assert foreign == {"tag": TAG, "job_id": "170.0", "ours": 1}
        # Also when the exposure has been taken out, and no longer when the queue has let go of it.
        house.ok("queue", "remove", str(EXPNUM))
        house.tick()
        assert str(shown(house)["disagreement"]).startswith(again)
        pool.queue([])
        house.tick()
        assert shown(house)["disagreement"] is None
        house.tick()
        assert not house.rows("SELECT 1 FROM v_alert_pending WHERE rule = 'disagreement'")


class TestOutputWithoutASubmission:
    """Results of a DAG of which nobody knows whether it was submitted are shown, and nothing is done about it."""

    def test_of_unknown_outcome(self, house: House, pool: FilePool) -> None:
        pool.says("ERROR: something that was never seen before")
        ticks_until(house, "unknown")
        pool.silent()
        (house.sandbox.pnfs / f"forcephoto/images/dp2206/20200304/{EXPNUM}").mkdir(parents=True, exist_ok=True)
        for ccd in (1, 3, 4, 5, 6, 7, 8):
            finish_ccd(house.sandbox, EXPNUM, ccd)
        house.until(lambda: house.tick() and shown(house)["disagreement"], "the results are seen")
        found = shown(house)
        assert "CCDs left results (i_01, i_03, i_04, i_05, i_06 and 2 more; the newest of" in found["disagreement"]
        assert f"`desgw-daemon queue resolve {EXPNUM} --adopt ID` if you know its id" in found["disagreement"]
        assert (found["state"], found["submission"]["state"]) == ("submitting", "unknown")
        assert pool.submissions() == 1
        house.ok("queue", "resolve", str(EXPNUM), "--adopt", "163.0")
        house.tick()
        house.tick()
        assert (shown(house)["state"], shown(house)["disagreement"]) == ("processing", None)
