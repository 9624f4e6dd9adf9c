"""What is seen in trees as jobs leave them, and in trees as nobody should leave them."""

from __future__ import annotations

import os
import shutil
import threading
from datetime import UTC
from pathlib import Path

from desgw_daemon.domain.facts import CcdSeen, FoldersSeen, ForcefilesSeen, Look, Unseen

from .traced import disturbed
from .tree import CCDS, Exposure, look, only, request


def ccd_seen(seen: Look, number: int) -> CcdSeen:
    (ccd,) = [ccd for ccd in only(seen, CcdSeen) if ccd.ccd == number]
    return ccd


class TestOrdinaryTree:
    """Folders, forcefiles, tarballs and FAIL files are reported as they are, with aware UTC times."""

    def test_all_that_is_there(self, tmp_path: Path) -> None:
        exposure = Exposure(tmp_path, 900000).make().finish(CCDS[:10])
        exposure.fail(62, text="swarp died\n12345.0@jobsub01 node7\n")
        seen = look(tmp_path, request(exposure, 7))
        (folders,) = only(seen, FoldersSeen)
        (forcefiles,) = only(seen, ForcefilesSeen)
        assert (folders.exposure_id, folders.there, folders.odd) == (7, True, ())
        assert folders.ccds == frozenset(CCDS)
        assert len(forcefiles.files) == 20
        assert {file.size for file in forcefiles.files} == {4}
        assert [(file.name, file.size) for file in ccd_seen(seen, 1).tarballs] == [(exposure.tarball(1).name, 3)]
        assert ccd_seen(seen, 1).fails == ()
        (fail,) = ccd_seen(seen, 62).fails
        assert fail.body == "swarp died\n12345.0@jobsub01 node7\n"
        assert all(sighting.at.tzinfo is UTC for sighting in seen.sightings)
        assert (seen.stuck, seen.silent) == (False, None)

    def test_run_all_is_no_sign(self, tmp_path: Path) -> None:
        exposure = Exposure(tmp_path, 900000).make(CCDS[:1])
        exposure.fail(1, name="RUN_ALL.FAIL", text="NONE\n")
        assert ccd_seen(look(tmp_path, request(exposure)), 1).fails == ()

    def test_only_the_ccds_asked_for(self, tmp_path: Path) -> None:
        exposure = Exposure(tmp_path, 900000).make(CCDS[:10])
        seen = look(tmp_path, request(exposure, ccds=(1, 3, 60)))
        assert {ccd.ccd for ccd in only(seen, CcdSeen)} == {1, 3}
        assert only(seen, Unseen) == []

    def test_one_number_in_two_nites(self, tmp_path: Path) -> None:
        first = Exposure(tmp_path, 900000, nite="20200304").make(CCDS[:3]).finish([1])
        second = Exposure(tmp_path, 900000, nite="20200305").make(CCDS[:3]).finish([3])
        seen = look(tmp_path, request(first, 1), request(second, 2))
        with_tarball = {(ccd.exposure_id, ccd.ccd) for ccd in only(seen, CcdSeen) if ccd.tarballs}
        assert with_tarball == {(1, 1), (2, 3)}

    def test_no_request_is_no_look(self, tmp_path: Path) -> None:
        assert look(tmp_path / "away").sightings == ()


