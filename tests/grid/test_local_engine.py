"""The local engine: the contract of all engines, and what is its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from desgw_daemon import children
from desgw_daemon.children import keeper
from desgw_daemon.domain.states import SubmissionState as S
from desgw_daemon.grid.engine import Answered, NoAnswer, Rejected, SubmitRequest, Unclear
from desgw_daemon.grid.local import LocalEngine
from tests.grid.contract import Bench, EngineContract, dag, until


class LocalBench(Bench):
    """Runs on this machine, in four slots."""

    slots = 4

    @property
    def root(self) -> Path:
        return self.place / "local"

    def engine(self) -> LocalEngine:
        return LocalEngine(root=self.root, slots=self.slots)

    def runner(self, tag: str) -> int:
        pid = until(lambda: children.look(self.root / tag / "keeper").pid, lambda pid: pid is not None)
        assert pid is not None
        return pid

    def crash(self, tag: str) -> None:
        os.kill(self.runner(tag), signal.SIGKILL)

    def close(self) -> None:
        for folder in self.root.glob("*/keeper"):
            children.stop(folder)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[LocalBench]:
    made = LocalBench(tmp_path)
    yield made
    made.go()
    made.close()


class TestLocalEngine(EngineContract):
    """The local engine keeps the contract."""


class TestSlots:
    """At most so many jobs of a DAG run at the same time."""

    def test_never_more(self, bench: LocalBench) -> None:
        (bench.workdir / "job.sh").write_text(
            f"echo x >> {bench.place}/starts; echo + >> {bench.place}/log; sleep 0.1; echo - >> {bench.place}/log\n"
        )
        bench.accepted("t1", dag(("parallel", [*(f"j{n} ok" for n in range(8)), "-N 4 many ok"])))
        bench.until("t1", S.DONE)
        running, most = 0, 0
        for line in (bench.place / "log").read_text().split():
            running += 1 if line == "+" else -1
            most = max(most, running)
        assert len(bench.starts()) == 12 and most == bench.slots


class TestAJobsSurroundings:
    """A job finds its script in the workflow folder, itself in a scratch folder, and its number in PROCESS."""

    def test_scratch_and_environment(self, bench: LocalBench) -> None:
        (bench.workdir / "job.sh").write_text(
            'echo "$0 $* $PWD $PROCESS"; touch left-behind; env | cut -d= -f1 | sort | xargs\n'
        )
        job_id = bench.accepted("t1", dag(("parallel", ["$PATH ${NOBODY} $NOBODY"])))
        bench.until("t1", S.DONE)
        folder = bench.root / "t1"
        said = (folder / "out" / "001_job.0.out").read_text().splitlines()
        assert said[0] == (
            f"{bench.workdir}/job.sh {os.environ['PATH']} ${{NOBODY}} $NOBODY {folder}/scratch/001_job.0 0"
        )
        given = {"PATH", "PROCESS", "JOBSUBJOBID", "JOBSUBPARENTJOBID", "_CONDOR_SCRATCH_DIR"}
        assert set(said[1].split()) - {"PWD", "SHLVL", "_"} == given, "the rest is bash's own"
        assert not (folder / "scratch").exists()
        assert job_id == "1.0@local"

    def test_program_that_is_no_shell_script(self, bench: LocalBench) -> None:
        (bench.workdir / "job.sh").write_text('#!/usr/bin/env perl\nprint 6 * 7, "\\n";\n')
        bench.accepted("t1", dag(("parallel", ["a ok"])))
        bench.until("t1", S.DONE)
        assert (bench.root / "t1/out/001_job.0.out").read_text() == "42\n"

    def test_nothing_of_a_job_is_left_behind(self, bench: LocalBench) -> None:
        (bench.workdir / "job.sh").write_text(f"sleep 600 & echo $! > {bench.place}/pid\n")
        bench.accepted("t1", dag(("parallel", ["a ok"])))
        bench.until("t1", S.DONE)
        pid = int((bench.place / "pid").read_text())
        until(lambda: keeper.process(pid), lambda found: found is None)


class TestTheDagIsCopied:
    """What happens to the DAG file after the submission does not matter."""

    def test_original_changes(self, bench: LocalBench) -> None:
        text = dag(("parallel", ["a wait"]), ("serial", ["b ok"]))
        bench.accepted("t1", text)
        (bench.workdir / "t1.dag").unlink()
        bench.go()
        bench.until("t1", S.DONE)
        assert (bench.root / "t1" / "dag").read_text() == text


class TestWhatTheRunnerLeaves:
    """A runner that dies takes its jobs with it; a person's kill is no 'done'."""

    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
    def test_jobs_of_a_dead_runner(self, bench: LocalBench, number: signal.Signals) -> None:
        (bench.workdir / "job.sh").write_text(f"echo $$ >> {bench.place}/starts; sleep 600\n")
        bench.accepted("t1", dag(("parallel", ["a ok", "b ok"])))
        pids = [int(line) for line in until(bench.starts, lambda lines: len(lines) == 2)]
        os.kill(bench.runner("t1"), number)
        lost = bench.until("t1", S.LOST)
        assert lost.reason is not None and f"signal {number.value}" in lost.reason
        assert all(keeper.process(pid) is None for pid in pids)

    def test_runner_and_keeper_killed(self, bench: LocalBench) -> None:
        bench.accepted("t1", dag(("parallel", ["a wait"])))
        until(bench.starts, lambda lines: len(lines) == 1)
        runner = bench.runner("t1")
        os.kill(json.loads((bench.root / "t1/keeper/started").read_text())["pid"], signal.SIGKILL)
        assert bench.status("t1").state is S.RUNNING, "the runner lives, whatever became of its keeper"
        os.kill(runner, signal.SIGKILL)
        assert bench.until("t1", S.LOST).reason is not None

    def test_done_without_keeper_is_done(self, bench: LocalBench) -> None:
        bench.accepted("t1", dag(("parallel", ["a wait"])))
        until(bench.starts, lambda lines: len(lines) == 1)
        os.kill(json.loads((bench.root / "t1/keeper/started").read_text())["pid"], signal.SIGKILL)
        bench.go()
        assert bench.until("t1", S.DONE).exit_code == 0


