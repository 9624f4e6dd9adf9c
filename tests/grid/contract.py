"""What every engine must do, as tests: an engine's test class inherits `EngineContract`.

It has to provide the fixture `bench`: a `Bench` whose `engine()` makes a new engine object over the same pool
(as a restarted daemon does), and `crash(tag)`, which kills what runs a DAG without telling it. Several benches may
share a pool: `name` makes the tags of each its own.
"""

from __future__ import annotations

import os
import re
import time
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeVar

import pytest

from desgw_daemon.domain.states import SubmissionState
from desgw_daemon.grid.engine import (
    Absent,
    Accepted,
    Answered,
    Asked,
    DagStatus,
    Engine,
    FindOutcome,
    Found,
    Nodes,
    OrderOutcome,
    Pending,
    Rejected,
    SubmitOutcome,
    SubmitRequest,
)

S = SubmissionState
T = TypeVar("T")

#: A job that leaves a line for each of its starts, and then does what its second argument says.
JOB = """#!/bin/bash
echo "$1 $PROCESS $JOBSUBJOBID" >> {place}/starts
trap 'echo "$1 $PROCESS" >> {place}/ends' EXIT
case $2 in
    ok) exit 0 ;;
    bad) exit 3 ;;
    wait) while [ ! -e {place}/go ]; do sleep 0.05; done ;;
    bad0) [ "$PROCESS" = 0 ] || sleep 600
        while [ $(wc -l < {place}/starts) -lt "$3" ]; do sleep 0.05; done; exit 3 ;;
    sleep) sleep 600 ;;
esac
"""


def until(ask: Callable[[], T], wanted: Callable[[T], bool], seconds: float = 60) -> T:
    """Ask until the answer is the wanted one; fail with the last answer."""
    deadline = time.monotonic() + seconds
    while True:
        answer = ask()
        if wanted(answer):
            return answer
        assert time.monotonic() < deadline, f"still {answer} after {seconds} s"
        time.sleep(0.02)


def dag(*stages: tuple[str, list[str]]) -> str:
    """A DAG of job.sh: ('parallel', ['NAME ok', '-N 3 NAME2 bad']), ..."""
    lines = []
    for kind, jobs in stages:
        lines.append(f"<{kind}>")
        for job in jobs:
            words = job.split()
            options = words[:2] if words[0] == "-N" else []
            lines.append(" ".join(["jobsub", "-n", *options, "file://job.sh", *words[len(options) :]]))
        lines.append(f"</{kind}>")
    return "\n".join(lines) + "\n"


