"""The jobsub engine, through a stand-in of jobsub, on a real pool: the contract of all engines."""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest

from desgw_daemon.grid.jobsub import JobsubEngine
from tests.condorpool import Pool
from tests.grid.contract import Bench, EngineContract
from tests.jobsub.standin import Jobsub


class JobsubBench(Bench):
    """jobsub's stand-in over a pool; its commands are in PATH."""

    survives = True
    query: Literal["condor", "jobsub"] = "condor"
    timeout = timedelta(seconds=60)

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
            query_timeout=timedelta(seconds=30),
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
