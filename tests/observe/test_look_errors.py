"""What the mount refuses is unseen, in its own words; what is away as a whole is never called absent."""

from __future__ import annotations

from pathlib import Path

import pytest

from desgw_daemon.domain.facts import CcdSeen, Look, Unseen

from .traced import disturbed
from .tree import CCDS, Exposure, look, only, request


def only_ccd(seen: Look) -> CcdSeen:
    (ccd,) = only(seen, CcdSeen)
    return ccd


class TestErrorsOfTheMount:
    """What the mount refuses is unseen, with its words, and neither absent nor failed."""

    @pytest.mark.parametrize("error", ["EACCES", "EIO", "ESTALE", "ETIMEDOUT"])
    def test_each_kind_of_folder(self, tmp_path: Path, error: str) -> None:
        exposure = Exposure(tmp_path, 900000).make(CCDS[:3]).finish(CCDS[:3])
        for path, what, ccd in (
            (exposure.folder, "folders", None),
            (exposure.forcephoto, "forcefiles", None),
            (exposure.ccd(3), "ccd", 3),
        ):
            seen = look(tmp_path, request(exposure), worker=disturbed(path, f"error={error}"))
            (unseen,) = only(seen, Unseen)
            assert (unseen.exposure_id, unseen.what, unseen.ccd) == (0, what, ccd)
            assert f"({error})" in unseen.problem
            assert str(path) in unseen.problem
            assert seen.silent is None

    def test_ccds_asked_for_below_a_folder_that_cannot_be_listed(self, tmp_path: Path) -> None:
        exposure = Exposure(tmp_path, 900000).make(CCDS[:3])
        worker = disturbed(exposure.folder, "error=EIO")
        unseen = only(look(tmp_path, request(exposure, ccds=(1, 3)), worker=worker), Unseen)
        assert [(sighting.what, sighting.ccd) for sighting in unseen] == [("folders", None), ("ccd", 1), ("ccd", 3)]
        assert all("(EIO)" in sighting.problem for sighting in unseen)

    def test_a_listing_that_breaks_off(self, tmp_path: Path) -> None:
        exposure = Exposure(tmp_path, 900000).make(CCDS[:2]).finish(CCDS[:2])
        worker = disturbed(exposure.ccd(3), "error=EIO:when=2", call="getdents64")
        (unseen,) = only(look(tmp_path, request(exposure), worker=worker), Unseen)
        assert (unseen.what, unseen.ccd) == ("ccd", 3)

    def test_a_fail_that_is_listed_and_cannot_be_seen(self, tmp_path: Path) -> None:
        """Without it, the tarball beside it would pass for a success."""
        exposure = Exposure(tmp_path, 900000).make(CCDS[:1]).finish(CCDS[:1])
        worker = disturbed(exposure.fail(1), "error=ENOENT", call="newfstatat")
        seen = look(tmp_path, request(exposure), worker=worker)
        assert only(seen, CcdSeen) == []
        assert [(unseen.what, unseen.ccd) for unseen in only(seen, Unseen)] == [("ccd", 1)]

    def test_a_fail_that_cannot_be_read_is_a_sign_all_the_same(self, tmp_path: Path) -> None:
        exposure = Exposure(tmp_path, 900000).make(CCDS[:1])
        worker = disturbed(exposure.fail(1), "error=EACCES")
        (fail,) = only_ccd(look(tmp_path, request(exposure), worker=worker)).fails
        assert fail.body is None

    def test_a_tarball_that_is_listed_and_cannot_be_seen_is_not_there_yet(self, tmp_path: Path) -> None:
        exposure = Exposure(tmp_path, 900000).make(CCDS[:1]).finish(CCDS[:1])
        worker = disturbed(exposure.tarball(1), "error=ENOENT", call="newfstatat")
        assert only_ccd(look(tmp_path, request(exposure), worker=worker)).tarballs == ()


class TestRootAway:
    """When the root does not answer, or is an empty mount point, nothing is called absent."""

    def check(self, seen: Look, words: str) -> None:
        assert seen.silent is not None
        assert words in seen.silent
        assert {type(sighting) for sighting in seen.sightings} == {Unseen}
        assert [sighting.what for sighting in only(seen, Unseen)] == ["forcefiles", "folders", "ccd"]
        assert all(sighting.problem == seen.silent for sighting in only(seen, Unseen))

    def test_no_such_folder(self, tmp_path: Path) -> None:
        exposure = Exposure(tmp_path / "away", 900000)
        self.check(look(tmp_path / "away", request(exposure, ccds=(1,))), "(ENOENT)")

    def test_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        exposure = Exposure(tmp_path / "file", 900000)
        self.check(look(tmp_path / "file", request(exposure, ccds=(1,))), "(ENOTDIR)")

    def test_nothing_mounted(self, tmp_path: Path) -> None:
        self.check(look(tmp_path, request(Exposure(tmp_path, 900000), ccds=(1,))), "is it mounted?")

    @pytest.mark.parametrize("error", ["EACCES", "EIO", "ESTALE"])
    def test_an_error(self, tmp_path: Path, error: str) -> None:
        exposure = Exposure(tmp_path, 900000).make(CCDS[:2])
        worker = disturbed(tmp_path, f"error={error}")
        self.check(look(tmp_path, request(exposure, ccds=(1,)), worker=worker), f"({error})")

    def test_it_goes_away_in_the_middle(self, tmp_path: Path) -> None:
        """What had been seen counts; what then looked absent is unseen."""
        exposure = Exposure(tmp_path, 900000).make(CCDS[:2])
        worker = disturbed(tmp_path, "error=ENOENT:when=2+")
        seen = look(tmp_path, request(exposure), worker=worker)
        assert {ccd.ccd for ccd in only(seen, CcdSeen)} == {1, 3}
        (unseen,) = only(seen, Unseen)
        assert unseen.what == "forcefiles"
        assert "(ENOENT)" in unseen.problem
