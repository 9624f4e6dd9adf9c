"""The grammar of names, on names that the pipeline's programs give and on what looks like them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desgw_daemon.domain.decam import ALL_CCDS, BANDS, EXPECTED_CCDS, SEARCH_CCDS
from desgw_daemon.domain.names import (
    ExposureKey,
    ccd_of_folder,
    fail_step,
    first_fail,
    is_band,
    is_fail,
    is_nite,
    is_tarball,
    parse_forcefile,
)

KEY = ExposureKey(season=2206, nite="20200304", expnum=938524, band="i")
bands = st.sampled_from(BANDS)
ccds = st.sampled_from(ALL_CCDS)
expnums = st.integers(182809, 9_999_999)
#: What may stand around a name: anything that makes it another name.
junk = st.text(min_size=1, max_size=5)


class TestSearchCcds:
    """A search exposure has 59 CCDs: all but 2, 31 and 61."""

    def test_numbers(self) -> None:
        assert EXPECTED_CCDS == len(SEARCH_CCDS) == 59
        assert set(ALL_CCDS) - set(SEARCH_CCDS) == {2, 31, 61}


class TestPlaces:
    """An exposure's folders and tarballs are where the jobs put them."""

    def test_paths(self) -> None:
        assert KEY.ccd_folder(5) == "exp/20200304/938524/dp2206/i_05"
        assert KEY.forcephoto_folder() == "forcephoto/images/dp2206/20200304/938524"
        assert KEY.tarball(5) == "outputs_dp2206_20200304_938524_i_05.tar.gz"

    @given(bands, ccds)
    def test_every_name_that_is_made_is_understood(self, band: str, ccd: int) -> None:
        key = ExposureKey(season=2206, nite="20200304", expnum=938524, band=band)
        assert is_tarball(key.tarball(ccd))
        assert ccd_of_folder(key.ccd_folder(ccd).rpartition("/")[2], band) == ccd


class TestCcdFolders:
    """A CCD folder is BAND_CC of this band, whole; what looks like one is none."""

    @pytest.mark.parametrize(
        "name",
        [
            "r_07",
            "i_7",
            "i_07_old",
            "xi_07",
            "i_007",
            "i_00",
            "i_63",
            "i_99",
            "I_07",
            "i-07",
            "i_07\n",
            " i_07",
            "i_٠٧",
            "",
        ],
    )
    def test_look_alikes(self, name: str) -> None:
        assert ccd_of_folder(name, "i") is None

    @given(ccds, junk)
    def test_nothing_around_it(self, ccd: int, around: str) -> None:
        assert ccd_of_folder(f"i_{ccd:02d}{around}", "i") is None
        assert ccd_of_folder(f"{around}i_{ccd:02d}", "i") is None


class TestTarballs:
    """A tarball is of this exposure only if its whole name says so."""

    @pytest.mark.parametrize(
        "name",
        [
            "outputs_dp2207_20200304_938524_i_05.tar.gz",  # another season
            "outputs_dp2206_20200305_938524_i_05.tar.gz",  # another nite
            "outputs_dp2206_20200304_938525_i_05.tar.gz",  # another exposure
            "outputs_dp2206_20200304_938524_r_05.tar.gz",  # another band
            "outputs_dp2206_20200304_938524_i_06.tar.gz",  # another CCD
        ],
    )
    def test_other_exposures(self, name: str) -> None:
        assert is_tarball(name)
        assert name != KEY.tarball(5)

    @pytest.mark.parametrize("end", [".part", "\n", ".tar.gz", "~", ".gz"])
    def test_look_alikes(self, end: str) -> None:
        assert not is_tarball(KEY.tarball(5) + end)


class TestFails:
    """RUNkk_name.FAIL and NOOVERLAPS.FAIL are signs of failure; RUN_ALL.FAIL and look-alikes are none."""

    @pytest.mark.parametrize(
        ("name", "step"),
        [
            ("RUN01_expose_prepData.FAIL", 1),
            ("RUN11_combined+expose_doFake.FAIL", 11),
            ("RUN28_combined+expose_forcePhoto.FAIL", 28),
            ("RUN29_of_a_later_pipeline.FAIL", 29),
        ],
    )
    def test_steps(self, name: str, step: int) -> None:
        assert is_fail(name)
        assert fail_step(name) == step

    def test_no_overlaps_has_no_step(self) -> None:
        assert is_fail("NOOVERLAPS.FAIL")
        assert fail_step("NOOVERLAPS.FAIL") is None

    @pytest.mark.parametrize(
        "name",
        [
            "RUN_ALL.FAIL",
            "RUN00_nothing.FAIL",
            "RUN05_x.FAIL.old",
            "RUN05_x.FAIL\n",
            "RUN05_x.LOG",
            "xRUN05_x.FAIL",
            "RUN5_x.FAIL",
            "RUN05.FAIL",
            "NOOVERLAPS.FAIL.bak",
            "nooverlaps.FAIL",
            "RUN٠5_x.FAIL",
        ],
    )
    def test_look_alikes(self, name: str) -> None:
        assert not is_fail(name)

    def test_lowest_step_of_several(self) -> None:
        names = ("RUN18_b.FAIL", "NOOVERLAPS.FAIL", "RUN07_a.FAIL", "RUN_ALL.FAIL")
        assert first_fail(names) == "RUN07_a.FAIL"
        assert first_fail(("NOOVERLAPS.FAIL", "RUN_ALL.FAIL")) == "NOOVERLAPS.FAIL"
        assert first_fail(("RUN_ALL.FAIL",)) is None


