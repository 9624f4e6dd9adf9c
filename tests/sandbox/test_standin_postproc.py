"""The stand-ins for post-processing read, write and die as the real programs do."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Literal

import pytest

from desgw_daemon.sandbox.build import Sandbox
from desgw_daemon.sandbox.evidence import program_runs
from desgw_daemon.sandbox.scenario import Pace, Postproc
from desgw_daemon.sandbox.summary import summary

from . import byhand
from .conftest import EXPNUM
from .finished import FINISHED, OUT, list_file, ready, status, steps

Make = Callable[..., Sandbox]


class TestFromScratch:
    """A run from scratch does steps -1 to 7, and leaves the files that a later SKIPTO reads."""

    def test_whole_run(self, make_sandbox: Make) -> None:
        sandbox = ready(make_sandbox())
        run = byhand.postproc(sandbox)
        assert run.returncode == 0
        assert steps(run.stdout) == ["-1", "0", "1", "2", "3", "4", "5", "6", "7"]
        assert status(sandbox) == FINISHED
        out = sandbox.postprocessing / OUT
        names = {str(path.relative_to(out)) for path in out.rglob("*") if path.suffix != ".dat"}
        assert names >= {
            "masterlist/expniteband_df.csv",
            "masterlist/MasterExposureList_prelim.fits",
            "masterlist/MasterExposureList.fits",
            "checkoutputs/step0_expnums.txt",
            "checkoutputs/step0_a_blacklist.txt",
            "checkoutputs/goodchecked.list",
            "truthtable2206/truthplus.tab",
            "makedatafiles/datafiles_combined.fits",
            "mastertableinfo.npy",
        }
        assert len(list((out / "makedatafiles" / "LightCurvesReal").glob("*.dat"))) == 24
        written = out / "mastertableinfo.npy"
        assert written.stat().st_mtime_ns >= (out / "makedatafiles/datafiles_combined.fits").stat().st_mtime_ns
        assert (sandbox.postprocessing / "hostmatchstatus.txt").read_text() == "0"
        time = (sandbox.postprocessing / "seasonTime2206.txt").read_text()
        assert re.fullmatch(r"2206\n\d{8}_\d{4}", time)

    def test_what_it_was_given_is_logged(self, make_sandbox: Make) -> None:
        sandbox = ready(make_sandbox())
        byhand.postproc(sandbox)
        run = program_runs(sandbox.log)[-1]
        assert run.argv == ("--outputdir", "./outputs", "--season", "2206") and run.rc == 0
        assert run.env["SEASON"] == "2206"
        given = next(event for event in run.events if event["event"] == "ini")
        assert given["list"] == [EXPNUM] and "season = 2206\n" in given["text"]
        linked = next(event for event in run.events if event["event"] == "forcephoto")["linked"]
        assert linked == {str(EXPNUM): 59}

    @pytest.mark.parametrize("content", ["\n938524\n", "# night\n938524\n", "938524 i\n", ""])
    def test_one_bad_line_empties_the_list(self, make_sandbox: Make, content: str) -> None:
        sandbox = ready(make_sandbox())
        list_file(sandbox).write_text(content)
        run = byhand.postproc(sandbox)
        assert run.returncode == 1 and "Need an exposures.list file" in run.stdout
        assert steps(run.stdout)[-1] == "0"

    def test_missing_ccd_folder_kills_step_0(self, make_sandbox: Make) -> None:
        sandbox = ready(make_sandbox())
        folder = sandbox.pnfs / "exp" / "20200304" / str(EXPNUM) / "dp2206" / "i_60"
        folder.rename(folder.with_name("i_60_old"))
        run = byhand.postproc(sandbox)
        assert run.returncode == 1 and "ValueError" in run.stdout and steps(run.stdout) == ["-1", "0"]
        assert status(sandbox) == "1 \n" + "0 \n" * 8 + "incomplete"

    def test_blacklisted_exposure_kills_step_0(self, make_sandbox: Make) -> None:
        sandbox = ready(make_sandbox())
        (sandbox.postprocessing / "blacklist.txt").write_text(f"{EXPNUM}\n")
        run = byhand.postproc(sandbox)
        assert run.returncode == 1 and "blacklisted" in run.stdout and steps(run.stdout) == ["-1", "0"]

    def test_exposures_of_other_bands_are_dropped(self, make_sandbox: Make) -> None:
        sandbox = ready(make_sandbox())
        byhand.write_postproc(sandbox, [EXPNUM], "r,z")
        run = byhand.postproc(sandbox)
        assert run.returncode == 1 and "expniteband_df is empty" in run.stdout

    def test_exposures_of_an_unknown_program_are_dropped(self, make_sandbox: Make) -> None:
        sandbox = ready(make_sandbox(postproc=Postproc(drops=(EXPNUM,))))
        run = byhand.postproc(sandbox)
        assert run.returncode == 1 and "expniteband_df is empty" in run.stdout

    def test_bands_all_dies(self, make_sandbox: Make) -> None:
        sandbox = ready(make_sandbox())
        byhand.write_postproc(sandbox, [EXPNUM], "all")
        assert byhand.postproc(sandbox).returncode == 1

    def test_missing_steplist(self, make_sandbox: Make) -> None:
        sandbox = ready(make_sandbox())
        (sandbox.postprocessing / "steplist.txt").unlink()
        assert "steplist.txt" in byhand.postproc(sandbox).stdout

    def test_too_few_candidates(self, make_sandbox: Make) -> None:
        sandbox = ready(make_sandbox(postproc=Postproc(candidates=7)))
        run = byhand.postproc(sandbox)
        assert run.returncode == 1 and steps(run.stdout)[-1] == "5"

    def test_no_candidate_passes(self, make_sandbox: Make) -> None:
        sandbox = ready(make_sandbox(postproc=Postproc(none_passes=True)))
        run = byhand.postproc(sandbox)
        assert run.returncode == 0 and steps(run.stdout)[-1] == "6"
        assert status(sandbox) == "1 \n0 \n1 \n0 \n1 \n1 \n1 \n0 \n0 \nincomplete"

    def test_key_given_twice_dies_in_step_5_only(self, make_sandbox: Make) -> None:
        sandbox = ready(make_sandbox())
        ini = sandbox.postprocessing / "postproc_2206.ini"
        ini.write_text(ini.read_text().replace("ups = False", "ups = False\nups = False"))
        run = byhand.postproc(sandbox)
        assert run.returncode == 1 and "DuplicateOptionError" in run.stdout
        assert steps(run.stdout)[-1] == "5"

    @pytest.mark.parametrize(("unbuffered", "seen"), [("", False), ("1", True)])
    def test_output_is_buffered_unless_told(self, make_sandbox: Make, unbuffered: str, seen: bool) -> None:
        sandbox = ready(make_sandbox(pace=Pace(step=timedelta(milliseconds=120))))
        command = "source diffimg_setup.sh; exec python3 run_postproc.py --outputdir ./outputs --season 2206"
        environment = byhand.ENVIRONMENT | {"PYTHONUNBUFFERED": unbuffered}
        output, deadline = sandbox.root / "output", time.monotonic() + 30
        with (
            output.open("w") as stream,
            subprocess.Popen(
                ["bash", "-c", command], cwd=sandbox.postprocessing, env=environment, stdout=stream
            ) as process,
        ):
            while summary(sandbox.root).postproc_step != 1 and time.monotonic() < deadline:
                time.sleep(0.02)
            early = output.read_text()
            assert process.poll() is None
        assert ("Run STEP 0:" in early) == seen
        assert "Run STEP 7:" in output.read_text()

    @pytest.mark.parametrize("when", ["before", "middle", "after"])
    def test_death_to_order(self, make_sandbox: Make, when: Literal["before", "middle", "after"]) -> None:
        sandbox = ready(make_sandbox(postproc=Postproc(dies=(5, when))))
        run = byhand.postproc(sandbox)
        assert run.returncode == 1 and f"step 5 died ({when})" in run.stdout
        table = sandbox.postprocessing / OUT / "mastertableinfo.npy"
        assert table.exists() == (when == "after")
        # Entry 7 is written with the others after the step.
        assert status(sandbox) == "1 \n0 \n1 \n0 \n1 \n1 \n0 \n0 \n0 \nincomplete"

    def test_old_status_stays_when_it_dies_at_once(self, make_sandbox: Make) -> None:
        sandbox = ready(make_sandbox())
        byhand.postproc(sandbox)
        (sandbox.postprocessing / "postproc_2206.ini").rename(sandbox.postprocessing / "postproc_2207.ini")
        assert byhand.postproc(sandbox).returncode == 1
        assert status(sandbox) == FINISHED


class TestEnvironment:
    """A run without its set-up, or with another season's, is refused and complains in the log."""

    def test_without_set_up(self, make_sandbox: Make) -> None:
        sandbox = ready(make_sandbox())
        run = byhand.bash("python3 -S run_postproc.py --outputdir ./outputs --season 2206", sandbox.postprocessing)
        assert run.returncode == 1 and "No module named 'pandas'" in run.stdout

    def test_season_of_another_ini(self, make_sandbox: Make) -> None:
        sandbox = ready(make_sandbox())
        folder = sandbox.postprocessing
        other = (folder / "postproc_2206.ini").read_text().replace("season = 2206", "season = 2208")
        (folder / "postproc_2208.ini").write_text(other)
        run = byhand.postproc(sandbox)
        assert run.returncode == 1 and "SEASON is '2208', not '2206'" in run.stdout
        (complaint,) = [e for e in program_runs(sandbox.log)[-1].events if e["event"] == "error"]
        assert "2208" in complaint["text"]

    def test_second_ini_in_step_5(self, make_sandbox: Make) -> None:
        sandbox = ready(make_sandbox())
        folder = sandbox.postprocessing
        other = (folder / "postproc_2206.ini").read_text().replace("season = 2206", "season = 1000")
        (folder / "postproc_1000.ini").write_text(other)
        assert byhand.postproc(sandbox).returncode == 0
        (complaint,) = [e for e in program_runs(sandbox.log)[-1].events if e["event"] == "error"]
        assert "postproc_1000.ini" in complaint["text"]

    def test_set_up_links_a_new_season_only(self, make_sandbox: Make) -> None:
        sandbox = ready(make_sandbox())
        command = "source diffimg_setup.sh; echo $SEASON $ROOTDIR2 $TOPDIR_SNFORCEPHOTO_IMAGES"
        images = sandbox.postprocessing / "forcephoto" / "images" / "dp2206"
        words = byhand.bash(command, sandbox.postprocessing).stdout.split()[-3:]
        assert words == ["2206", str(sandbox.postprocessing), str(images)]
        assert len(list((images / "20200304").iterdir())) == 118
        later = sandbox.pnfs / "forcephoto" / "images" / "dp2206" / "20200305" / "938871"
        later.mkdir(parents=True)
        (later / "WS2206_938871_F_tile1_combined_z_01+fakeSN_diff.fits").write_text("force")
        byhand.bash(command, sandbox.postprocessing)
        assert not (images / "20200305").exists()
        byhand.bash("source diffimg_setup.sh; ./update_forcephoto_links.sh", sandbox.postprocessing)
        assert len(list((images / "20200305").iterdir())) == 2


