"""The htcondor engine on a real pool: the contract of all engines, and what is its own."""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from desgw_daemon.grid.htcondor import HtcondorEngine
from tests.condorpool import Pool
from tests.grid.contract import Bench, EngineContract


class HtcondorBench(Bench):
    survives = True
    query_seconds = 30.0

    def engine(self) -> HtcondorEngine:
        return HtcondorEngine(
            root=self.place / "htcondor",
            schedd="",
            prefix=(),
            options=(),
            timeout=timedelta(seconds=60),
            query_timeout=timedelta(seconds=self.query_seconds),
        )

    def crash(self, tag: str) -> None:
        folder = self.place / "htcondor" / self.tag(tag) / "1"
        for path in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it has ended meanwhile
                program = (path / "cmdline").read_bytes().split(b"\0")[0]
                if program.startswith(b"condor_scheduniv_exec") and str((path / "cwd").readlink()).endswith(
                    str(folder)
                ):
                    os.kill(int(path.name), signal.SIGKILL)
                    return
        raise AssertionError(f"no DAGMan works in {folder}")


@pytest.fixture
def bench(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> Iterator[HtcondorBench]:
    monkeypatch.setenv("PATH", f"{pool.bin}:{os.environ['PATH']}")
    name = f"t{uuid.uuid4().hex[:8]}"
    place = pool.work / name
    place.mkdir()
    made = HtcondorBench(place, f"{name}.")
    yield made
    made.go()


class TestHtcondorEngine(EngineContract):
    """The engine keeps the contract."""
