"""The stand-in for run_postproc.py, started at a later step, needs what the real one needs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from desgw_daemon.sandbox.build import Sandbox
from desgw_daemon.sandbox.scenario import Postproc

from . import byhand
from .conftest import EXPNUM
from .finished import FINISHED, OUT, ready, status, steps

Make = Callable[..., Sandbox]


class TestSkipTo:
    """A start at SKIPTO n needs the files of the steps before it, and runs the steps of the table."""

    @pytest.mark.parametrize(
        ("skipto", "ran"),
        [
            (1, "1 2 3 4 5 6 7"),
            (2, "1 2 3 4 5 6 7"),
            (3, "1 3 4 5 6 7"),
            (4, "1 4 5 6 7"),
            (5, "1 5 6 7"),
        ],
    )
    def test_after_a_whole_run(self, make_sandbox: Make, skipto: int, ran: str) -> None:
        sandbox = ready(make_sandbox())
        byhand.postproc(sandbox)
        run = byhand.postproc(sandbox, f"--SKIPTO {skipto}")
        assert run.returncode == 0 and steps(run.stdout) == ["-1", *ran.split()]
        assert status(sandbox) == FINISHED

    @pytest.mark.parametrize("skipto", [6, 7])
    def test_6_and_7_always_die_at_step_7(self, make_sandbox: Make, skipto: int) -> None:
        sandbox = ready(make_sandbox())
        byhand.postproc(sandbox)
        run = byhand.postproc(sandbox, f"--SKIPTO {skipto}")
        assert run.returncode == 1 and steps(run.stdout) == ["-1", "1", "6", "7"]
        assert status(sandbox) == "1 \n0 \n1 \n0 \n1 \n1 \n0 \n0 \n0 \nincomplete"

    @pytest.mark.parametrize(
        ("skipto", "missing"),
        [
            (1, "outputs/masterlist/expniteband_df.csv"),
            (1, "outputs/masterlist/MasterExposureList_prelim.fits"),
            (2, "outputs/checkoutputs/step0_expnums.txt"),
            (2, "outputs/checkoutputs/step0_a_blacklist.txt"),
            (3, "forcephoto/output/dp2206"),
            (4, "hostmatchstatus.txt"),
            (5, "outputs/truthtable2206/truthplus.tab"),
            (6, "outputs/mastertableinfo.npy"),
            (6, "outputs/makedatafiles/datafiles_combined.fits"),
            (1, "tableSortTest.html"),
        ],
    )
    def test_dies_for_a_missing_input(self, make_sandbox: Make, skipto: int, missing: str) -> None:
        sandbox = ready(make_sandbox())
        byhand.postproc(sandbox)
        path = sandbox.postprocessing / missing
        path.rename(path.with_name("away"))
        assert byhand.postproc(sandbox, f"--SKIPTO {skipto}").returncode == 1

    def test_prelim_that_no_csv_reader_gets_through(self, make_sandbox: Make) -> None:
        sandbox = ready(make_sandbox(postproc=Postproc(prelim_readable=False)))
        assert byhand.postproc(sandbox).returncode == 0
        run = byhand.postproc(sandbox, "--SKIPTO 1")
        assert run.returncode == 1 and "Error tokenizing data. C error" in run.stdout

    def test_later_exposures_are_left_out(self, make_sandbox: Make) -> None:
        sandbox = ready(make_sandbox())
        byhand.postproc(sandbox)
        byhand.write_postproc(sandbox, [EXPNUM, 938525], "i")
        assert byhand.postproc(sandbox, "--SKIPTO 1").returncode == 0
        expnums = sandbox.postprocessing / OUT / "checkoutputs" / "step0_expnums.txt"
        assert expnums.read_text() == f"{EXPNUM}\n"