class Bench(ABC):
    """A place with a workflow folder, and an engine under test."""

    #: Whether a DAG whose runner was killed goes on by itself.
    survives = False

    def __init__(self, place: Path, name: str = "") -> None:
        self.place = place
        self.name = name
        self.workdir = place / "workflow"
        self.workdir.mkdir()
        (self.workdir / "job.sh").write_text(JOB.format(place=place))
        (self.workdir / "job.sh").chmod(0o755)
        self.tags: list[str] = []

    @abstractmethod
    def engine(self) -> Engine:
        """A new engine object that knows nothing but what the pool and its own files know."""

    @abstractmethod
    def crash(self, tag: str) -> None:
        """Kill what runs the DAG, so that it cannot say anything more."""

    def submit(self, tag: str, text: str, *, number: int = 1, expnum: int | None = None) -> SubmitOutcome:
        """Submit, and ask until it is no longer pending."""
        request = self.request(tag, text, number=number, expnum=expnum)
        return until(lambda: self.engine().submit(request), lambda outcome: not isinstance(outcome, Pending))

    def request(self, tag: str, text: str, *, number: int = 1, expnum: int | None = None) -> SubmitRequest:
        """A DAG to be submitted. Each tag is of an exposure of its own, if none is given."""
        path = self.workdir / f"{tag}.dag"
        path.write_text(text)
        if tag not in self.tags:
            self.tags.append(tag)
        return SubmitRequest(
            tag=self.tag(tag),
            number=number,
            expnum=expnum or zlib.crc32(self.tag(tag).encode()) % 10**9,
            dag_path=path,
            workdir=self.workdir,
            env={"PATH": os.environ["PATH"]},
            output=self.place / f"{tag}.out",
        )

    def tag(self, name: str) -> str:
        """The tag as the engine gets it."""
        return f"{self.name}{name}"

    def find(self, tag: str) -> FindOutcome:
        return self.engine().find(self.tag(tag))

    def order(self, order: Literal["hold", "release", "remove"], tag: str) -> OrderOutcome:
        found: OrderOutcome = getattr(self.engine(), order)(self.tag(tag))
        return found

    def accepted(self, tag: str, text: str) -> str:
        outcome = self.submit(tag, text)
        assert isinstance(outcome, Accepted), outcome
        return outcome.job_id

    def status(self, tag: str) -> DagStatus:
        answer = self.engine().status([self.tag(tag)])
        assert isinstance(answer, Answered), answer
        return answer.dags[self.tag(tag)]

    def until(self, tag: str, *states: SubmissionState) -> DagStatus:
        return until(lambda: self.status(tag), lambda status: status.state in states)

    def starts(self) -> list[str]:
        path = self.place / "starts"
        return path.read_text().splitlines() if path.exists() else []

    def started(self) -> list[str]:
        """Names and process numbers of the jobs that have begun, in order."""
        return [" ".join(line.split()[:2]) for line in self.starts()]

    def ended(self) -> list[str]:
        """Names and process numbers of the jobs that have ended by themselves, in order."""
        path = self.place / "ends"
        return path.read_text().splitlines() if path.exists() else []

    def go(self) -> None:
        (self.place / "go").touch()


