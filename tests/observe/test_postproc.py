"""What post-processing shows of itself is read cheaply, and nothing of an earlier run is taken for this one's."""

from __future__ import annotations

import configparser
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desgw_daemon.observe.postproc import (
    STATUS_ENTRIES,
    IniSettings,
    ini_settings,
    read_status,
    read_steps,
)

START = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
INI = """\
[general]
season = 2206
outdir = ./outputs
exposures_listfile = a.list ;
#/somewhere/b.list
#exposures.list ; # another ; #if you have this
bands = i,z ; # all if using all bands
GoodSNIDs=""

[masterlist]
blacklist = blacklist.txt ; #if you have this
Filename_1 = MasterExposureList_prelim.fits

[truthtable]
plusname = truthplus.tab

[GWmakeDataFiles-real]
outDir_data = LightCurvesReal
combined_fits = datafiles_combined.fits ; packed
"""
TEMPLATE = Path(__file__).parents[3] / "shared" / "data" / "template_postproc.ini"
SETTINGS = IniSettings(
    outdir="./outputs",
    filename_1="MasterExposureList_prelim.fits",
    plusname="truthplus.tab",
    combined_fits="datafiles_combined.fits",
    light_curves="LightCurvesReal",
)


class TestIni:
    """An ini is read as Python 2 reads it: lower-cased keys, and a comment behind a blank and a semicolon."""

    def test_comments_and_keys(self) -> None:
        assert ini_settings(INI) == SETTINGS

    @pytest.mark.skipif(not TEMPLATE.exists(), reason="the real template is not beside this checkout")
    def test_the_real_template(self) -> None:
        assert ini_settings(TEMPLATE.read_text()) == SETTINGS

    def test_a_semicolon_in_a_value_stays(self) -> None:
        assert ini_settings("[general]\noutdir = a;b\n").outdir == "a;b"

    def test_a_key_that_stands_twice_counts_as_last_said(self) -> None:
        assert ini_settings("[general]\noutdir = a\noutdir = b\n").outdir == "b"

    @given(st.text(max_size=200))
    def test_no_text_raises_anything_else(self, text: str) -> None:
        try:
            ini_settings(text)
        except configparser.Error:
            return


class TestSteps:
    """The last `Run STEP n:` of an output is found without reading all of it."""

    def test_none_before_the_first(self, tmp_path: Path) -> None:
        output = tmp_path / "out"
        assert read_steps(output) is None
        output.write_text("setting up\nwill Run STEP 3: later\nRun STEP x:\n")
        assert read_steps(output) is None

    def test_the_highest(self, tmp_path: Path) -> None:
        output = tmp_path / "out"
        output.write_text("Run STEP 0: a\nRun STEP 1: b\n  Run STEP 4: c\nwork\n")
        assert read_steps(output) == 4

    @pytest.mark.parametrize("size", [1 << 10, 1 << 17, 1 << 23])
    def test_far_from_the_end(self, tmp_path: Path, size: int) -> None:
        output = tmp_path / "out"
        output.write_bytes(b"Run STEP 1: b\nRun STEP 5: c\n" + b"x" * 99 + b"\n" + b"candidate\n" * (size // 10))
        assert read_steps(output) == 5

    def test_a_long_output_costs_its_end(self, tmp_path: Path) -> None:
        output = tmp_path / "out"
        with output.open("wb") as file:
            file.truncate(1 << 33)
            file.seek(0, os.SEEK_END)
            file.write(b"\nRun STEP 5: c\n")
        begin = time.monotonic()
        assert read_steps(output) == 5
        assert time.monotonic() - begin < 5

    @given(st.binary(max_size=300))
    def test_any_bytes(self, data: bytes) -> None:
        path = Path(f"/proc/self/fd/{(fd := os.memfd_create('out'))}")
        try:
            os.write(fd, data)
            read_steps(path)
        finally:
            os.close(fd)


def write_status(folder: Path, text: str, *, after: timedelta = timedelta(minutes=5)) -> None:
    path = folder / "PostProcStatus2206.txt"
    path.write_text(text)
    moment = (START + after).timestamp()
    os.utime(path, (moment, moment))


class TestStatus:
    """PostProcStatus is believed when this run wrote it, and when it is whole."""

    def test_a_finished_run(self, tmp_path: Path) -> None:
        write_status(tmp_path, "1 \n0 \n1 \n0 \n1 \n1 \n1 \n0 \n1 \ncomplete")
        status = read_status(tmp_path, 2206, START)
        assert status is not None
        assert status.done == ("environment", "final list", "host match", "truth table", "data files", "web page")
        assert status.complete
        assert status.at == START + timedelta(minutes=5)

    def test_a_run_under_way(self, tmp_path: Path) -> None:
        write_status(tmp_path, "1 \n" + "0 \n" * 8 + "incomplete")
        status = read_status(tmp_path, 2206, START)
        assert status is not None
        assert (status.done, status.complete) == (("environment",), False)

    def test_the_file_of_an_earlier_run(self, tmp_path: Path) -> None:
        write_status(tmp_path, "1 \n" * 9 + "complete", after=timedelta(seconds=-1))
        assert read_status(tmp_path, 2206, START) is None

    def test_the_file_of_another_season(self, tmp_path: Path) -> None:
        write_status(tmp_path, "1 \n" * 9 + "complete")
        assert read_status(tmp_path, 2208, START) is None

    @pytest.mark.parametrize(
        "text", ["", "complete", "1 \n" * 9, "1 \n" * 8 + "complete", "2 \n" * 9 + "complete", "\0"]
    )
    def test_half_a_file(self, tmp_path: Path, text: str) -> None:
        write_status(tmp_path, text)
        assert read_status(tmp_path, 2206, START) is None

    def test_there_are_nine_entries_and_a_word(self) -> None:
        assert len(STATUS_ENTRIES) == 9