class TestForcefilesFirst:
    """An exposure's forcefiles, sizes and all, are seen before any of its CCD folders is listed."""

    def test_even_when_they_are_slow(self, tmp_path: Path) -> None:
        exposure = Exposure(tmp_path, 900000).make(CCDS[:8]).finish(CCDS[:8])
        slow = disturbed(exposure.forcephoto, "delay_enter=300000")
        seen = look(tmp_path, request(exposure), worker=slow)
        (forcefiles,) = only(seen, ForcefilesSeen)
        assert len(only(seen, CcdSeen)) == 8
        assert all(ccd.at >= forcefiles.at for ccd in only(seen, CcdSeen))

    def test_while_jobs_copy_back(self, tmp_path: Path) -> None:
        """Tarball, FAIL, forcefiles, in that order: a pair and a tarball and no FAIL is a success for sure."""
        exposures = [Exposure(tmp_path, 900000 + n).make() for n in range(4)]
        for exposure in exposures:
            exposure.forcephoto.mkdir(parents=True)
        copied = threading.Event()

        def copy_back() -> None:
            for ccd in CCDS:
                for exposure in exposures:
                    exposure.tarball(ccd).write_bytes(b"tar")
                    if ccd % 2:
                        exposure.fail(ccd)
                    for file in exposure.pair(ccd):
                        file.write_bytes(b"fits")
            copied.set()

        jobs = threading.Thread(target=copy_back)
        jobs.start()
        wrong, looks, last = [], 0, False
        while not last:
            last = copied.is_set()
            seen = look(tmp_path, *(request(e, n, folders=False, ccds=CCDS) for n, e in enumerate(exposures)))
            looks += 1
            names = {(f.exposure_id, file.name) for f in only(seen, ForcefilesSeen) for file in f.files}
            for ccd in only(seen, CcdSeen):
                pair = all((ccd.exposure_id, f.name) in names for f in exposures[ccd.exposure_id].pair(ccd.ccd))
                if ccd.tarballs and pair and not ccd.fails and ccd.ccd % 2:
                    wrong.append((ccd.exposure_id, ccd.ccd))
        jobs.join()
        assert wrong == []
        assert looks > 1


class TestAbsence:
    """What is not there is a fact; a file or a link in a folder's place is said as well."""

    def test_no_exposure_folder(self, tmp_path: Path) -> None:
        Exposure(tmp_path, 900001).make(CCDS[:1])
        seen = look(tmp_path, request(Exposure(tmp_path, 900000)))
        (folders,) = only(seen, FoldersSeen)
        (forcefiles,) = only(seen, ForcefilesSeen)
        assert (folders.there, folders.ccds, forcefiles.there) == (False, frozenset(), False)
        assert only(seen, Unseen) == []

    def test_a_ccd_folder_that_has_gone(self, tmp_path: Path) -> None:
        exposure = Exposure(tmp_path, 900000).make(CCDS[:2])
        shutil.rmtree(exposure.ccd(3))
        seen = look(tmp_path, request(exposure, folders=False, ccds=(1, 3)))
        assert (ccd_seen(seen, 1).there, ccd_seen(seen, 3).there) == (True, False)

    def test_a_file_where_the_season_folder_should_be(self, tmp_path: Path) -> None:
        exposure = Exposure(tmp_path, 900000)
        exposure.folder.parent.mkdir(parents=True)
        exposure.folder.write_text("?")
        seen = look(tmp_path, request(exposure))
        assert only(seen, FoldersSeen) == []
        assert [(unseen.what, unseen.problem) for unseen in only(seen, Unseen)] == [
            ("folders", f"{exposure.folder}: Not a directory (ENOTDIR)")
        ]

    def test_a_looping_link_where_the_forcephoto_folder_should_be(self, tmp_path: Path) -> None:
        exposure = Exposure(tmp_path, 900000).make(CCDS[:1])
        exposure.forcephoto.parent.mkdir(parents=True)
        exposure.forcephoto.symlink_to(exposure.forcephoto)
        seen = look(tmp_path, request(exposure))
        assert only(seen, ForcefilesSeen) == []
        assert [(unseen.what, unseen.problem) for unseen in only(seen, Unseen)] == [
            ("forcefiles", f"{exposure.forcephoto}: Too many levels of symbolic links (ELOOP)")
        ]

    def test_a_file_or_a_looping_link_where_a_ccd_should_be(self, tmp_path: Path) -> None:
        exposure = Exposure(tmp_path, 900000).make(CCDS[:1])
        exposure.ccd(3).write_text("?")
        exposure.ccd(4).symlink_to(exposure.ccd(4))
        seen = look(tmp_path, request(exposure, folders=False, ccds=(1, 3, 4)))
        for ccd, words in ((3, "Not a directory"), (4, "Too many levels of symbolic links")):
            assert not ccd_seen(seen, ccd).there
            assert ccd_seen(seen, ccd).odd == (f"{exposure.ccd(ccd)}: {words}",)

    def test_folders_that_vanish_in_the_middle(self, tmp_path: Path) -> None:
        """The C library tells a folder that is removed while it is listed from an empty one in no way."""
        exposures = [Exposure(tmp_path, 900000 + n) for n in range(4)]
        stop = threading.Event()

        def come_and_go() -> None:
            while not stop.is_set():
                for exposure in exposures:
                    exposure.make().finish(CCDS[:3])
                    shutil.rmtree(exposure.folder.parent)
                    shutil.rmtree(exposure.forcephoto)

        person = threading.Thread(target=come_and_go)
        person.start()
        try:
            for _ in range(5):
                seen = look(tmp_path, *(request(exposure, n) for n, exposure in enumerate(exposures)))
                assert seen.silent is None
                assert only(seen, Unseen) == []
                assert all(ccd.there or not ccd.tarballs for ccd in only(seen, CcdSeen))
        finally:
            stop.set()
            person.join()


