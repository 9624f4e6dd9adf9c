"""The ini files of the Post-Processing folder: ours while its run lasts, and what others have there is never lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from desgw_daemon.act.iniplace import IniPlace

OURS = b"[general]\nseason = 2206\n"
THEIRS = b"[general]\nseason = 2206 ; by hand\n"


@pytest.fixture
def place(tmp_path: Path) -> IniPlace:
    return IniPlace(folder=tmp_path, season=2206)


def names(place: IniPlace) -> list[str]:
    return sorted(path.name for path in place.folder.iterdir())


class TestOurs:
    """It lies there while the run lasts, and is taken away afterwards."""

    def test_there_and_back(self, place: IniPlace) -> None:
        assert place.put(OURS, ()) is None
        assert place.path.read_bytes() == OURS
        place.take_away(OURS)
        place.take_away(OURS)
        assert names(place) == []

    def test_one_of_an_earlier_run_is_replaced(self, place: IniPlace) -> None:
        place.path.write_bytes(b"[general]\nseason = 2206\nbands = i\n")
        assert place.put(OURS, [place.path.read_bytes()]) is None
        assert names(place) == ["postproc_2206.ini"]

    def test_one_that_somebody_has_changed_stays(self, place: IniPlace) -> None:
        place.put(OURS, ())
        place.path.write_bytes(THEIRS)
        place.take_away(OURS)
        assert place.path.read_bytes() == THEIRS


class TestSomebodyElses:
    """One of the same name is put aside under a name that no set-up reads, and comes back."""

    def test_aside_and_back(self, place: IniPlace) -> None:
        place.path.write_bytes(THEIRS)
        aside = place.put(OURS, ())
        assert aside is not None and aside.read_bytes() == THEIRS
        assert not aside.match("postproc_*.ini")
        assert place.put(OURS, ()) is None, "a start that was cut off is repeated"
        place.take_away(OURS)
        place.take_away(OURS)
        assert (names(place), place.path.read_bytes()) == (["postproc_2206.ini"], THEIRS)

    def test_cut_off_in_between(self, place: IniPlace) -> None:
        place.path.write_bytes(THEIRS)
        aside = place.put(OURS, ())
        place.path.unlink()  # as if it had not come so far as to write ours
        assert place.put(OURS, ()) is None
        place.take_away(OURS)
        assert place.path.read_bytes() == THEIRS
        assert aside is not None and not aside.exists()

    def test_cut_off_as_it_comes_back(self, place: IniPlace) -> None:
        place.path.write_bytes(THEIRS)
        aside = place.put(OURS, ())
        assert aside is not None
        place.path.unlink()
        place.path.hardlink_to(aside)
        place.take_away(OURS)
        assert (names(place), place.path.read_bytes()) == (["postproc_2206.ini"], THEIRS)

    def test_a_second_one(self, place: IniPlace) -> None:
        first = b"[general]\n"
        for text in (first, THEIRS):
            place.path.write_bytes(text)
            assert place.put(OURS, ()) is not None
        place.take_away(OURS)
        assert place.path.read_bytes() == THEIRS, "what stood there last"
        assert (place.folder / "postproc_2206.ini.aside").read_bytes() == first

    def test_ours_was_changed_meanwhile(self, place: IniPlace) -> None:
        place.path.write_bytes(THEIRS)
        aside = place.put(OURS, ())
        place.path.write_bytes(b"[general]\nchanged = yes\n")
        place.take_away(OURS)
        assert place.path.read_bytes() == b"[general]\nchanged = yes\n"
        assert aside is not None and aside.read_bytes() == THEIRS

    def test_of_another_season_is_not_touched(self, place: IniPlace) -> None:
        other = place.folder / "postproc_9999.ini"
        other.write_bytes(THEIRS)
        place.put(OURS, ())
        assert place.others() == ("postproc_9999.ini",)
        place.take_away(OURS)
        assert names(place) == ["postproc_9999.ini"]