class TestForcefiles:
    """A forcefile names its exposure, band and CCD, each delimited, and ends with .fits or .psf, perhaps with .fz."""

    @pytest.mark.parametrize(
        ("name", "kind"),
        [
            ("WS2206_938524_WS3345-380_tile1_combined_i_05+fakeSN_diff.fits", "fits"),
            ("WS2206_938524_WS3345-380_tile1_combined_i_05+fakeSN_diff.psf", "psf"),
            ("WS2206_938524_WS3345-380_tile1_combined_i_05+fakeSN_diff.fits.fz", "fits"),
            ("SNp1_938524_FIELD_tile1_i_05+fakeSN_diff.fits", "fits"),
            ("SNp1_938524_hawaii_05_tile1_i_05_diff.fits", "fits"),
        ],
    )
    def test_real_names(self, name: str, kind: str) -> None:
        found = parse_forcefile(name, 938524)
        assert found is not None
        assert (found.band, found.ccd, found.kind) == ("i", 5, kind)

    @pytest.mark.parametrize(
        "name",
        [
            "WS2206_938524_taxi_05b_diff.fits",  # inside a word
            "WS2206_938524_tile1_i_052+fakeSN_diff.fits",
            "WS2206_938524_tile1i_05+fakeSN_diff.fits",
            "WS2206_938524_tile1_i_63+fakeSN_diff.fits",
            "WS2206_938524_tile1_i_05+fakeSN_diff.fits.part",
            "WS2206_938524_tile1_i_05+fakeSN_diff.fits\n",
            "WS2206_938524_tile1_i_05+fakeSN_diff.cat",
            "WS2206_1938524_tile1_i_05+fakeSN_diff.fits",  # another exposure
            "WS2206_93852_tile1_i_05+fakeSN_diff.fits",
            "i_05.fits",
        ],
    )
    def test_look_alikes(self, name: str) -> None:
        assert parse_forcefile(name, 938524) is None

    def test_the_last_ccd_in_the_name_counts(self) -> None:
        found = parse_forcefile("WS2206_938524_X_g_12_tile1_combined_i_05+fakeSN_diff.psf", 938524)
        assert found is not None
        assert (found.band, found.ccd) == ("i", 5)

    @given(bands, ccds, expnums, st.sampled_from(["fits", "psf"]), st.sampled_from(["", ".fz"]))
    def test_any_exposure(self, band: str, ccd: int, expnum: int, kind: str, more: str) -> None:
        name = f"WS2206_{expnum}_WS3345-380_tile1_combined_{band}_{ccd:02d}+fakeSN_diff.{kind}{more}"
        found = parse_forcefile(name, expnum)
        assert found is not None
        assert (found.band, found.ccd, found.kind) == (band, ccd, kind)
        assert parse_forcefile(name, expnum + 1) is None

    @given(st.text())
    def test_anything_else_is_none_or_a_ccd(self, name: str) -> None:
        found = parse_forcefile(name, 938524)
        assert found is None or (found.ccd in ALL_CCDS and found.band in BANDS)


class TestNites:
    """A nite is a day of the calendar, written YYYYMMDD."""

    @pytest.mark.parametrize("nite", ["20200304", "20240229", "19991231"])
    def test_days(self, nite: str) -> None:
        assert is_nite(nite)

    @pytest.mark.parametrize(
        "nite", ["20230229", "20201301", "2020034", "202003041", "20200304\n", "00000000", "٢٠٢٠٠٣٠٤", ""]
    )
    def test_no_days(self, nite: str) -> None:
        assert not is_nite(nite)


class TestBands:
    """SEdiff takes u g r i z Y; VR is in the exposure database and is refused."""

    def test_bands(self) -> None:
        assert [band for band in ("u", "g", "r", "i", "z", "Y", "VR", "y", "", "gr") if is_band(band)] == list(BANDS)