class TestRemovedMeansOver:
    """A DAG is removed when its jobs have ended, not when they were asked to."""

    def test_slow_goodbye(self, bench: LocalBench) -> None:
        (bench.workdir / "job.sh").write_text(
            f"trap 'sleep 1; echo x >> {bench.place}/gone; exit' TERM; echo x >> {bench.place}/starts\n"
            "sleep 600 & wait\n"
        )
        bench.accepted("t1", dag(("parallel", ["a ok", "b ok"])))
        until(bench.starts, lambda lines: len(lines) == 2)
        bench.engine().remove("t1")
        reason = until(lambda: bench.status("t1").reason, lambda reason: reason is not None)
        assert reason == "it is being removed: its jobs are ending"
        bench.until("t1", S.REMOVED)
        assert (bench.place / "gone").read_text() == "x\nx\n"


class TestFailureIsTold:
    """The reason of a failed DAG names the first bad job, its exit code, and how many could not run."""

    def test_reason(self, bench: LocalBench) -> None:
        bench.accepted("t1", dag(("parallel", ["a ok", "b bad"]), ("parallel", ["c ok", "d ok"])))
        reason = bench.until("t1", S.FAILED).reason
        assert reason == "1 of 4 nodes failed, first 002_job.0 (exit code 3); 2 could not run because of it"

    def test_siblings_are_ended(self, bench: LocalBench) -> None:
        bench.accepted("t1", dag(("parallel", ["-N 3 a bad0 3"])))
        reason = bench.until("t1", S.FAILED).reason
        assert reason == "1 of 1 nodes failed, first 001_job.0 (exit code 3)"
        assert len(bench.starts()) == 3