class EngineContract:
    """The contract of `desgw_daemon.grid.engine.Engine`."""

    def test_submitted_once(self, bench: Bench) -> None:
        """The same tag again is the same submission: its id, and no second run."""
        text = dag(("parallel", ["a ok", "b ok"]), ("serial", ["c ok"]))
        first = bench.accepted("t1", text)
        assert bench.accepted("t1", text) == first
        bench.until("t1", S.DONE)
        assert bench.accepted("t1", text) == first, "after its end too"
        assert sorted(bench.started()) == ["a 0", "b 0", "c 0"]
        cluster = first.partition(".")[0]
        assert re.search(rf"\b{cluster}\b", (bench.place / "t1.out").read_text()), "people find the id in the output"

    def test_found_by_tag(self, bench: Bench) -> None:
        """Absent before, found after the submission and after the end, by any engine object."""
        assert bench.find("t1") == Absent()
        job_id = bench.accepted("t1", dag(("parallel", ["a wait"])))
        assert bench.find("t1") == Found((job_id,))
        assert bench.find("t") == Absent() == bench.find("t11")
        bench.go()
        bench.until("t1", S.DONE)
        assert bench.find("t1") == Found((job_id,))

    def test_done(self, bench: Bench) -> None:
        """A whole DAG: stages in order, -N n as processes 0..n-1, each with an id of its own."""
        text = dag(
            ("parallel", ["dummy ok", "-N 3 template ok"]),
            ("parallel", ["one wait", "two wait"]),
            ("serial", ["first ok", "second ok"]),
        )
        job_id = bench.accepted("t1", text)
        until(lambda: len(bench.starts()), lambda count: count == 6)
        running = bench.until("t1", S.RUNNING)
        assert (running.job_id, running.exit_code, running.ended_at) == (job_id, None, None)
        bench.go()
        done = bench.until("t1", S.DONE)
        assert (done.nodes_total, done.nodes_done, done.nodes_failed, done.exit_code) == (6, 6, 0, 0)
        assert done.submitted_at is not None and done.ended_at is not None
        assert done.submitted_at < done.ended_at and done.reason is None
        names = bench.started()
        assert sorted(names[:4]) == ["dummy 0", "template 0", "template 1", "template 2"]
        assert sorted(names[4:6]) == ["one 0", "two 0"]
        assert names[6:] == ["first 0", "second 0"]
        ids = {line.split()[2] for line in bench.starts()}
        assert len(ids) == 8 and job_id not in ids

    def test_failed_node(self, bench: Bench) -> None:
        """One bad job lets its neighbours run, and makes the later stages futile."""
        bench.accepted("t1", dag(("parallel", ["a ok", "b bad", "c ok"]), ("serial", ["monitor ok"])))
        failed = bench.until("t1", S.FAILED)
        assert (failed.nodes_total, failed.nodes_done, failed.nodes_failed, failed.exit_code) == (4, 2, 1, 1)
        assert failed.reason is not None
        assert sorted(bench.started()) == ["a 0", "b 0", "c 0"]

    def test_failed_process(self, bench: Bench) -> None:
        """One bad process of a node ends its siblings: the node has failed."""
        bench.accepted("t1", dag(("parallel", ["-N 2 a bad0 2"]), ("parallel", ["b ok"])))
        failed = bench.until("t1", S.FAILED)
        assert (failed.nodes_done, failed.nodes_failed) == (0, 1)
        assert sorted(bench.started()) == ["a 0", "a 1"]

    def test_failed_in_serial(self, bench: Bench) -> None:
        """In a serial block nothing follows a bad job."""
        bench.accepted("t1", dag(("serial", ["a ok", "b bad", "c ok"])))
        assert bench.until("t1", S.FAILED).nodes_done == 1
        assert bench.started() == ["a 0", "b 0"]

    def test_held_and_released(self, bench: Bench) -> None:
        """Held: no new jobs, until it is released."""
        bench.accepted("t1", dag(("parallel", ["a wait"]), ("serial", ["b ok"])))
        until(bench.started, lambda names: names == ["a 0"])
        assert bench.order("hold", "t1") == Asked()
        assert bench.until("t1", S.HELD).reason is not None
        bench.go()
        until(bench.ended, lambda names: names == ["a 0"])
        assert bench.status("t1").state is S.HELD and bench.started() == ["a 0"]
        assert bench.status("t1").hold_reason is not None
        assert bench.order("release", "t1") == Asked()
        bench.until("t1", S.DONE)
        assert bench.started() == ["a 0", "b 0"]
        assert bench.order("hold", "t1") == Asked(), "harmless after the end"
        assert bench.status("t1").state is S.DONE

    def test_removed(self, bench: Bench) -> None:
        """Removed: its jobs end, for good, also when it was held before."""
        bench.accepted("t1", dag(("parallel", ["a sleep", "b sleep"]), ("serial", ["c ok"])))
        until(bench.started, lambda names: len(names) == 2)
        bench.order("hold", "t1")
        assert bench.order("remove", "t1") == Asked()
        removed = bench.until("t1", S.REMOVED)
        assert removed.reason is not None and removed.ended_at is not None
        bench.order("release", "t1")
        assert bench.status("t1").state is S.REMOVED
        assert len(bench.started()) == 2
        assert isinstance(bench.find("t1"), Found)

    def test_crash(self, bench: Bench) -> None:
        """What was accepted and loses its runner goes on, or is lost, in words; it is not absent."""
        bench.accepted("t1", dag(("parallel", ["a wait"]), ("serial", ["b ok"])))
        until(bench.started, lambda names: names == ["a 0"])
        bench.crash("t1")
        if bench.survives:
            bench.go()
            assert bench.until("t1", S.DONE).exit_code == 0
            assert bench.started() == ["a 0", "b 0"]
        else:
            assert bench.until("t1", S.LOST).reason is not None
        assert isinstance(bench.find("t1"), Found)

    def test_nodes(self, bench: Bench) -> None:
        """After its end the engine tells what became of each job, by the names that its file gives them."""
        bench.accepted("t1", dag(("parallel", ["-N 2 a ok", "b bad"]), ("serial", ["c ok"])))
        bench.until("t1", S.FAILED)
        answer = bench.engine().nodes(bench.tag("t1"))
        assert isinstance(answer, Nodes)
        told = {(node.name, node.process): (node.state, node.exit_code) for node in answer.nodes}
        assert told.pop(("003_job", 0), ("removed", None)) == ("removed", None), "it could not run"
        assert told == {("001_job", 0): ("done", 0), ("001_job", 1): ("done", 0), ("002_job", 0): ("failed", 3)}
        assert all(node.host for node in answer.nodes if node.exit_code is not None)
        assert bench.engine().nodes(bench.tag("nobody")) == Absent()

    def test_counts(self, bench: Bench) -> None:
        """While it runs: what runs, what waits."""
        bench.accepted("t1", dag(("parallel", ["a wait", "b wait"]), ("serial", ["c ok"])))
        status = until(lambda: bench.status("t1"), lambda status: status.nodes_running == 2)
        assert (status.nodes_total, status.nodes_waiting, status.nodes_held, status.nodes_done) == (3, 1, 0, 0)
        bench.go()
        bench.until("t1", S.DONE)

    def test_many_in_one_query(self, bench: Bench) -> None:
        """Twenty tags are asked for at once; unknown ones are missing from the answer."""
        tags = [f"s2206.93852{n:02d}.1" for n in range(20)]
        ids = {bench.tag(tag): bench.accepted(tag, dag(("parallel", [f"{tag} ok"]))) for tag in tags}
        assert len(set(ids.values())) == 20
        for tag in tags:
            bench.until(tag, S.DONE)
        answer = bench.engine().status([*ids, bench.tag("nobody")])
        assert isinstance(answer, Answered)
        assert {tag: status.job_id for tag, status in answer.dags.items()} == ids
        assert answer.calls <= 2, "one question of the queue, one of the history"

    @pytest.mark.parametrize("text", ["<parallel>\njobsub file://missing.sh\n</parallel>\n", "nonsense\n"])
    def test_broken_dag(self, bench: Bench, text: str) -> None:
        """A DAG that cannot run is rejected for good, or fails; it is neither lost nor unclear."""
        outcome = bench.submit("t1", text)
        if isinstance(outcome, Accepted):
            assert bench.until("t1", S.FAILED).reason is not None
        else:
            assert isinstance(outcome, Rejected) and outcome.kind == "permanent"
            assert bench.find("t1") == Absent()
            assert outcome.reason in (bench.place / "t1.out").read_text()

    def test_rejected_may_be_submitted_again(self, bench: Bench) -> None:
        """A rejection uses the tag up for nothing: mended, it runs."""
        if isinstance(bench.submit("t1", "nonsense\n"), Rejected):
            outcome = bench.submit("t1", dag(("parallel", ["a ok"])), number=2)
            assert isinstance(outcome, Accepted), outcome
            bench.until("t1", S.DONE)

    def test_orders_for_nobody(self, bench: Bench) -> None:
        """An order for an unknown tag has no effect, and says so where the engine can tell."""
        orders: tuple[Literal["hold", "release", "remove"], ...] = ("hold", "release", "remove")
        for order in orders:
            assert bench.order(order, "nobody") in (Absent(), Asked())
        assert bench.find("nobody") == Absent()

    @pytest.mark.parametrize("tag", ["", "..", "-x", "a b", "a/b", "a'b", "a\n", "é", "x" * 101])
    def test_tag_alphabet(self, bench: Bench, tag: str) -> None:
        """What is no tag is refused everywhere, before anything happens."""
        engine = bench.engine()
        for order in (engine.hold, engine.release, engine.remove, engine.find):
            with pytest.raises(ValueError, match="is no tag"):
                order(tag)
        with pytest.raises(ValueError, match="is no tag"):
            engine.status([tag])
        request = SubmitRequest(
            tag=tag,
            number=1,
            expnum=938524,
            dag_path=bench.workdir,
            workdir=bench.workdir,
            env={},
            output=bench.place / "o",
        )
        with pytest.raises(ValueError, match="is no tag"):
            engine.submit(request)
