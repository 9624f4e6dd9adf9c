"""The ini of a run of post-processing is read as Python 2 reads it."""

from __future__ import annotations

import configparser
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desgw_daemon.observe.postproc import IniSettings, ini_settings

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


class TestCurvesFolder:
    """Light curves are looked for in a folder of their own below outdir, never in outdir itself nor beside it."""

    def test_below_outdir(self) -> None:
        assert ini_settings(INI).curves_folder == "outputs/makedatafiles/LightCurvesReal"

    @pytest.mark.parametrize("name", ["", ".", "..", "../masterlist", "/data", "a\x7fb"])
    def test_none(self, name: str) -> None:
        assert replace(SETTINGS, light_curves=name).curves_folder is None
