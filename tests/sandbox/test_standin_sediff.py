"""The stand-in for SEdiff.sh copies back what the real one does, in its order."""

from __future__ import annotations

import shlex
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from desgw_daemon.sandbox import moves
from desgw_daemon.sandbox.build import Sandbox
from desgw_daemon.sandbox.evidence import program_runs, recount
from desgw_daemon.sandbox.moves import STEPS, Moves, fate, forcefiles

from . import byhand
from .conftest import EXPNUM

Make = Callable[..., Sandbox]
TARBALL = "outputs_dp2206_20200304_938524_i_05.tar.gz"
FORCE = "WS2206_938524_WS3345-380_tile1_combined_i_05+fakeSN_diff"
STAMPS = "stamps_20200304_WS3345-380_i_05"


def ccd_folder(sandbox: Sandbox) -> Path:
    return sandbox.pnfs / "exp" / "20200304" / str(EXPNUM) / "dp2206" / "i_05"


def forces(sandbox: Sandbox) -> Path:
    return sandbox.pnfs / "forcephoto" / "images" / "dp2206" / "20200304" / str(EXPNUM)


def run(sandbox: Sandbox) -> int:
    byhand.make(sandbox, EXPNUM)
    return byhand.sediff(sandbox, EXPNUM, 5).returncode


def start(sandbox: Sandbox, ccd: int) -> subprocess.Popen[bytes]:
    """Start a search job and do not wait for it."""
    words = f"./SEdiff.sh -r 4 -p 7 -E 938524 -b i -n 20200304 -C -c {ccd} -S dp2206"
    return subprocess.Popen(shlex.split(words), cwd=sandbox.workflow, env=byhand.ENVIRONMENT)


def left(sandbox: Sandbox) -> dict[str, int]:
    """Files that the job left, with their sizes."""
    places = [ccd_folder(sandbox), ccd_folder(sandbox) / STAMPS, forces(sandbox)]
    return {
        path.name: path.stat().st_size
        for place in places
        if place.is_dir()
        for path in place.iterdir()
        if path.is_file()
    }


class TestCopyBack:
    """Tarball, FAILs, forcephoto files, stamps: one after another."""

    def test_names_and_order(self, make_sandbox: Make) -> None:
        sandbox = make_sandbox(ccds={5: moves.FAILS_AT_28})
        assert run(sandbox) == 0
        fail = "RUN28_combined_prepForcePhoto.FAIL"
        paths = [
            ccd_folder(sandbox) / TARBALL,
            ccd_folder(sandbox) / fail,
            forces(sandbox) / f"{FORCE}.fits",
            forces(sandbox) / f"{FORCE}.psf",
            ccd_folder(sandbox) / STAMPS / f"{STAMPS}.tar.gz",
        ]
        times = [path.stat().st_mtime_ns for path in paths]
        assert times == sorted(times) and set(left(sandbox)) == {path.name for path in paths}

    def test_fail_ends_with_the_nodes_job_and_host(self, make_sandbox: Make) -> None:
        sandbox = make_sandbox(ccds={5: moves.fails_at(12)})
        byhand.make(sandbox, EXPNUM)
        words = "SEdiff.sh -r 4 -p 7 -E 938524 -b i -n 20200304 -C -c 5 -S dp2206"
        byhand.job(sandbox, words, JOBSUBJOBID="4711.5@schedd", JOBSUBPARENTJOBID="4711.0@schedd")
        text = (ccd_folder(sandbox) / "RUN12_combined_swarpSEARCH.FAIL").read_text()
        assert text.splitlines()[0].startswith("RUN12_combined_swarpSEARCH failed")
        assert text.splitlines()[-1].startswith("4711.5@schedd 4711.0@schedd ")

    def test_pauses_between_the_files(self, make_sandbox: Make) -> None:
        sandbox = make_sandbox(ccds={5: moves.fails_at(3, after_ms=400)})
        run(sandbox)
        tarball = (ccd_folder(sandbox) / TARBALL).stat().st_mtime
        fail = (ccd_folder(sandbox) / "RUN03_expose_mkWStemplate.FAIL").stat().st_mtime
        assert fail - tarball >= 0.35

    def test_late_file_shows_with_size_0(self, make_sandbox: Make) -> None:
        sandbox = make_sandbox(ccds={5: moves.LATE_TARBALL})
        byhand.make(sandbox, EXPNUM)
        tarball, sizes = ccd_folder(sandbox) / TARBALL, set()
        with start(sandbox, 5) as process:
            while process.poll() is None:
                if tarball.exists():
                    sizes.add(tarball.stat().st_size)
                time.sleep(0.005)
        assert 0 in sizes and tarball.stat().st_size > 0 and f"{FORCE}.psf" in left(sandbox)

    def test_two_writers_of_one_folder(self, make_sandbox: Make) -> None:
        sandbox = make_sandbox()
        jobs = [start(sandbox, ccd) for ccd in (5, 5, 6, 6, 7, 7)]
        assert [job.wait(timeout=30) for job in jobs] == [0] * 6
        assert len(list(forces(sandbox).iterdir())) == 6


