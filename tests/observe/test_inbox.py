"""The inbox: lists are seen when they have come to rest, and what can be none is refused with words."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desgw_daemon.observe.inbox import InboxScan, scan_inbox, target_name
from desgw_daemon.observe.lists import MAX_BYTES, RefusedList, parse_list

SETTLE = timedelta(seconds=5)


def scan(folder: Path, *, later: timedelta = timedelta(minutes=1)) -> InboxScan:
    return scan_inbox(folder, settle=SETTLE, now=datetime.now(UTC) + later)


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    (tmp_path / "inbox" / "2206").mkdir(parents=True)
    return tmp_path / "inbox"


class TestRest:
    """A list is taken when nothing was written to it for the settle time, whatever mtime it was given."""

    def test_not_before(self, inbox: Path) -> None:
        path = inbox / "2206" / "tonight.list"
        path.write_text("941225 i\n")
        early = scan(inbox, later=timedelta(seconds=4))
        assert (early.lists, early.unsettled) == ((), 1)
        late = scan(inbox, later=timedelta(seconds=6))
        (found,) = late.lists
        assert (found.path, found.season, found.data, late.unsettled) == (path, 2206, b"941225 i\n", 0)

    def test_a_copy_that_keeps_the_old_mtime_is_young(self, inbox: Path) -> None:
        path = inbox / "2206" / "tonight.list"
        path.write_text("941225 i\n")
        os.utime(path, (1e9, 1e9))
        assert scan(inbox, later=timedelta(0)).unsettled == 1

    def test_a_single_scan_is_enough(self, inbox: Path) -> None:
        """A `tick` is a process of its own: it has no memory of the one before."""
        (inbox / "2206" / "tonight.list").write_text("941225 i\n")
        end = time.monotonic() + 20
        while not scan_inbox(inbox, settle=timedelta(milliseconds=200), now=datetime.now(UTC)).lists:
            assert time.monotonic() < end


class TestWhatCounts:
    """Only .list files in SEASON folders count; what is refused or ignored says why."""

    def test_names(self, inbox: Path) -> None:
        names = [
            "two words.list",
            "semi;colon$(x).list",
            "new\nline.list",
            "é.list",
            os.fsdecode(b"\xff.list"),
            ".list.list",
        ]
        for name in names:
            (inbox / "2206" / name).write_text("941225 i\n")
        for name in ("tonight.list.part", "notes.txt", "tonight"):
            (inbox / "2206" / name).write_text("?")
        (inbox / "2206" / ".tonight.list.swp").write_text("?")
        seen = scan(inbox)
        assert {found.path.name for found in seen.lists} == set(names) - {".list.list"}
        assert seen.refused == ()
        assert len(seen.ignored) == 3
        assert "2206/notes.txt is not taken: its name does not end in .list" in seen.ignored
        assert all(words.isprintable() for words in seen.ignored)

    def test_links_folders_and_pipes_are_refused(self, inbox: Path) -> None:
        season = inbox / "2206"
        (inbox / "real").write_text("941225 i\n")
        (season / "a.list").symlink_to(inbox / "real")
        (season / "b.list").symlink_to(season / "b.list")
        (season / "c.list").mkdir()
        os.mkfifo(season / "d.list")
        seen = scan(inbox)
        assert seen.lists == ()
        assert {entry.path.name: entry.problem for entry in seen.refused} == {
            "a.list": "it is a link: copy the list itself",
            "b.list": "it is a link: copy the list itself",
            "c.list": "it is no file",
            "d.list": "it is no file",
        }
        assert seen.ignored == ("real is neither the folder of a season nor a list",)

    def test_a_list_without_a_season(self, inbox: Path) -> None:
        (inbox / "tonight.list").write_text("941225 i\n")
        (refused,) = scan(inbox).refused
        assert refused.problem == "it lies beside the folders of the seasons: drop it into inbox/SEASON/"

    def test_what_was_taken_or_refused_is_left_alone(self, inbox: Path) -> None:
        for folder in (inbox, inbox / "2206"):
            for name in ("taken", "refused"):
                (folder / name).mkdir()
                (folder / name / "old.list").write_text("941225 i\n")
        assert scan(inbox) == InboxScan(lists=(), refused=(), unsettled=0, ignored=(), problems=())

    def test_too_much_is_read_no_further_than_needed_to_refuse_it(self, inbox: Path) -> None:
        (inbox / "2206" / "big.list").write_bytes(b"941225\n" * MAX_BYTES)
        (found,) = scan(inbox).lists
        assert len(found.data) == MAX_BYTES + 1
        assert isinstance(parse_list(found.data), RefusedList)


class TestSeasons:
    """A list is taken for a season that may be used, and refused with the reason for any other."""

    @pytest.mark.parametrize("season", ["11", "20", "99", "100", "2206", "4999", "5001", "999999"])
    def test_allowed(self, inbox: Path, season: str) -> None:
        (inbox / season).mkdir(exist_ok=True)
        (inbox / season / "a.list").write_text("941225 i\n")
        assert [found.season for found in scan(inbox).lists] == [int(season)]

    @pytest.mark.parametrize(
        ("season", "words"),
        [
            *((season, "belong to the SN group") for season in ("1", "10")),
            *((season, "is reserved") for season in ("5000", "6000")),
            *((season, "must be a season") for season in ("0", "02206", "dp2206", "22 06", "2206\n", "²", "-5")),
            ("1234567", "too large"),
        ],
    )
    def test_refused(self, inbox: Path, season: str, words: str) -> None:
        (inbox / season).mkdir()
        (inbox / season / "a.list").write_text("941225 i\n")
        seen = scan(inbox)
        assert seen.lists == ()
        (refused,) = seen.refused
        assert words in refused.problem
        assert refused.problem.isprintable()


class TestOddInboxes:
    """An inbox that is away, or a list that goes away, is no error."""

    def test_away(self, tmp_path: Path) -> None:
        seen = scan(tmp_path / "none")
        assert seen.problems == (f"{tmp_path / 'none'} cannot be read: No such file or directory",)

    def test_a_linked_season_is_not_followed(self, inbox: Path) -> None:
        (inbox / "2207").symlink_to(inbox / "2206")
        (inbox / "2206" / "a.list").write_text("941225 i\n")
        seen = scan(inbox)
        assert [found.season for found in seen.lists] == [2206]
        assert seen.ignored == ("2207 is neither the folder of a season nor a list",)


class TestTargetName:
    """The name in taken/ or refused/ begins with the time, overwrites nothing and fits."""

    NOW = datetime(2026, 11, 22, 2, 14, 5, tzinfo=UTC)

    def test_plain(self) -> None:
        assert target_name("tonight.list", self.NOW, ()) == "20261122T021405Z_tonight.list"
        taken = {"20261122T021405Z_tonight.list", "20261122T021405Z_tonight_2.list"}
        assert target_name("tonight.list", self.NOW, taken) == "20261122T021405Z_tonight_3.list"

    @given(st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), max_size=300), st.integers(0, 5))
    def test_any(self, stem: str, drops: int) -> None:
        taken: set[str] = set()
        for _ in range(drops + 1):
            name = target_name(stem + ".list", self.NOW, taken)
            assert name not in taken
            assert len(os.fsencode(name + ".why")) <= 255
            assert name.endswith(".list")
            taken.add(name)