class TestUpdateLinks:
    """update_forcephoto_links.sh: status 1 only for what is unset or a bad -n; a missing tree is status 0."""

    def run(self, sandbox: Sandbox, arguments: str, **more: str) -> int:
        known = {
            "SEASON": "2206",
            "ROOTDIR": str(sandbox.pnfs),
            "TOPDIR_SNFORCEPHOTO_IMAGES": str(sandbox.postprocessing / "links"),
        }
        (sandbox.postprocessing / "links").mkdir(exist_ok=True)
        environment = {name: value for name, value in (known | more).items() if value}
        command = f"./update_forcephoto_links.sh {arguments}"
        return byhand.bash(command, sandbox.postprocessing, **environment).returncode

    def test_exit_codes(self, make_sandbox: Make) -> None:
        sandbox = ready(make_sandbox())
        links = sandbox.postprocessing / "links"
        assert self.run(sandbox, "", SEASON="") == 1
        assert self.run(sandbox, "", ROOTDIR="") == 1
        assert self.run(sandbox, "", TOPDIR_SNFORCEPHOTO_IMAGES="") == 1
        assert self.run(sandbox, "-n march") == 1
        assert self.run(sandbox, "-n 20200401") == 0
        assert self.run(sandbox, "", SEASON="4711") == 0
        assert list(links.iterdir()) == []
        assert self.run(sandbox, "-n 20200304") == 0
        assert len(list((links / "20200304").iterdir())) == 118

    def test_empty_folder_leaves_a_link_named_by_the_pattern(self, make_sandbox: Make) -> None:
        sandbox = make_sandbox()
        (sandbox.pnfs / "forcephoto" / "images" / "dp2206" / "20200304" / "938524").mkdir(parents=True)
        assert self.run(sandbox, "") == 0
        names = {path.name for path in (sandbox.postprocessing / "links" / "20200304").iterdir()}
        assert names == {"*.fits", "*.psf"}