class TestBadEnds:
    """Each bad habit of a job leaves what the real one leaves."""

    @pytest.mark.parametrize(
        ("script", "code", "names"),
        [
            (moves.SE_FAILS, 0, set()),
            (moves.SETUP_FAILS, 2, set()),
            (moves.NO_OVERLAPS, 0, {"NOOVERLAPS.FAIL"}),
            (moves.fails_at(1), 0, {TARBALL, "RUN01_expose_prepData.FAIL"}),
            (
                moves.COMPLETE_WITH_RUN_ALL,
                0,
                {TARBALL, "RUN_ALL.FAIL", f"{FORCE}.fits", f"{FORCE}.psf", f"{STAMPS}.tar.gz"},
            ),
            (moves.NO_PSF, 0, {TARBALL, f"{FORCE}.fits", f"{STAMPS}.tar.gz"}),
            (moves.NO_FITS, 0, {TARBALL, f"{FORCE}.psf", f"{STAMPS}.tar.gz"}),
            (moves.NO_FORCEFILES, 0, {TARBALL, f"{STAMPS}.tar.gz"}),
            (("tarball", "fits.fz", "psf"), 0, {TARBALL, f"{FORCE}.fits.fz", f"{FORCE}.psf"}),
        ],
    )
    def test_leaves(self, make_sandbox: Make, script: Moves, code: int, names: set[str]) -> None:
        sandbox = make_sandbox(ccds={5: script})
        assert run(sandbox) == code
        sizes = left(sandbox)
        assert set(sizes) == names and all(sizes.values())

    def test_run_all_says_none(self, make_sandbox: Make) -> None:
        sandbox = make_sandbox(ccds={5: moves.COMPLETE_WITH_RUN_ALL})
        run(sandbox)
        assert (ccd_folder(sandbox) / "RUN_ALL.FAIL").read_text().splitlines()[0] == "NONE"

    @pytest.mark.parametrize(("script", "empty"), [(moves.EMPTY_TARBALL, TARBALL), (moves.EMPTY_PSF, f"{FORCE}.psf")])
    def test_empty_for_good(self, make_sandbox: Make, script: Moves, empty: str) -> None:
        sandbox = make_sandbox(ccds={5: script})
        run(sandbox)
        assert [name for name, size in left(sandbox).items() if size == 0] == [empty]

    def test_never_ends_while_the_sandbox_is_there(self, make_sandbox: Make) -> None:
        sandbox = make_sandbox(ccds={5: moves.NEVER_ENDS})
        byhand.make(sandbox, EXPNUM)
        with start(sandbox, 5) as process:
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(timeout=0.5)
            (sandbox.root / ".sandbox" / "never").unlink()
            assert process.wait(timeout=10) == 1
        assert left(sandbox) == {}

    @pytest.mark.parametrize("wrong", ["-b VR", "-x 1", "-E"])
    def test_refuses_a_wrong_command_line(self, make_sandbox: Make, wrong: str) -> None:
        words = f"SEdiff.sh -r 4 -p 7 -E 938524 -b i -n 20200304 -C -c 5 -S dp2206 {wrong}"
        assert byhand.job(make_sandbox(), words).returncode == 1

    def test_template_needs_process(self, make_sandbox: Make) -> None:
        words = "SEdiff.sh -r 4 -p 7 -E 668439 -b i -n 20170817 -t -c 0 -S dp2206"
        sandbox = make_sandbox()
        assert byhand.job(sandbox, words).returncode == 1
        assert byhand.job(sandbox, words, PROCESS="60").returncode == 1
        assert byhand.job(sandbox, words, PROCESS="1").returncode == 0
        folder = sandbox.pnfs / "exp" / "20170817" / "668439"
        assert (folder / "D00668439_i_03_r4p7_immask.fits.fz").exists()


class TestFate:
    """What a script amounts to is what is on disk after it was run."""

    @pytest.mark.parametrize(
        ("script", "known"),
        [
            (moves.COMPLETE, "complete"),
            (moves.LATE_TARBALL, "complete"),
            (moves.COMPLETE_WITH_RUN_ALL, "complete"),
            (moves.NO_FORCEFILES, "complete"),
            (moves.EMPTY_PSF, "complete"),
            (moves.EMPTY_TARBALL, "broken"),
            (moves.SE_FAILS, "lost"),
            (moves.STRAY_FORCEFILES, "lost"),
            (moves.NO_OVERLAPS, "failed"),
            (moves.FAILS_AT_28, "failed"),
            (moves.fails_at(20, after_ms=50), "failed"),
        ],
    )
    def test_on_disk(self, make_sandbox: Make, script: Moves, known: str) -> None:
        sandbox = make_sandbox(ccds={5: script})
        run(sandbox)
        disk = recount(sandbox.pnfs, season=2206, nite="20200304", expnum=EXPNUM, band="i")
        assert fate(script) == known
        assert 5 in getattr(disk, known)
        assert {(5, kind) for kind in forcefiles(script)} == disk.found | disk.surplus
        assert len(disk.lost) == (59 if known == "lost" else 58)


class TestStepNames:
    """There are 28 steps, each with its own name."""

    def test_28(self) -> None:
        assert len(STEPS) == len(set(STEPS)) == 28


class TestLog:
    """Each job is logged with its command line, its process number and its end."""

    def test_entry(self, make_sandbox: Make) -> None:
        sandbox = make_sandbox(ccds={5: moves.SETUP_FAILS})
        run(sandbox)
        entry = program_runs(sandbox.log)[-1]
        assert (entry.who, entry.rc, entry.option("-c")) == ("SEdiff.sh", 2, "5")
        assert entry.env == {"PROCESS": "", "SEASON": "", "JOBSUBPARENTJOBID": ""}

    def test_quotes_in_arguments(self, make_sandbox: Make) -> None:
        sandbox = make_sandbox()
        byhand.job(sandbox, """dummyjob.sh 'a "b" \\ c' """)
        assert program_runs(sandbox.log)[-1].argv == ('a "b" \\ c',)
