"""The jobsub engine, through a stand-in of jobsub, on a real pool: the contract of all engines."""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest

from desgw_daemon.grid.engine import Absent, Accepted, Answered, Asked, Found, NoAnswer, Pending, Unclear
from desgw_daemon.grid.jobsub import JobsubEngine
from tests.condorpool import Pool
from tests.grid.contract import Bench, EngineContract, S, dag, until
from tests.jobsub.standin import Jobsub


class JobsubBench(Bench):
    """jobsub's stand-in over a pool; its commands are in PATH."""

    survives = True
    query: Literal["condor", "jobsub"] = "condor"
    timeout = timedelta(seconds=60)
    query_timeout = timedelta(seconds=30)

    def __init__(self, place: Path, name: str, jobsub: Jobsub) -> None:
        super().__init__(place, name)
        self.jobsub = jobsub

    def engine(self) -> JobsubEngine:
        return JobsubEngine(
            root=self.place / "state",
            command=[str(self.jobsub.bin / "jobsub_submit_dag")],
            group="des",
            role="desgw",
            storage=["/des/persistent/gw/exp", "/des/persistent/gw/forcephoto"],
            options=[],
            query=self.query,
            prefix=[],
            schedds=self.jobsub.schedds,
            timeout=self.timeout,
            query_timeout=self.query_timeout,
        )

    def crash(self, tag: str) -> None:
        folder = next(call["cwd"] for call in self.jobsub.calls("condor") if self.tag(tag) in " ".join(call["lines"]))
        for path in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it has ended meanwhile
                program = (path / "cmdline").read_bytes().split(b"\0")[0]
                if program.startswith(b"condor_scheduniv_exec") and str((path / "cwd").readlink()).endswith(folder):
                    os.kill(int(path.name), signal.SIGKILL)
                    return
        raise AssertionError(f"no DAGMan works in {folder}")


@pytest.fixture
def bench(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> Iterator[JobsubBench]:
    monkeypatch.setenv("PATH", f"{pool.bin}:{os.environ['PATH']}")
    name = f"t{uuid.uuid4().hex[:8]}"
    place = pool.work / name
    place.mkdir()
    made = JobsubBench(place, f"{name}.", Jobsub(place / "jobsub", schedds=[pool.schedd], condor=pool.bin))
    yield made
    made.go()


class TestJobsubEngine(EngineContract):
    """The engine keeps the contract."""


class TestWithJobsubQ:
    """Where condor_q is not allowed, jobsub's own programs follow a DAG and take the orders."""

    def test_followed(self, bench: JobsubBench) -> None:
        bench.query = "jobsub"
        job_id = bench.accepted("t1", dag(("parallel", ["a wait", "b wait"]), ("serial", ["c ok"])))
        assert bench.find("t1") == Found((job_id,))
        running = until(lambda: bench.status("t1"), lambda status: status.nodes_running == 2)
        assert (running.nodes_total, running.nodes_waiting) == (3, 1)
        assert bench.order("hold", "t1") == Asked()
        assert bench.until("t1", S.HELD).hold_reason is not None
        assert bench.order("release", "t1") == Asked()
        bench.go()
        done = bench.until("t1", S.DONE)
        assert (done.nodes_done, done.exit_code) == (3, 0) and done.ended_at is not None
        assert bench.order("remove", "t1") == Asked(), "harmless after the end"
        assert bench.status("t1").state is S.DONE

    def test_removed(self, bench: JobsubBench) -> None:
        """It leaves the queue at once; that it is not shown any more is no proof of anything."""
        bench.query = "jobsub"
        bench.accepted("t1", dag(("parallel", ["a sleep"])))
        until(bench.started, lambda names: names == ["a 0"])
        assert bench.order("remove", "t1") == Asked()
        until(lambda: bench.engine().status([bench.tag("t1")]), lambda answer: answer == Answered({}, calls=1))
        bench.query = "condor"
        assert bench.status("t1").state is S.REMOVED


class TestTheScheddFreezes:
    """In the middle of a submission: the command is ended after its time-out, and the queue says what came of it."""

    def test_once(self, bench: JobsubBench, pool: Pool) -> None:
        bench.timeout, bench.query_timeout = timedelta(seconds=8), timedelta(seconds=2)
        bench.jobsub.order(submit="waits*1")
        (bench.jobsub.folder / "wait").touch()
        request = bench.request("t1", dag(("parallel", ["a ok"])))
        assert isinstance(bench.engine().submit(request), Pending)
        pool.freeze_schedd()
        (bench.jobsub.folder / "wait").unlink()
        outcome = until(lambda: bench.engine().submit(request), lambda outcome: not isinstance(outcome, Pending))
        assert isinstance(outcome, Unclear) and outcome.cause == "timed_out"
        assert isinstance(bench.find("t1"), NoAnswer)
        status = bench.engine().status([request.tag])
        assert isinstance(status, NoAnswer)
        pool.thaw_schedd()
        pool.until_schedd_answers()
        found = until(lambda: bench.find("t1"), lambda found: not isinstance(found, NoAnswer))
        if isinstance(found, Absent):
            assert isinstance(bench.engine().submit(replace(request, number=2)), Accepted)
        bench.until("t1", S.DONE)
        assert len([ad for ad in pool.dags() if ad.get("DesgwTag") == request.tag]) == 1