class TestLookAlikes:
    """Only whole names and real files count; look-alikes are named as odd."""

    def test_in_the_season_folder(self, tmp_path: Path) -> None:
        exposure = Exposure(tmp_path, 900000).make(CCDS[:2])
        (exposure.folder / "i_07_old").mkdir()
        (exposure.folder / "i_99").mkdir()
        (exposure.folder / "r_08").mkdir()
        (exposure.folder / "i_09").write_text("a file")
        (exposure.folder / "i_10").symlink_to(exposure.folder / "i_10")
        (exposure.folder / "i_11").symlink_to(tmp_path / "nowhere")
        (exposure.folder / "lists").mkdir()
        seen = look(tmp_path, request(exposure))
        (folders,) = only(seen, FoldersSeen)
        assert folders.ccds == {1, 3}
        assert folders.odd == ("i_07_old", "i_09", "i_10", "i_11", "i_99", "r_08")
        assert {ccd.ccd for ccd in only(seen, CcdSeen)} == {1, 3}

    def test_a_link_to_a_folder_is_a_folder(self, tmp_path: Path) -> None:
        exposure = Exposure(tmp_path, 900000).make(CCDS[:2]).finish(CCDS[:2])
        elsewhere = exposure.ccd(3).rename(tmp_path / "elsewhere")
        exposure.ccd(3).symlink_to(elsewhere)
        for asked in (request(exposure), request(exposure, folders=False, ccds=(1, 3))):
            seen = look(tmp_path, asked)
            assert [file.name for file in ccd_seen(seen, 3).tarballs] == [exposure.tarball(3).name]

    def test_a_tarball_that_is_a_folder_or_a_link_is_none(self, tmp_path: Path) -> None:
        exposure = Exposure(tmp_path, 900000).make(CCDS[:2])
        exposure.tarball(1).mkdir()
        exposure.tarball(3).symlink_to(exposure.ccd(3) / "ingest")
        seen = look(tmp_path, request(exposure))
        assert (ccd_seen(seen, 1).tarballs, ccd_seen(seen, 3).tarballs) == ((), ())
        assert ccd_seen(seen, 1).odd == (f"{exposure.tarball(1).name} (a folder)",)
        assert ccd_seen(seen, 3).odd == (f"{exposure.tarball(3).name} (a link)",)

    def test_whatever_has_the_name_of_a_fail_is_a_sign_and_is_not_opened(self, tmp_path: Path) -> None:
        """A pipe would block its reader for ever; overlooked beside a good tarball, it would pass for a success."""
        exposure = Exposure(tmp_path, 900000).make(CCDS[:1]).finish(CCDS[:1])
        folder = exposure.ccd(1)
        (folder / "RUN05_expose_makeWeight.FAIL").mkdir()
        (folder / "RUN06_expose_sex1.FAIL").symlink_to(exposure.tarball(1))
        (folder / "RUN07_combined_astromScamp.FAIL").symlink_to("RUN07_combined_astromScamp.FAIL")
        os.mkfifo(folder / "RUN08_combined_astromHeaders.FAIL")
        (folder / "RUN09_two words\n.FAIL").touch()
        seen = look(tmp_path, request(exposure))
        assert [(fail.name, fail.body) for fail in ccd_seen(seen, 1).fails] == [
            ("RUN05_expose_makeWeight.FAIL", None),
            ("RUN06_expose_sex1.FAIL", None),
            ("RUN07_combined_astromScamp.FAIL", None),
            ("RUN08_combined_astromHeaders.FAIL", None),
            ("RUN09_two words\\n.FAIL", ""),
        ]
        assert seen.calls.reads == 0

    def test_forcefiles_that_are_links_or_folders(self, tmp_path: Path) -> None:
        exposure = Exposure(tmp_path, 900000).make(CCDS[:1]).finish(CCDS[:1], forcefiles=False)
        image, psf = exposure.pair(1)
        image.mkdir()
        psf.symlink_to(exposure.tarball(1))
        (forcefiles,) = only(look(tmp_path, request(exposure)), ForcefilesSeen)
        assert forcefiles.files == ()
        assert forcefiles.odd == (f"{image.name} (a folder)", f"{psf.name} (a link)")

    def test_tarballs_of_others_and_half_ones_are_reported_with_their_names(self, tmp_path: Path) -> None:
        exposure = Exposure(tmp_path, 900000).make(CCDS[:1])
        names = ("outputs_dp2208_20200304_900000_i_01.tar.gz", "outputs_dp2206_20200304_900000_i_01.tar.gz.part")
        for name in names:
            (exposure.ccd(1) / name).write_bytes(b"")
        seen = ccd_seen(look(tmp_path, request(exposure)), 1)
        assert {(file.name, file.size) for file in seen.tarballs} == {(name, None) for name in names}

    def test_names_that_cannot_be_printed(self, tmp_path: Path) -> None:
        exposure = Exposure(tmp_path, 900000).make(CCDS[:1]).finish(CCDS[:1])
        for folder in (exposure.folder, exposure.ccd(1), exposure.forcephoto):
            for name in (b"i_07\n", b"\xff\xfe", b"outputs_\xff\n.tar.gz", b"x\x1b[31m.fits", b"RUN05_x.FAIL\n"):
                Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(b"x")
        seen = look(tmp_path, request(exposure))
        (folders,) = only(seen, FoldersSeen)
        (forcefiles,) = only(seen, ForcefilesSeen)
        assert folders.odd == ("i_07\\n",)
        assert ccd_seen(seen, 1).fails == ()
        assert [file.name for file in ccd_seen(seen, 1).tarballs] == [
            "outputs_\\udcff\\n.tar.gz",
            exposure.tarball(1).name,
        ]
        assert "x\\x1b[31m.fits" in [file.name for file in forcefiles.files]
        assert all(file.name.isprintable() for file in forcefiles.files)

    def test_ten_thousand_stray_files_cost_no_stat(self, tmp_path: Path) -> None:
        exposure = Exposure(tmp_path, 900000).make(CCDS[:1]).finish(CCDS[:1])
        for number in range(10_000):
            (exposure.ccd(1) / f"outputs_{number}.tar.gz").touch()
            (exposure.forcephoto / f"core_i_01.{number}.fits").touch()
        seen = look(tmp_path, request(exposure))
        (forcefiles,) = only(seen, ForcefilesSeen)
        assert len(forcefiles.files) == 10_002
        assert seen.calls.stats == 3
        assert len(ccd_seen(seen, 1).tarballs) == 21
        assert exposure.tarball(1).name in [file.name for file in ccd_seen(seen, 1).tarballs]
        assert ccd_seen(seen, 1).odd == ("10000 files outputs_* of others",)
