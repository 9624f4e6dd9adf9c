"""Odd trees on /pnfs while exposures are watched by the real program: one spoilt exposure each, all looked at together.

What is judged here is judged from the disk itself, not with the daemon's own eyes.
"""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.observe.tree import CCDS, Exposure

from . import odd
from .odd import CCD, FAILED, HARMLESS, LACKING, NO_FOLDER, NO_TARBALL, UNSEEN
from .place import Place
from .privileges import bound_by_permissions

#: The first look, the one that settles, and one in which nothing may change any more.
TICKS = 3


class Zoo:
    """All odd exposures on one /pnfs, and what became of them."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.exposures: dict[str, Exposure] = {}
        spoilers: dict[str, odd.Spoil] = {
            **{f"no folder: {name}": spoil for name, spoil in NO_FOLDER.items()},
            **{f"no tarball: {name}": spoil for name, (spoil, _) in NO_TARBALL.items()},
            **{f"failed: {name}": spoil for name, spoil in FAILED.items()},
            **{f"harmless: {name}": spoil for name, spoil in HARMLESS.items()},
            **{f"unseen: {name}": spoil for name, (spoil, _) in UNSEEN.items()},
            **{f"lacking: {name}": spoil for name, (spoil, _) in LACKING.items()},
        }
        self.exposures = {name: place.exposure() for name in spoilers}
        place.adopt()
        for name, spoil in spoilers.items():
            spoil(self.exposures[name])
        self.said = [place.ok("tick", before=bound_by_permissions()) for _ in range(TICKS)]

    def shown(self, name: str) -> dict[str, Any]:
        return self.place.shown(self.exposures[name])

    def ccd(self, name: str) -> dict[str, Any]:
        return self.place.ccd(self.exposures[name], CCD)


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zoo]:
    place = Place(tmp_path_factory.mktemp("zoo") / "place")
    yield Zoo(place)
    odd.undo_permissions(place.pnfs)


class TestNeverWronglyComplete:
    """A CCD is complete only if its own tarball lies in its folder, a real file with bytes in it, and no FAIL."""

    def test_every_ccd_of_every_exposure(self, zoo: Zoo) -> None:
        query = "SELECT expnum, ccd FROM v_ccd WHERE state = 'complete'"
        complete = {(row["expnum"], row["ccd"]) for row in zoo.place.rows(query)}
        assert len(complete) > 59 * (len(HARMLESS) + len(FAILED))
        for exposure in zoo.exposures.values():
            for ccd in CCDS:
                if (exposure.expnum, ccd) in complete:
                    assert has_ended_well(exposure, ccd), f"{exposure.expnum} {ccd}"

    def test_the_other_ccds_are_complete(self, zoo: Zoo) -> None:
        for name, exposure in zoo.exposures.items():
            if "its CCDs" not in name:
                query = "SELECT ccd FROM v_ccd WHERE expnum = ? AND state = 'complete'"
                complete = {row["ccd"] for row in zoo.place.rows(query, exposure.expnum)}
                assert complete >= set(CCDS) - {CCD}, name


def has_ended_well(exposure: Exposure, ccd: int) -> bool:
    tarball = exposure.tarball(ccd)
    info = tarball.lstat()
    fails = list(tarball.parent.glob("RUN*.FAIL"))
    return stat.S_ISREG(info.st_mode) and info.st_size > 0 and not fails


class TestNoFolder:
    """What lies in the place of a CCD's folder makes it missing, and is named."""

    @pytest.mark.parametrize("name", NO_FOLDER)
    def test_missing(self, zoo: Zoo, name: str) -> None:
        ccd, expnum = zoo.ccd(f"no folder: {name}"), zoo.exposures[f"no folder: {name}"].expnum
        place = f"exp/20200304/{expnum}/dp2206/i_05"
        assert (ccd["state"], ccd["reason"]) == ("missing", f"it has no folder on /pnfs ({place} is no folder)")


class TestNoTarball:
    """What is no tarball of the CCD's own does not make it complete, and is named."""

    @pytest.mark.parametrize("name", NO_TARBALL)
    def test_pending(self, zoo: Zoo, name: str) -> None:
        ccd = zoo.ccd(f"no tarball: {name}")
        assert ccd["state"] == "pending"
        assert NO_TARBALL[name][1] in ccd["reason"]
        assert zoo.shown(f"no tarball: {name}")["state"] == "processing"


