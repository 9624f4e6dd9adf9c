"""Short commands whose output is wanted."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path

from desgw_daemon.children import Finished, keeper, run_captured


def run(tmp_path: Path, script: str, seconds: float = 20) -> Finished:
    env = {"PATH": os.environ["PATH"]}
    return run_captured(["bash", "-c", script], cwd=tmp_path, env=env, timeout=timedelta(seconds=seconds))


class TestItsWordsAndItsEnd:
    """Both outputs, in order, with the exit code; what cannot start says why."""

    def test_output_and_code(self, tmp_path: Path) -> None:
        done = run(tmp_path, "echo one; echo two >&2; printf '\\xff'; pwd; exit 4")
        assert (done.rc, done.timed_out) == (4, False)
        assert done.text == f"one\ntwo\n\ufffd{tmp_path}\n"

    def test_signal(self, tmp_path: Path) -> None:
        assert run(tmp_path, "kill -KILL $$").rc == -9

    def test_missing_program(self, tmp_path: Path) -> None:
        done = run_captured(["./nothing"], cwd=tmp_path, env={}, timeout=timedelta(seconds=20))
        assert done.rc == 127 and "./nothing" in done.text and "No such file" in done.text


class TestItNeverWaitsForGrandchildren:
    """A grandchild that keeps the output open does not keep the caller; after a time-out nothing is left."""

    def test_grandchild_keeps_the_output(self, tmp_path: Path) -> None:
        before = time.monotonic()
        done = run(tmp_path, "sleep 30 & echo $!")
        assert done.rc == 0 and time.monotonic() - before < 15
        os.kill(int(done.text), 9)

    def test_time_out_ends_the_group(self, tmp_path: Path) -> None:
        done = run(tmp_path, "(trap '' TERM; echo $BASHPID; while :; do sleep 1; done) & wait", 0.5)
        assert done.timed_out and done.rc == -15
        deadline = time.monotonic() + 10
        while keeper.process(int(done.text)) is not None:
            assert time.monotonic() < deadline, "a process that ignores SIGTERM was left behind"
            time.sleep(0.01)
