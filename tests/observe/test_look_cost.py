"""What a look costs, counted from outside with strace, beside the floor."""

from __future__ import annotations

import time
from pathlib import Path

from desgw_daemon.domain.facts import CcdSeen, ForcefilesSeen

from .traced import calls_under, counted, opened
from .tree import CCDS, Exposure, look, only, request

#: dpSEASON, 59 CCDs, forcephoto: five system calls for each listing.
FLOOR = 61 * 5


class TestColdLook:
    """A cold look costs at most 1.1 times the floor, and one stat for each tarball and forcefile."""

    def test_counts(self, tmp_path: Path) -> None:
        root, log = tmp_path / "pnfs", tmp_path / "log"
        exposures = [Exposure(root, 900000 + n).make().finish(CCDS[:40]) for n in range(3)]
        seen = look(root, *(request(e, n) for n, e in enumerate(exposures)), worker=counted(log))
        calls = calls_under(log, root)
        stats = 3 * (40 + 80)
        assert 3 * FLOOR <= calls.total() - stats <= 1.1 * 3 * FLOOR
        assert (seen.calls.listings, seen.calls.stats, seen.calls.reads) == (3 * 61 + 1, stats, 0)
        assert len(seen.sightings) == 3 * 61


class TestWarmLook:
    """A warm look lists each unsettled CCD and each open forcephoto folder once, and nothing else."""

    def test_nothing_changed(self, tmp_path: Path) -> None:
        root, log = tmp_path / "pnfs", tmp_path / "log"
        exposure = Exposure(root, 900000).make().finish(CCDS[:49])
        known = frozenset(file.name for file in exposure.forcephoto.iterdir())
        asked = request(exposure, folders=False, ccds=CCDS[49:], known_sizes=known)
        seen = look(root, asked, worker=counted(log))
        calls = calls_under(log, root)
        assert calls["openat"] == 1 + 10 + 1  # the root, ten CCDs, the forcephoto folder
        assert calls.total() <= 5 * 12
        assert (seen.calls.listings, seen.calls.stats, seen.calls.reads) == (12, 0, 0)
        assert [ccd.ccd for ccd in sorted(only(seen, CcdSeen), key=lambda seen: seen.ccd)] == list(CCDS[49:])

    def test_ten_ccds_finished(self, tmp_path: Path) -> None:
        root, log = tmp_path / "pnfs", tmp_path / "log"
        exposure = Exposure(root, 900000).make().finish(CCDS[:49])
        known = frozenset(file.name for file in exposure.forcephoto.iterdir())
        exposure.finish(CCDS[49:])
        asked = request(exposure, folders=False, ccds=CCDS[49:], known_sizes=known)
        seen = look(root, asked, worker=counted(log))
        assert calls_under(log, root).total() <= 5 * 12 + 10 + 20
        assert (seen.calls.listings, seen.calls.stats, seen.calls.reads) == (12, 10 + 20, 0)

    def test_a_known_size_is_not_asked_for_again(self, tmp_path: Path) -> None:
        exposure = Exposure(tmp_path, 900000).make().finish(CCDS[:2])
        known = frozenset(file.name for file in (*exposure.pair(1), exposure.tarball(3)))
        seen = look(tmp_path, request(exposure, known_sizes=known))
        assert seen.calls.stats == 2 * 3 - 3
        (forcefiles,) = only(seen, ForcefilesSeen)
        assert {file.name: file.size for file in forcefiles.files} == {
            **{file.name: None for file in exposure.pair(1)},
            **{file.name: 4 for file in exposure.pair(3)},
        }


class TestOpening:
    """Nothing under /pnfs is opened but folders and FAIL files that are new or have changed."""

    def test_only_the_fail_file_is_opened(self, tmp_path: Path) -> None:
        root, log = tmp_path / "pnfs", tmp_path / "log"
        exposure = Exposure(root, 900000).make(CCDS[:3]).finish(CCDS[:3])
        fail = exposure.fail(1)
        seen = look(root, request(exposure), worker=counted(log))
        assert opened(log, root) == [fail]
        assert (seen.calls.stats, seen.calls.reads) == (3 + 6 + 1, 1)

    def test_a_fail_file_that_was_read_is_not_opened_again(self, tmp_path: Path) -> None:
        root, log = tmp_path / "pnfs", tmp_path / "log"
        exposure = Exposure(root, 900000).make(CCDS[:3]).finish(CCDS[:3])
        fail = exposure.fail(1)
        stat = fail.stat()
        asked = request(exposure, known_fails={(1, fail.name): (stat.st_size, stat.st_mtime)})
        seen = look(root, asked, worker=counted(log))
        assert opened(log, root) == []
        (ccd,) = [ccd for ccd in only(seen, CcdSeen) if ccd.ccd == 1]
        assert [(sign.name, sign.size, sign.mtime, sign.body) for sign in ccd.fails] == [
            (fail.name, stat.st_size, stat.st_mtime, None)
        ]

    def test_a_fail_file_rewritten_in_place_is_read_again(self, tmp_path: Path) -> None:
        exposure = Exposure(tmp_path, 900000).make(CCDS[:1])
        fail = exposure.fail(1, text="first\n")
        stat = fail.stat()
        fail.write_text("second\n")
        asked = request(exposure, known_fails={(1, fail.name): (stat.st_size, stat.st_mtime)})
        (ccd,) = only(look(tmp_path, asked), CcdSeen)
        assert [sign.body for sign in ccd.fails] == ["second\n"]

    def test_an_empty_fail_file_is_a_sign_and_is_not_opened(self, tmp_path: Path) -> None:
        root, log = tmp_path / "pnfs", tmp_path / "log"
        exposure = Exposure(root, 900000).make(CCDS[:1])
        exposure.fail(1, text="")
        (ccd,) = only(look(root, request(exposure), worker=counted(log)), CcdSeen)
        assert [sign.body for sign in ccd.fails] == [""]
        assert opened(log, root) == []


class TestRate:
    """No more calls a second than were allowed."""

    def test_twenty_two_calls_at_forty_a_second(self, tmp_path: Path) -> None:
        exposure = Exposure(tmp_path, 900000).make(CCDS[:18])
        begin = time.monotonic()
        seen = look(tmp_path, request(exposure), calls_per_second=40)
        assert seen.calls.listings == 22  # the root twice, since there is no forcephoto folder yet
        assert time.monotonic() - begin >= 21 / 40
