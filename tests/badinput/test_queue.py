"""Bad list files and a bad exposures.list, given to the real program."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.observe.test_lists import BAD

from .place import CONFIG, Place, list_line

#: One of each sort; the others go through the same reader.
BY_COMMAND = ("a compressed file", "the seed's output form", "two bands", "a terminal's colours", "too long")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A place without exposures."""
    return Place(tmp_path_factory.mktemp("lists") / "place", CONFIG + '[queue]\ninbox_settle = "10 ms"\n')


class TestBadLists:
    """A bad list is refused as a whole, with what is wrong and where, and nothing of it is queued."""

    def test_queue_add(self, place: Place) -> None:
        for name in BY_COMMAND:
            data, words = BAD[name]
            (place.folder / "night.list").write_bytes(data)
            said = place.refused("queue", "add", "night.list", "--season", "2206", code=2)
            assert said.startswith("desgw-daemon: night.list is refused as a whole: ")
            assert words[:40] in said, name
        assert not place.database.exists()

    def test_inbox(self, place: Place) -> None:
        """All of them lie there together, and a good one among them is taken."""
        inbox = place.state / "inbox" / "2206"
        inbox.mkdir(parents=True)
        for number, (data, _) in enumerate(BAD.values()):
            (inbox / f"bad{number:02d}.list").write_bytes(data)
        (inbox / "mid\nnight.list").write_bytes(b"941225 i 20200304\n")
        said = place.ok("tick")
        assert said.count(" is refused: ") == len(BAD) >= 30
        assert sorted(path.name for path in inbox.iterdir()) == ["refused", "taken"]
        for number, (_, words) in enumerate(BAD.values()):
            (why,) = (inbox / "refused").glob(f"*_bad{number:02d}.list.why")
            assert words in why.read_text()
        assert [row["expnum"] for row in place.rows("SELECT expnum FROM v_exposure")] == [941225]


def _binary(place: Place) -> None:
    place.put_list(random.Random(1).randbytes(3_000_000).replace(b"\n", b"") + b"\n" + b"\xff\xfe\x00" * 1000)


def _torn(place: Place) -> None:
    place.put_list(list_line(941300) + list_line(941301)[:40])


def _huge_line(place: Place) -> None:
    place.put_list(b"\0" * 60_000_000 + b"\n" + list_line(941300))


def _folder(place: Place) -> None:
    (place.workflow / "exposures.list").mkdir()


def _pipe(place: Place) -> None:
    os.mkfifo(place.workflow / "exposures.list")


def _other_words(place: Place) -> None:
    place.put_list(b"  941301  nite  x y z band exptime propid object teff\n" + b"x" * 100 + b"\n")


#: What becomes of an exposure that only the file could tell about: known, waits, or what the command says instead.
KNOWN, WAITS = 941300, 941301


class TestBadExposuresList:
    """Whatever exposures.list is, an exposure is queued by its number and waits for its data."""

    @pytest.mark.parametrize(
        ("spoil", "expnum", "words"),
        [
            (_folder, WAITS, "exposures.list cannot be read: Is a directory; exposures without band and nite wait"),
            (_pipe, WAITS, "exposures.list cannot be read: Not a regular file; exposures without band and nite wait"),
            (_binary, WAITS, "941301 is not in exposures.list yet: it waits for its data"),
            (_torn, WAITS, "941301 is not in exposures.list yet: it waits for its data"),
            (_huge_line, KNOWN, "1 exposure queued"),
        ],
    )
    def test_it_waits(self, tmp_path: Path, spoil: Callable[[Place], None], expnum: int, words: str) -> None:
        place = Place(tmp_path / "place")
        spoil(place)
        assert words in place.ok("queue", "add", str(expnum), "--season", "2206")
        place.ok("tick")
        (shown,) = place.rows("SELECT state, band, nite FROM v_exposure")
        known = ("i", "20200304") if expnum == KNOWN else (None, None)
        assert (shown["state"], shown["band"], shown["nite"]) == ("queued", *known)

    def test_a_line_of_nonsense_is_refused_with_its_words(self, tmp_path: Path) -> None:
        place = Place(tmp_path / "place")
        _other_words(place)
        said = place.refused("queue", "add", str(WAITS), "--season", "2206", code=2)
        assert "exposures.list gives 941301 the band 'band'" in said
