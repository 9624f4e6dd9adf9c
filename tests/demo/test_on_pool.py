"""The demo's night on a real HTCondor pool."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.condorpool import Pool

from .nights import processes_in
from .test_interrupted import wait_for

DEMO = (sys.executable, "-m", "desgw_daemon", "demo", "--engine", "htcondor")


def environment(pool: Pool) -> dict[str, str]:
    """The pool's commands first, and no configuration of our own."""
    return {name: value for name, value in pool.environment().items() if not name.startswith("DESGW_")}


def dags_of(pool: Pool, folder: Path) -> list[dict[str, Any]]:
    """The DAGs that were submitted from below this folder: the pool remembers those of other tests, too."""
    return [dag for dag in pool.dags() if Path(dag["Iwd"]).is_relative_to(folder)]


@pytest.mark.slow
@pytest.mark.soak
class TestOnPool:
    """A night that is stopped leaves nothing in the queue; the next has a new season, and goes well to its end.

    The whole night takes the machine three minutes: the short form ends after the first. Small whole nights on the pool
    are in tests/pool.
    """

    def test_stopped_and_whole(
        self, pool: Pool, pool_folder: Path, long_form: bool, counted: Callable[[str], None]
    ) -> None:
        with subprocess.Popen(
            DEMO,
            cwd=pool_folder,
            env=environment(pool),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as stopped:
            wait_for(lambda: len(dags_of(pool, pool_folder)) >= 2)
            stopped.send_signal(signal.SIGINT)
            output, _ = stopped.communicate(timeout=120)
        assert stopped.returncode == 130, output
        assert "stopped: the daemon and all that it had started are ended" in output
        assert pool.call("condor_q", "-allusers", "-af", "ClusterId") == ""
        assert not processes_in(pool_folder)
        before = len(dags_of(pool, pool_folder))
        if not long_form:
            counted("stopped in the middle; not a whole night")
            return

        done = subprocess.run(
            DEMO,
            cwd=pool_folder,
            env=environment(pool),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "each DAG submitted once: 649 search jobs, each ran once" in done.stdout
        assert "was killed with -9" in done.stdout and "The demo has FAILED" not in done.stdout
        tags = Counter(dag["DesgwTag"] for dag in dags_of(pool, pool_folder))
        assert sum(tags.values()) == before + 11 and set(tags.values()) == {1}, tags
        # The sandbox of the night that was stopped had the season 2206.
        assert sum(tag.startswith("dp2207_") for tag in tags) == 11, tags
        assert pool.call("condor_q", "-allusers", "-af", "ClusterId") == ""
        counted(f"stopped in the middle, and then whole: {sum(tags.values()) - before} DAGs, each once")


class TestNoPool:
    """Where HTCondor's commands are missing, one line says so, and nothing is made."""

    def test_is_refused(self, tmp_path: Path) -> None:
        env = {**os.environ, "PATH": "/usr/bin:/bin"}
        done = subprocess.run(DEMO, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert done.stderr.startswith("desgw-daemon: --engine htcondor needs HTCondor's commands")
        assert done.stderr.count("\n") == 1 and done.stdout == ""
        assert not list(tmp_path.iterdir())
