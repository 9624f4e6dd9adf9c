"""The stand-in for DAGMaker.sh has the real one's habits."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from desgw_daemon.sandbox.build import Sandbox
from desgw_daemon.sandbox.evidence import program_runs, read_dag, recount
from desgw_daemon.sandbox.moves import SE_FAILS, fails_at
from desgw_daemon.sandbox.scenario import SEARCH_CCDS, Template

from . import byhand
from .conftest import EXPNUM

Make = Callable[..., Sandbox]
SEARCH = re.compile(
    r"jobsub -n .* file://SEdiff\.sh -r 4 -p 7 -E 938524 -v gw8 -b i -n 20200304 -d persistent -m gw -C"
    r" -c (\d+) -S dp2206"
)


def done(sandbox: Sandbox) -> Path:
    return sandbox.workflow / f"mytemp_{EXPNUM}" / "DAGMaker.DONE"


class TestGoodRun:
    """A good run leaves DONE, a DAG of 59 search lines and RUNMON, and the folders on /pnfs."""

    def test_dag(self, make_sandbox: Make) -> None:
        sandbox = make_sandbox()
        run = byhand.make(sandbox, EXPNUM)
        assert run.returncode == 0
        lines = byhand.dag_text(sandbox, EXPNUM).splitlines()
        assert [line for line in lines if line.startswith("<")] == [
            *("<parallel>", "</parallel>", "<parallel>", "</parallel>", "<serial>", "</serial>")
        ]
        assert lines[1].endswith(" file://dummyjob.sh")
        found = [match for line in lines if (match := SEARCH.fullmatch(line))]
        assert [int(match[1]) for match in found] == list(SEARCH_CCDS)
        assert len(SEARCH_CCDS) == 59 and not {2, 31, 61} & set(SEARCH_CCDS)
        assert lines[-2].endswith(
            " file://RUNMON.sh -r r4p7 -p dp2206 -E 938524 -n 20200304 -f WS3345-380 -d persistent -m gw"
        )

    def test_done_holds_the_submit_command(self, make_sandbox: Make) -> None:
        sandbox = make_sandbox()
        output = byhand.make(sandbox, EXPNUM).stdout
        assert done(sandbox).read_text() == (
            "jobsub_submit_dag -G des --role=desgw --need-storage-modify /des/persistent/gw/exp"
            " --need-storage-modify /des/persistent/gw/forcephoto file://desgw_pipeline_938524.dag\n"
        )
        assert output.endswith(done(sandbox).read_text())

    def test_folders_on_pnfs(self, make_sandbox: Make) -> None:
        sandbox = make_sandbox()
        byhand.make(sandbox, EXPNUM)
        exp = sandbox.pnfs / "exp" / "20200304" / str(EXPNUM)
        assert {path.name for path in exp.iterdir()} == {
            *("dp2206", "input_files", "938524_run_inputs.tar.gz", "WS_diff.list")
        }
        ccds = sorted(path.name for path in (exp / "dp2206").iterdir())
        assert ccds == [f"i_{ccd:02d}" for ccd in SEARCH_CCDS]
        assert {path.name for path in (exp / "dp2206" / "i_05").iterdir()} == {
            *("ingest", "stamps_20200304_WS3345-380_i_05")
        }

    def test_a_folder_that_is_not_made(self, make_sandbox: Make) -> None:
        sandbox = make_sandbox(unmade=(5, 62), ccds={5: SE_FAILS})
        byhand.make(sandbox, EXPNUM)
        disk = recount(sandbox.pnfs, season=2206, nite="20200304", expnum=EXPNUM, band="i")
        assert sorted(disk.missing) == [5, 62]
        for ccd in (5, 62):
            byhand.sediff(sandbox, EXPNUM, ccd)
        # The copy-back makes a folder, if there is anything to copy.
        disk = recount(sandbox.pnfs, season=2206, nite="20200304", expnum=EXPNUM, band="i")
        assert sorted(disk.missing) == [5] and sorted(disk.complete) == [62]

    def test_an_old_mytemp_is_deleted(self, make_sandbox: Make) -> None:
        sandbox = make_sandbox()
        old = sandbox.workflow / "mytemp_938524" / "of_last_week"
        old.parent.mkdir()
        old.touch()
        byhand.make(sandbox, EXPNUM)
        assert not old.exists() and done(sandbox).exists()

    def test_band_lists_are_made_where_missing_only(self, make_sandbox: Make) -> None:
        sandbox = make_sandbox()
        (sandbox.workflow / "exposures_i.list").unlink()
        (sandbox.workflow / "exposures_g.list").write_text("stale\n")
        byhand.make(sandbox, EXPNUM)
        assert f" {EXPNUM} " in (sandbox.workflow / "exposures_i.list").read_text()
        assert (sandbox.workflow / "exposures_g.list").read_text() == "stale\n"

    def test_it_is_logged(self, make_sandbox: Make) -> None:
        sandbox = make_sandbox()
        byhand.make(sandbox, EXPNUM)
        (run,) = program_runs(sandbox.log)
        assert (run.who, run.argv, run.rc) == ("DAGMaker.sh", ("938524",), 0)
        assert run.end is not None and run.end - run.start >= 0.05


class TestTemplates:
    """A template that still needs SE processing gets one line with -N 60, -t and -c 0; a done one none."""

    def test_line_then_none(self, make_sandbox: Make) -> None:
        sandbox = make_sandbox(templates=(Template(expnum=668439, nite="20170817", band="i"),))
        byhand.make(sandbox, EXPNUM)
        (line,) = [ln for ln in byhand.dag_text(sandbox, EXPNUM).splitlines() if "-E 668439 " in ln]
        before, _, arguments = line.partition("file://")
        assert " -N 60 " in before
        assert arguments == (
            "SEdiff.sh -r 4 -p 7 -E 668439 -v gw8 -b i -n 20170817 -d persistent -m gw -c 0 -C -t -S dp2206"
        )
        byhand.run_dag(sandbox, EXPNUM)
        folder = sandbox.pnfs / "exp" / "20170817" / "668439"
        assert len(list(folder.glob("D00668439_i_*_r4p7_immask.fits.fz"))) == 60
        assert (folder / "D00668439_i_31_r4p7_immask.fits.fz").exists()
        assert (folder / "D00668439_62_r4p7_ZP.csv").exists() and (folder / "668439.out").exists()
        output = byhand.make(sandbox, EXPNUM).stdout
        assert "-E 668439 " not in byhand.dag_text(sandbox, EXPNUM)
        assert "SE proc. already complete for exposure 668439" in output


class TestBadEnds:
    """DAGMaker.DONE and exit 0 follow nearly anything; only the output and the DAG tell."""

    @pytest.mark.parametrize(
        ("habits", "words", "search_lines", "serial"),
        [
            ({"making": "no-templates"}, "NO TEMPLATE IMAGES, DIFFIMG WILL FAIL", 59, False),
            ({"making": "few-lines"}, "", 47, True),
            ({"making": "copy-error"}, "Error copying 938524_run_inputs.tar.gz", 59, True),
            ({"known": False}, "Error with setting band", 0, False),
            ({"exptime": 20.0}, "image failed quality test", 0, True),
            ({"making": "no-nite"}, "image failed quality test", 0, True),
            ({"blacklisted": True}, "image failed quality test", 0, True),
        ],
    )
    def test_done_all_the_same(
        self, make_sandbox: Make, habits: dict[str, object], words: str, search_lines: int, serial: bool
    ) -> None:
        sandbox = make_sandbox(**habits)
        run = byhand.make(sandbox, EXPNUM)
        assert run.returncode == 0 and done(sandbox).exists()
        assert words in run.stdout
        dag = read_dag(sandbox.workflow / "desgw_pipeline_938524.dag", expnum=EXPNUM, nite="20200304", season=2206)
        assert dag is not None
        assert (len(dag.searched), dag.serial) == (search_lines, serial)

    @pytest.mark.parametrize(
        ("making", "code", "words"),
        [("crash", 3, "cannot open"), ("killed", -9, "band i"), ("no-pgpass", 2, "missing file ~/.pgpass")],
    )
    def test_no_done(self, make_sandbox: Make, making: str, code: int, words: str) -> None:
        sandbox = make_sandbox(making=making)
        run = byhand.make(sandbox, EXPNUM)
        assert run.returncode == code and words in run.stdout
        assert not done(sandbox).exists()

    def test_without_its_set_up(self, make_sandbox: Make) -> None:
        sandbox = make_sandbox()
        run = byhand.bash("./DAGMaker.sh 938524", sandbox.workflow)
        assert run.returncode == 1 and "source setup_img_proc.sh" in run.stdout

    def test_set_up_that_fails(self, make_sandbox: Make) -> None:
        sandbox = make_sandbox(setup_fails=True)
        run = byhand.make(sandbox, EXPNUM)
        assert run.returncode != 0 and "does not answer" in run.stdout
        assert not sandbox.log.exists()

    def test_missing_secret_of_the_home_folder(self, make_sandbox: Make) -> None:
        sandbox = make_sandbox()
        (sandbox.root / "home" / ".desservices.ini").unlink()
        assert byhand.make(sandbox, EXPNUM).returncode == 2

    def test_hang_until_terminated(self, make_sandbox: Make) -> None:
        sandbox = make_sandbox(making="hang")
        command = ["bash", "-c", "source setup_img_proc.sh && exec ./DAGMaker.sh 938524"]
        with subprocess.Popen(
            command, cwd=sandbox.workflow, env=byhand.ENVIRONMENT, stdout=subprocess.DEVNULL
        ) as process:
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(timeout=0.5)
            process.terminate()
            assert process.wait(timeout=10) == 143
        (run,) = program_runs(sandbox.log)
        assert run.rc == 143


class TestRerun:
    """A rerun deletes the inputs under the feet of jobs that still need them, and keeps old signs."""

    def test_old_fail_stays(self, make_sandbox: Make) -> None:
        sandbox = make_sandbox()
        byhand.make(sandbox, EXPNUM)
        exp = sandbox.pnfs / "exp" / "20200304" / str(EXPNUM)
        fail = exp / "dp2206" / "i_05" / "RUN05_expose_makeWeight.FAIL"
        fail.write_text("old\n")
        (exp / "input_files" / "by_hand").touch()
        byhand.make(sandbox, EXPNUM)
        assert fail.exists() and not (exp / "input_files" / "by_hand").exists()


class TestCost:
    """A search job starts no program but to make folders: hundreds of them run on two cores."""

    def test_no_program_in_reach(self, make_sandbox: Make) -> None:
        sandbox = make_sandbox(ccds={4: fails_at(9, after_ms=10)})
        byhand.make(sandbox, EXPNUM)
        byhand.sediff(sandbox, EXPNUM, 1)
        for ccd in (3, 4, 5):
            words = f"SEdiff.sh -r 4 -p 7 -E 938524 -b i -n 20200304 -C -c {ccd} -S dp2206"
            assert byhand.job(sandbox, words, PATH="/nonexistent").stdout == ""
        disk = recount(sandbox.pnfs, season=2206, nite="20200304", expnum=EXPNUM, band="i")
        assert sorted(disk.complete) == [1, 3, 5] and sorted(disk.failed) == [4]
