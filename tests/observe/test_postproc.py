"""What post-processing shows of itself is read cheaply, and nothing of an earlier run is taken for this one's."""

from __future__ import annotations

import configparser
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desgw_daemon.observe.postproc import IniSettings, ini_settings, read_evidence

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
combined_fits = datafiles_combined.fits ; packed
"""
TEMPLATE = Path(__file__).parents[3] / "shared" / "data" / "template_postproc.ini"
SETTINGS = IniSettings(
    outdir="./outputs",
    filename_1="MasterExposureList_prelim.fits",
    plusname="truthplus.tab",
    combined_fits="datafiles_combined.fits",
)


class TestIni:
    """An ini is read as Python 2 reads it: lower-cased keys, and a comment behind a blank and a semicolon."""

    def test_comments_and_keys(self) -> None:
        assert ini_settings(INI) == SETTINGS

    @pytest.mark.skipif(not TEMPLATE.exists(), reason="the real template is not beside this checkout")
    def test_the_real_template(self) -> None:
        assert ini_settings(TEMPLATE.read_text()) == replace(SETTINGS, goodfile="goodchecked.list")

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


class TestEvidence:
    """The files of the SKIPTO table are found where the newest run's ini says, with sizes and times."""

    def make(self, folder: Path) -> None:
        out = folder / "outputs"
        for name in ("masterlist", "checkoutputs", "truthtable2206", "makedatafiles"):
            (out / name).mkdir(parents=True)
        for path in (
            out / "masterlist" / "expniteband_df.csv",
            out / "masterlist" / "MasterExposureList_prelim.fits",
            out / "checkoutputs" / "step0_a_blacklist.txt",
            out / "truthtable2206" / "truthplus.tab",
            out / "mastertableinfo.npy",
            out / "makedatafiles" / "datafiles_combined.fits",
            folder / "hostmatchstatus.txt",
        ):
            path.write_text("x")
        (out / "checkoutputs" / "step0_expnums.txt").write_text("941225\n941226\n1041227\n")

    def run_folder(self, folder: Path, text: str) -> str:
        folder.mkdir()
        (folder / "postproc_2206.ini").write_text(text)
        return str(folder)

    def test_all(self, tmp_path: Path) -> None:
        self.make(tmp_path)
        files = read_evidence(tmp_path, [self.run_folder(tmp_path / "run1", INI)], 2206)
        assert set(files) == {
            *("expniteband_df", "filename_1", "step0_expnums", "step0_blacklist"),
            *("hostmatchstatus", "truthplus", "mastertableinfo", "combined_fits"),
        }
        assert files["step0_expnums"].expnums == (941225, 941226, 1041227)
        assert files["truthplus"].size == 1
        assert files["truthplus"].mtime == (tmp_path / "outputs/truthtable2206/truthplus.tab").stat().st_mtime

    def test_what_is_missing_or_no_file_is_left_out(self, tmp_path: Path) -> None:
        self.make(tmp_path)
        (tmp_path / "outputs" / "mastertableinfo.npy").unlink()
        (tmp_path / "outputs" / "truthtable2206" / "truthplus.tab").unlink()
        (tmp_path / "outputs" / "truthtable2206" / "truthplus.tab").mkdir()
        without_name = INI.replace("combined_fits = datafiles_combined.fits ; packed", "")
        files = read_evidence(tmp_path, [self.run_folder(tmp_path / "run1", without_name)], 2206)
        assert not {"mastertableinfo", "truthplus", "combined_fits"} & set(files)
        assert "filename_1" in files

    def test_the_newest_ini_counts(self, tmp_path: Path) -> None:
        self.make(tmp_path)
        runs = [
            self.run_folder(tmp_path / "run1", INI),
            self.run_folder(tmp_path / "run2", INI.replace("./outputs", "./elsewhere")),
        ]
        assert set(read_evidence(tmp_path, runs, 2206)) == {"hostmatchstatus"}

    @pytest.mark.parametrize("text", ["no ini\n", "[general\n", "\0"])
    def test_a_broken_ini_is_no_evidence(self, tmp_path: Path, text: str) -> None:
        self.make(tmp_path)
        assert read_evidence(tmp_path, [self.run_folder(tmp_path / "run1", text)], 2206) == {}

    def test_no_run(self, tmp_path: Path) -> None:
        self.make(tmp_path)
        assert read_evidence(tmp_path, [str(tmp_path / "gone")], 2206) == {}
