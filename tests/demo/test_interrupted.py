"""A demo that is stopped in the middle ends everything it has started, and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from desgw_daemon.cli.demo import run_night
from desgw_daemon.cli.demo_processes import end_children
from desgw_daemon.errors import Refused
from desgw_daemon.sandbox.build import Sandbox, build
from desgw_daemon.sandbox.nights import small_scenario
from desgw_daemon.sandbox.scenario import Scenario
from tests.forms import LONG_FORM

from .nights import Heard, processes_in

PROGRAM = (sys.executable, "-m", "desgw_daemon")


def wait_for(what: Callable[[], object], within: float = 60.0) -> None:
    """Wait until it is true (seconds)."""
    deadline = time.monotonic() + within
    while not what():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.05)


def jobs_in(folder: Path) -> bool:
    """Whether a grid job runs there."""
    return any("SEdiff.sh" in words for words in processes_in(folder))


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A process that is not the demo's."""
    process = subprocess.Popen(["sleep", "600"])
    yield process
    process.kill()
    process.wait()


#: Each brings up a demo of its own.
ENDING = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP] if LONG_FORM else [signal.SIGINT]


@pytest.mark.slow
@pytest.mark.soak
class TestSignals:
    """Ctrl-C, a closed terminal and `kill` end the daemon, the DAGs and the jobs; the exit code is 130."""

    @pytest.mark.parametrize("number", ENDING)
    def test_nothing_is_left(self, tmp_path: Path, bystander: subprocess.Popen[bytes], number: signal.Signals) -> None:
        folder = tmp_path / "demo"
        with subprocess.Popen(
            [*PROGRAM, "demo", "--folder", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as demo:
            wait_for(lambda: jobs_in(folder))
            second = subprocess.run(
                [*PROGRAM, "demo", "--folder", str(folder)], capture_output=True, text=True, check=False
            )
            assert second.returncode == 1 and "another demo runs in" in second.stderr
            assert jobs_in(folder)
            demo.send_signal(number)
            demo.send_signal(number)
            output, _ = demo.communicate(timeout=60)
        assert demo.returncode == 130, output
        assert "stopped: the daemon and all that it had started are ended" in output
        assert "Traceback" not in output
        assert not processes_in(folder)
        assert bystander.poll() is None


def slow_jobs() -> Scenario:
    """One exposure, whose jobs take a minute."""
    small = small_scenario(1)
    return replace(small, pace=replace(small.pace, job=timedelta(minutes=1)))


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[Sandbox]:
    """A sandbox in which a daemon has submitted a DAG and then died."""
    sandbox = build(tmp_path / "busy", slow_jobs())
    command = [*PROGRAM, "--config", str(sandbox.config)]
    subprocess.run([*command, "queue", "add", "938524", "--season", "2206"], check=True, stdout=subprocess.DEVNULL)
    with subprocess.Popen([*command, "run"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as daemon:
        wait_for(lambda: jobs_in(sandbox.root))
        with pytest.raises(Refused, match=r"a daemon works in the sandbox .*busy: stop it first"):
            run_night(sandbox.root, slow_jobs(), show=Heard())
        daemon.kill()
    yield sandbox
    end_children(sandbox.state)


class TestLeftovers:
    """What a daemon of an earlier demo has started is ended before its sandbox is made anew."""

    def test_running_jobs_are_ended(self, busy: Sandbox) -> None:
        assert jobs_in(busy.root)
        assert end_children(busy.state) == 1
        assert not processes_in(busy.root)
        assert end_children(busy.state) == 0


class TestFolder:
    """Only a sandbox, or an empty folder, is made a sandbox."""

    def test_something_else_is_left_alone(self, tmp_path: Path) -> None:
        (tmp_path / "thesis.tex").write_text("years of work")
        with pytest.raises(Refused, match="is no sandbox of desgw-daemon: it is left alone"):
            run_night(tmp_path, small_scenario(1), show=Heard())
        assert (tmp_path / "thesis.tex").read_text() == "years of work"

    def test_a_file_is_left_alone(self, tmp_path: Path) -> None:
        (tmp_path / "notes").write_text("mine")
        with pytest.raises(Refused, match="is no sandbox"):
            run_night(tmp_path / "notes", small_scenario(1), show=Heard())
        assert (tmp_path / "notes").read_text() == "mine"

    def test_a_folder_that_cannot_be_made_is_one_line(self, tmp_path: Path) -> None:
        (tmp_path / "notes").write_text("mine")
        folder = tmp_path / "notes" / "demo"
        done = subprocess.run([*PROGRAM, "demo", "--folder", str(folder)], capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert done.stderr.startswith("desgw-daemon: ") and done.stderr.count("\n") == 1

    def test_a_sandbox_is_made_anew(self, tmp_path: Path) -> None:
        sandbox = build(tmp_path / "demo", small_scenario(1))
        (sandbox.root / "from the last demo").touch()
        program = (sys.executable, os.devnull)  # a program that says nothing and does nothing
        with pytest.raises(Refused, match="ended by itself"):
            run_night(sandbox.root, small_scenario(1), show=Heard(), program=program)
        assert not (sandbox.root / "from the last demo").exists()
        assert sandbox.config.exists()