class TestFailed:
    """Whatever has the name of a FAIL is one; it is neither waited for nor read to its end."""

    @pytest.mark.parametrize("name", FAILED)
    def test_failed(self, zoo: Zoo, name: str) -> None:
        ccd, exposure = zoo.ccd(f"failed: {name}"), zoo.shown(f"failed: {name}")
        assert (ccd["state"], ccd["step"][:6]) == ("failed", "RUN18_")
        assert ccd["step"].isprintable()
        assert (exposure["state"], exposure["ready"], exposure["ccds_complete"]) == ("ready", "full", 58)


class TestHarmless:
    """What does not concern the daemon keeps no exposure back."""

    @pytest.mark.parametrize("name", HARMLESS)
    def test_ready(self, zoo: Zoo, name: str) -> None:
        exposure = zoo.shown(f"harmless: {name}")
        assert (exposure["state"], exposure["ready"], exposure["ccds_complete"]) == ("ready", "full", 59)

    def test_strays_are_not_written_down(self, zoo: Zoo) -> None:
        expnum = zoo.exposures["harmless: 10,000 stray files"].expnum
        query = "SELECT count(*) AS files FROM forcefile f JOIN exposure e ON e.id = f.exposure_id WHERE e.expnum = ?"
        assert zoo.place.rows(query, expnum) == [{"files": 118}]
        assert len(json.loads(zoo.ccd("harmless: 10,000 stray files")["foreign_files"])) == 21

    def test_strays_are_not_asked_for_their_size(self, zoo: Zoo) -> None:
        first, *_ = zoo.place.rows("SELECT stats FROM v_poll ORDER BY id")
        assert first["stats"] <= 3 * 59 * len(zoo.exposures) + len(FAILED)


class TestUnseen:
    """What cannot be seen is not judged, the exposure's reason names the place, and it waits."""

    @pytest.mark.parametrize("name", UNSEEN)
    def test_waits(self, zoo: Zoo, name: str) -> None:
        exposure = zoo.exposures[f"unseen: {name}"]
        place = str(UNSEEN[name][1](exposure))
        shown = zoo.shown(f"unseen: {name}")
        assert (shown["state"], shown["ready"]) == ("processing", "no")
        assert f"not seen since {shown['unseen_since']}: {place}: " in shown["reason"]
        assert place in zoo.place.explained(exposure).replace("\n", " ")


class TestLacking:
    """A forcephoto file that is none, or empty, is missing and named."""

    @pytest.mark.parametrize("name", LACKING)
    def test_named(self, zoo: Zoo, name: str) -> None:
        shown = zoo.shown(f"lacking: {name}")
        assert json.loads(shown["forcefiles_missing"]) == [LACKING[name][1]]
        assert (shown["ccds_complete"], shown["forcefiles_found"]) == (59, 117)


class TestSaid:
    """Nothing of all this raises, and what was said once is not said in every cycle."""

    def test_no_traceback_in_the_log(self, zoo: Zoo) -> None:
        records = [json.loads(line) for line in (zoo.place.state / "desgw-daemon.log").read_text().splitlines()]
        assert records
        assert [record for record in records if "traceback" in record or record["level"] == "ERROR"] == []

    def test_the_third_cycle_has_nothing_to_say(self, zoo: Zoo) -> None:
        lines = zoo.said[-1].splitlines()
        assert [line for line in lines if not line.startswith("one cycle in ")] == []


def test_the_tree_is_as_odd_as_it_says(zoo: Zoo) -> None:
    """Guards the tests above: what they call a pipe or a socket is one."""
    kinds: dict[str, Path] = {
        "a pipe": zoo.exposures["no folder: a pipe"].ccd(CCD),
        "a socket": zoo.exposures["no folder: a socket"].ccd(CCD),
        "a FAIL that is a pipe": zoo.exposures["failed: a pipe"].ccd(CCD) / odd.FAIL,
    }
    assert {name: stat.S_IFMT(path.lstat().st_mode) for name, path in kinds.items()} == {
        "a pipe": stat.S_IFIFO,
        "a socket": stat.S_IFSOCK,
        "a FAIL that is a pipe": stat.S_IFIFO,
    }
