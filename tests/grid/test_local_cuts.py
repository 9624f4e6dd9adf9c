"""A submission is cut at each system call that changes something, and asked for again."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from desgw_daemon.domain.states import SubmissionState as S
from desgw_daemon.grid.engine import Absent, Accepted, Answered, Found, SubmitRequest
from desgw_daemon.grid.local import LocalEngine
from tests.grid.contract import until
from tests.tools import needed

#: What changes files, or starts, ends and awaits processes.
CALLS: Final = (
    "mkdir,rename,link,linkat,unlink,fsync,ftruncate,flock,write,setsid,chdir,dup2,execve,kill,"
    "fork,vfork,clone,clone3,wait4,waitid"
)
#: Submits, with the given program as the Python that starts keepers.
PROGRAM: Final = """
import os, sys
from pathlib import Path
from desgw_daemon.grid.engine import SubmitRequest
from desgw_daemon.grid.local import LocalEngine
place, sys.executable = Path(sys.argv[1]), sys.argv[2]
os.write(1, b"begin")
LocalEngine(root=place / "local", slots=1).submit(
    SubmitRequest(
        tag="t", number=1, expnum=938524,
        dag_path=place / "x.dag", workdir=place, env={"PATH": os.environ["PATH"]}, output=place / "o"
    )
)
"""
#: In the keeper's part, the runner is started without strace: a traced program cannot trace.
WRAPPER: Final = """#!/bin/bash
case "$*" in *keeper.py*) exec {strace} {python} "$@" ;; *) exec {python} "$@" ;; esac
"""
_CALL: Final = re.compile(r"(?:\d+ +)?(\w+)\(", re.ASCII)


class Cutter:
    """Runs submissions in new places, whole or cut at the n-th call of a name."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.count = 0

    def run(self, *, engine: list[str], keeper: list[str]) -> Path:
        """Submit in a new place; the arguments are strace's, for the engine or for the keeper's processes."""
        self.count += 1
        place = self.home / str(self.count)
        place.mkdir()
        (place / "j.sh").write_text(f"echo ran >> {place}/ran\n")
        (place / "x.dag").write_text("<serial>\njobsub file://j.sh\n</serial>\n")
        python = sys.executable
        if keeper:
            wrapper = place / "python"
            wrapper.write_text(WRAPPER.format(strace=" ".join(["strace", *keeper]), python=sys.executable))
            wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR)
            python = str(wrapper)
        command = [sys.executable, "-c", PROGRAM, str(place), python]
        subprocess.run(
            ["strace", *engine, *command] if engine else command,
            cwd=Path(__file__).parents[2],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        return place

    def engine_points(self) -> list[tuple[str, int]]:
        """The calls of the submitting process: which, and the how-manieth of its name."""
        log = self.home / "engine.log"
        until_over(self.run(engine=["-o", str(log), "-e", f"trace={CALLS}"], keeper=[]))
        seen: Counter[str] = Counter()
        points, begun = [], False
        for line in log.read_text().splitlines():
            if found := _CALL.match(line):
                seen[found[1]] += 1
                if begun:
                    points.append((found[1], seen[found[1]]))
                begun = begun or '"begin"' in line
        return points

    def keeper_points(self) -> list[tuple[str, int]]:
        """For each call of the keeper's processes, how many of its name the busiest of them makes."""
        log = self.home / "keeper.log"
        place = self.run(engine=[], keeper=["-ff", "-o", str(log), "-e", f"trace={CALLS}"])
        until_over(place)
        most: Counter[str] = Counter()
        for path in self.home.glob("keeper.log.*"):
            most |= Counter(found[1] for line in path.read_text().splitlines() if (found := _CALL.match(line)))
        return [(name, nth) for name, count in most.items() for nth in range(1, count + 1)]


def cut(name: str, nth: int) -> list[str]:
    return ["-o", "/dev/null", "-e", f"trace={name}", "-e", f"inject={name}:signal=KILL:when={nth}"]


def state_of(place: Path) -> S:
    answer = LocalEngine(root=place / "local", slots=1).status(["t"])
    assert isinstance(answer, Answered), answer
    return answer.dags["t"].state


def until_over(place: Path) -> S:
    return until(lambda: state_of(place), lambda state: state in (S.DONE, S.FAILED, S.LOST))


def asked_again(place: Path) -> tuple[str, S]:
    """What the engine knows after the cut, and how it ends when the daemon goes on as it must."""
    engine = LocalEngine(root=place / "local", slots=1)
    found = engine.find("t")
    if found == Absent():
        request = SubmitRequest(
            tag="t",
            number=1,
            expnum=938524,
            dag_path=place / "x.dag",
            workdir=place,
            env={"PATH": os.environ["PATH"]},
            output=place / "o",
        )
        assert isinstance(engine.submit(request), Accepted)
    else:
        assert isinstance(found, Found), found
    last = until_over(place)
    ran = (place / "ran").read_text() if (place / "ran").exists() else ""
    assert ran in ("", "ran\n"), f"{ran.count('ran')} runs"
    assert ran or last is not S.DONE, "done without a run"
    return type(found).__name__, last


@pytest.fixture
def strace() -> str:
    """The program that makes the cuts."""
    return needed("strace", "strace", "nothing else cuts at a system call")


@pytest.mark.slow
@pytest.mark.usefixtures("strace")
class TestCutAtEachCall:
    """Wherever it is killed, the job runs at most once; what did not run is absent (and runs when asked for
    again), lost or failed, and never done."""

    def test_the_submitting_process(self, tmp_path: Path) -> None:
        cutter = Cutter(tmp_path)
        points = cutter.engine_points()
        seen: Counter[tuple[str, S]] = Counter()
        for name, nth in points:
            seen[asked_again(cutter.run(engine=cut(name, nth), keeper=[]))] += 1
        assert seen["Absent", S.DONE] > 5 and seen["Found", S.DONE] > 0
        assert seen.total() == seen["Absent", S.DONE] + seen["Found", S.DONE], "the keeper was not cut"
        print(f"{len(points)} points: {dict(seen)}")

    def test_the_keeper(self, tmp_path: Path) -> None:
        cutter = Cutter(tmp_path)
        points = cutter.keeper_points()
        assert {name for name, _ in points} >= {"link", "unlink", "rename", "fsync", "chdir", "setsid"}
        seen: Counter[tuple[str, S]] = Counter()
        for name, nth in points:
            seen[asked_again(cutter.run(engine=[], keeper=["-f", *cut(name, nth)]))] += 1
        assert all(seen[outcome] for outcome in [("Absent", S.DONE), ("Found", S.LOST), ("Found", S.DONE)])
        print(f"{len(points)} points: {dict(seen)}")
