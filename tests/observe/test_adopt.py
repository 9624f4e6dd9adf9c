"""Exposures that are on /pnfs already are found by their folders, with one listing for each."""

from __future__ import annotations

from pathlib import Path

from desgw_daemon.observe.adopt import Found, FoundExposure, find_exposures, find_nites

from .tree import CCDS, Exposure


def find(root: Path, *nites: str, season: int = 2206) -> Found:
    return find_exposures(root, season, nites, calls_per_second=0)


class TestNites:
    """The nites that would be listed are counted with one listing."""

    def test_only_nites(self, tmp_path: Path) -> None:
        for name in ("20200305", "20200304", "20200230", "tmp", "20200306_old"):
            (tmp_path / "exp" / name).mkdir(parents=True)
        (tmp_path / "exp" / "20200307").write_text("a file")
        found = find_nites(tmp_path)
        assert (found.nites, found.problem) == (("20200304", "20200305"), None)

    def test_away(self, tmp_path: Path) -> None:
        found = find_nites(tmp_path)
        assert found.nites == ()
        assert found.problem == f"{tmp_path / 'exp'} cannot be listed: No such file or directory"


class TestExposures:
    """An exposure is found with the band and the CCDs of its folders in this season."""

    def test_of_the_season_only(self, tmp_path: Path) -> None:
        Exposure(tmp_path, 941226, band="r").make(CCDS[:3])
        Exposure(tmp_path, 941225).make()
        Exposure(tmp_path, 941227, season=2208).make(CCDS[:3])
        Exposure(tmp_path, 941228, nite="20200305").make(CCDS[:3])
        found = find(tmp_path, "20200304")
        assert found.exposures == (
            FoundExposure(nite="20200304", expnum=941225, band="i", ccds=CCDS),
            FoundExposure(nite="20200304", expnum=941226, band="r", ccds=CCDS[:3]),
        )
        assert found.problems == ()
        assert found.calls.listings == 1 + 3
        assert found.calls.stats == 0

    def test_one_number_in_two_nites(self, tmp_path: Path) -> None:
        for nite in ("20200304", "20200305"):
            Exposure(tmp_path, 941225, nite=nite).make(CCDS[:3])
        found = find(tmp_path, "20200304", "20200305")
        assert [(exposure.expnum, exposure.nite) for exposure in found.exposures] == [
            (941225, "20200304"),
            (941225, "20200305"),
        ]

    def test_look_alikes_do_not_count(self, tmp_path: Path) -> None:
        exposure = Exposure(tmp_path, 941225).make(CCDS[:2])
        (exposure.folder / "r_07_old").mkdir()
        (exposure.folder / "r_07").write_text("a file")
        (exposure.folder / "r_99").mkdir()
        (exposure.folder.parents[1] / "941226_old" / "dp2206" / "i_01").mkdir(parents=True)
        (exposure.folder.parents[1] / "941227").write_text("a file")
        (found,) = find(tmp_path, "20200304").exposures
        assert (found.expnum, found.band, found.ccds) == (941225, "i", CCDS[:2])


class TestProblems:
    """What cannot be adopted is named, and the others are found all the same."""

    def test_two_bands(self, tmp_path: Path) -> None:
        exposure = Exposure(tmp_path, 941225).make(CCDS[:2])
        (exposure.folder / "r_07").mkdir()
        Exposure(tmp_path, 941226).make(CCDS[:2])
        found = find(tmp_path, "20200304")
        assert [exposure.expnum for exposure in found.exposures] == [941226]
        assert found.problems == (
            f"941225 (nite 20200304) has CCD folders of the bands i, r in {exposure.folder}: not adopted",
        )

    def test_no_ccd_folder(self, tmp_path: Path) -> None:
        exposure = Exposure(tmp_path, 941225)
        exposure.folder.mkdir(parents=True)
        assert find(tmp_path, "20200304").problems == (
            f"941225 (nite 20200304) has no CCD folder in {exposure.folder}: not adopted",
        )

    def test_a_nite_that_is_not_there(self, tmp_path: Path) -> None:
        Exposure(tmp_path, 941225).make(CCDS[:2])
        found = find(tmp_path, "20200303", "20200304")
        assert len(found.exposures) == 1
        assert found.problems == (f"{tmp_path / 'exp' / '20200303'} cannot be listed: No such file or directory",)

    def test_a_file_in_the_place_of_the_season(self, tmp_path: Path) -> None:
        exposure = Exposure(tmp_path, 941225)
        exposure.folder.parent.mkdir(parents=True)
        exposure.folder.write_text("?")
        assert find(tmp_path, "20200304").problems == (f"{exposure.folder} cannot be listed: Not a directory",)