class TestNoAnswer:
    """Where the disk does not let the engine look, it says so and concludes nothing."""

    def test_unreadable(self, bench: LocalBench) -> None:
        bench.accepted("t1", dag(("parallel", ["a ok"])))
        until(lambda: children.look(bench.root / "t1" / "keeper").state, lambda state: state == "ended")
        shutil.rmtree(bench.root / "t1" / "keeper")
        (bench.root / "t1" / "keeper").write_text("a file where a folder should be")
        assert isinstance(bench.engine().find("t1"), NoAnswer)
        assert isinstance(bench.engine().status(["t1"]), NoAnswer)
        assert isinstance(bench.engine().hold("t1"), NoAnswer)
        assert isinstance(bench.submit("t1", dag(("parallel", ["a ok"]))), Unclear)
        (bench.root / "t1" / "keeper").unlink()

    @pytest.mark.parametrize("text", ["", "[]", "{}", '{"job_id"'])
    def test_damaged(self, bench: LocalBench, text: str) -> None:
        bench.accepted("t1", dag(("parallel", ["a ok"])))
        bench.until("t1", S.DONE)
        (bench.root / "t1" / "plan.json").write_text(text)
        found = bench.engine().find("t1")
        assert isinstance(found, NoAnswer) and "t1: a record is damaged" in found.reason
        assert isinstance(bench.engine().status(["t1"]), NoAnswer)
        assert isinstance(bench.submit("t1", dag(("parallel", ["a ok"]))), Unclear)

    def test_odd_status(self, bench: LocalBench) -> None:
        bench.accepted("t1", dag(("parallel", ["a ok"])))
        bench.until("t1", S.DONE)
        for text in ('{"state": "asleep"}', '{"nodes": [{}]}', '{"nodes": 3}', '{"ended_at": "noon"}'):
            (bench.root / "t1" / "status.json").write_text(text)
            assert isinstance(bench.engine().status(["t1"]), NoAnswer)

    def test_one_of_several(self, bench: LocalBench) -> None:
        bench.accepted("t1", dag(("parallel", ["a ok"])))
        bench.accepted("t2", dag(("parallel", ["a ok"])))
        bench.until("t2", S.DONE)
        shutil.rmtree(bench.root / "t1" / "keeper")
        (bench.root / "t1" / "keeper").write_text("a file where a folder should be")
        answer = bench.engine().status(["t1", "t2"])
        assert isinstance(answer, Answered) and set(answer.dags) == {"t2"}
        assert isinstance(bench.engine().find("t1"), NoAnswer)
        (bench.root / "t1" / "keeper").unlink()

    def test_no_room_for_the_state(self, bench: LocalBench) -> None:
        bench.root.write_text("a file where a folder should be")
        outcome = bench.submit("t1", dag(("parallel", ["a ok"])))
        assert isinstance(outcome, Rejected) and outcome.kind == "transient"
        bench.root.unlink()

    def test_missing_dag_file(self, bench: LocalBench) -> None:
        outcome = bench.engine().submit(
            SubmitRequest(
                tag="t1",
                number=1,
                expnum=938524,
                dag_path=bench.place / "none.dag",
                workdir=bench.workdir,
                env={},
                output=bench.place / "away" / "out",
            )
        )
        assert isinstance(outcome, Rejected) and outcome.kind == "permanent" and "none.dag" in outcome.reason


class TestCrashInTheMiddleOfSubmit:
    """Cut anywhere before its keeper claims the folder, a submission never happened; asked again, it does."""

    def test_leftovers_do_no_harm(self, bench: LocalBench) -> None:
        folder = bench.root / "t1"
        folder.mkdir(parents=True)
        for name in ("dag", "plan.json"):
            (folder / name).write_text("half of")
        (bench.root / ".cluster").write_text("7")
        answer = bench.engine().status(["t1"])
        assert isinstance(answer, Answered) and not answer.dags
        assert bench.accepted("t1", dag(("parallel", ["a ok"]))) == "8.0@local"
        bench.until("t1", S.DONE)
        assert bench.started() == ["a 0"]


class TestWaitingCostsNothing:
    """A runner that waits for its jobs uses no noticeable processor time."""

    def test_cpu_time(self, bench: LocalBench) -> None:
        bench.accepted("t1", dag(("parallel", ["a wait", *(f"j{n} ok" for n in range(58))])))
        until(lambda: bench.status("t1").nodes_done, lambda done: done == 58)
        stat = Path(f"/proc/{bench.runner('t1')}/stat")

        def ticks() -> int:
            return sum(int(field) for field in stat.read_text().rpartition(")")[2].split()[11:13])

        before, begun = ticks(), time.monotonic()
        time.sleep(2)
        used = (ticks() - before) / os.sysconf("SC_CLK_TCK")
        assert used <= 0.02 * (time.monotonic() - begun)
