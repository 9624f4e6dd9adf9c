"""The bad habits of the real run_postproc.py that the stand-in has, each as the facts tell it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from desgw_daemon.sandbox.build import Sandbox
from desgw_daemon.sandbox.evidence import ProgramRun, program_runs
from desgw_daemon.sandbox.scenario import Postproc

from . import byhand
from .conftest import EXPNUM
from .finished import FINISHED, OUT, ready, status, steps

Make = Callable[..., Sandbox]


def order(sandbox: Sandbox, **habits: Any) -> None:
    """Other habits, from now on."""
    path = sandbox.root / "scenario.json"
    plan = json.loads(path.read_text())
    plan["postproc"] |= habits
    path.write_text(json.dumps(plan))


def newest(sandbox: Sandbox) -> ProgramRun:
    return [run for run in program_runs(sandbox.log) if run.who == "run_postproc.py"][-1]


class TestKilled:
    """Killed, it says nothing more; in the middle of a step half of the file that it writes is there."""

    @pytest.mark.parametrize(
        ("step", "path"),
        [
            (0, f"{OUT}/checkoutputs/step0_expnums.txt"),
            (1, f"{OUT}/masterlist/MasterExposureList.fits"),
            (4, f"{OUT}/truthtable2206/truthplus.tab"),
        ],
    )
    def test_half_a_file(self, make_sandbox: Make, step: int, path: str) -> None:
        sandbox = ready(make_sandbox(postproc=Postproc(dies=(step, "middle"), how="kill")))
        run = byhand.postproc(sandbox)
        assert run.returncode == -signal.SIGKILL and newest(sandbox).rc is None
        half = (sandbox.postprocessing / path).stat().st_size
        order(sandbox, dies=None)
        assert byhand.postproc(sandbox).returncode == 0
        assert half == (sandbox.postprocessing / path).stat().st_size // 2

    def test_half_of_the_light_curves(self, make_sandbox: Make) -> None:
        sandbox = ready(make_sandbox(postproc=Postproc(dies=(5, "middle"), how="kill")))
        byhand.postproc(sandbox)
        out = sandbox.postprocessing / OUT
        assert len(list((out / "makedatafiles" / "LightCurvesReal").glob("*.dat"))) == 13
        assert not (out / "mastertableinfo.npy").exists()

    def test_dies_at_once_and_leaves_the_old_status(self, make_sandbox: Make) -> None:
        sandbox = ready(make_sandbox())
        byhand.postproc(sandbox)
        before = (sandbox.postprocessing / "PostProcStatus2206.txt").stat().st_mtime_ns
        order(sandbox, dies_at_once=True)
        run = byhand.postproc(sandbox)
        assert run.returncode == 1 and steps(run.stdout) == []
        assert status(sandbox) == FINISHED
        assert (sandbox.postprocessing / "PostProcStatus2206.txt").stat().st_mtime_ns == before


class TestStep0:
    """What step 0 says of exposures, later steps believe."""

    def test_goodchecked_hides_later_failures(self, make_sandbox: Make) -> None:
        sandbox = ready(make_sandbox())
        assert byhand.postproc(sandbox).returncode == 0
        good = sandbox.postprocessing / OUT / "checkoutputs" / "goodchecked.list"
        assert good.read_text() == f"{EXPNUM}\n"
        folder = sandbox.pnfs / "exp" / "20200304" / str(EXPNUM) / "dp2206" / "i_60"
        folder.rename(folder.with_name("i_60_old"))
        assert byhand.postproc(sandbox).returncode == 0
        good.unlink()
        run = byhand.postproc(sandbox)
        assert run.returncode == 1 and "ValueError" in run.stdout

    def test_an_exposure_without_its_folder_is_left_out(self, make_sandbox: Make) -> None:
        sandbox = ready(make_sandbox())
        folder = sandbox.pnfs / "exp" / "20200304" / str(EXPNUM) / "dp2206"
        folder.rename(folder.with_name("dp2206_old"))
        run = byhand.postproc(sandbox)
        assert run.returncode == 1 and steps(run.stdout)[-1] == "1"
        left_out = sandbox.postprocessing / OUT / "checkoutputs" / "step0_a_blacklist.txt"
        assert left_out.read_text() == f"{EXPNUM}\n"

    @pytest.mark.parametrize("text", ["", f"{EXPNUM}\n\n", f"{EXPNUM} i\n"])
    def test_a_list_of_step_0_that_is_not_whole(self, make_sandbox: Make, text: str) -> None:
        sandbox = ready(make_sandbox())
        byhand.postproc(sandbox)
        (sandbox.postprocessing / OUT / "checkoutputs" / "step0_expnums.txt").write_text(text)
        assert byhand.postproc(sandbox, "--SKIPTO 5").returncode == 1


class TestForcephoto:
    """Nobody looks at the exit code of forcePhoto."""

    @pytest.mark.parametrize("habit", ["busy", "fails"])
    def test_an_earlier_run_hides_it(self, make_sandbox: Make, habit: str) -> None:
        sandbox = ready(make_sandbox())
        byhand.postproc(sandbox)
        order(sandbox, forcephoto=habit)
        run = byhand.postproc(sandbox)
        assert run.returncode == 0 and status(sandbox) == FINISHED
        assert ("another one runs on this host" in run.stdout) == (habit == "busy")

    def test_a_failure_is_in_its_log_only(self, make_sandbox: Make) -> None:
        sandbox = ready(make_sandbox(postproc=Postproc(forcephoto="fails")))
        assert byhand.postproc(sandbox).returncode == 0
        (log,) = sandbox.postprocessing.glob("forcephoto/output/dp2206/*/*_FORCEPHOTO.LOG")
        assert log.read_text().endswith("exit code 1\n")
        (taken,) = [event for event in newest(sandbox).events if event["event"] == "inherits"]
        assert taken["expnums"] == []


class TestQuery:
    """Step 4 says 1 also when its query failed: no truth table, or that of an earlier run."""

    def test_none(self, make_sandbox: Make) -> None:
        sandbox = ready(make_sandbox(postproc=Postproc(query_fails=True)))
        assert byhand.postproc(sandbox).returncode == 0
        assert status(sandbox) == FINISHED
        folder = sandbox.postprocessing / OUT / "truthtable2206"
        assert (folder / "fakes_truth.tab").exists() and not (folder / "truthplus.tab").exists()

    def test_an_old_one(self, make_sandbox: Make) -> None:
        sandbox = ready(make_sandbox())
        byhand.postproc(sandbox)
        plus = sandbox.postprocessing / OUT / "truthtable2206" / "truthplus.tab"
        before = plus.stat().st_mtime_ns
        order(sandbox, query_fails=True)
        assert byhand.postproc(sandbox).returncode == 0
        assert plus.stat().st_mtime_ns == before

    def test_an_empty_one_kills_a_later_start(self, make_sandbox: Make) -> None:
        sandbox = ready(make_sandbox())
        byhand.postproc(sandbox)
        (sandbox.postprocessing / OUT / "truthtable2206" / "truthplus.tab").write_text("")
        run = byhand.postproc(sandbox, "--SKIPTO 5")
        assert run.returncode == 1 and "No columns to parse from file" in run.stdout


class TestLightCurves:
    """Step 5 waits for light curves without end; as many old ones as candidates make it not wait."""

    def test_waits(self, make_sandbox: Make) -> None:
        sandbox = ready(make_sandbox(postproc=Postproc(waits=True)))
        command = f"source diffimg_setup.sh; exec {sys.executable} run_postproc.py --outputdir ./outputs --season 2206"
        with subprocess.Popen(
            ["bash", "-c", command],
            cwd=sandbox.postprocessing,
            env=byhand.ENVIRONMENT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            wait_until(lambda: waiting(sandbox))
            assert not list((sandbox.postprocessing / OUT).glob("makedatafiles/*/*.dat"))
            os.kill(process.pid, signal.SIGTERM)
        assert process.returncode == -signal.SIGTERM

    def test_old_ones(self, make_sandbox: Make) -> None:
        sandbox = ready(make_sandbox())
        byhand.postproc(sandbox)
        order(sandbox, waits=True)
        assert byhand.postproc(sandbox).returncode == 0
        (counted,) = [event for event in newest(sandbox).events if event["event"] == "datafiles"]
        assert counted["old"] == 24

    @pytest.mark.parametrize("name", ["mastertableinfo.npy", "makedatafiles/datafiles_combined.fits"])
    def test_a_torn_file_kills_a_start_at_6(self, make_sandbox: Make, name: str) -> None:
        sandbox = ready(make_sandbox())
        byhand.postproc(sandbox)
        path = sandbox.postprocessing / OUT / name
        path.write_bytes(path.read_bytes()[:100])
        run = byhand.postproc(sandbox, "--SKIPTO 6")
        assert run.returncode == 1 and "7" not in steps(run.stdout)


def waiting(sandbox: Sandbox) -> bool:
    """Whether step 5 has counted the light curves that are there."""
    runs = [run for run in program_runs(sandbox.log) if run.who == "run_postproc.py"]
    return any(event["event"] == "datafiles" for run in runs for event in run.events)


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
