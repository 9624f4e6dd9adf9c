"""Lists dropped into the inbox of a running daemon."""

from __future__ import annotations

import getpass
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from .house import House, night_of, planned


def idle(make_house: Callable[..., House], *, interval: str = "10 min", settle: str = "500 ms") -> House:
    """A daemon that waits for its inbox: what it does, it does because something lies there. All is paused."""
    scenario = night_of(planned(938524), planned(938525), planned(938526, "VR"))
    house = make_house(scenario, {"poll.interval": f'"{interval}"', "queue.inbox_settle": f'"{settle}"'})
    house.ok("pause")
    house.start()
    house.until(lambda: house.rows("SELECT * FROM v_poll WHERE ended_at IS NOT NULL"), "the first cycle is over")
    return house


def season_folder(house: House, season: str = "2206") -> Path:
    folder = house.state / "inbox" / season
    folder.mkdir(exist_ok=True)
    return folder


def expnums(house: House) -> list[int]:
    return [row["expnum"] for row in house.rows("SELECT expnum FROM exposure ORDER BY expnum")]


def in_taken(house: House) -> list[str]:
    return sorted(path.name.split("_", 1)[1] for path in (season_folder(house) / "taken").glob("*"))


class TestTaken:
    """A dropped list is noticed by itself, taken once it has come to rest, and lies in taken/ afterwards."""

    def test_while_the_cycles_are_far_apart(self, make_house: Callable[..., House]) -> None:
        house = idle(make_house)
        # Into a folder that is made while the daemon watches.
        (season_folder(house) / "tonight.list").write_text("938524\n938525 i\n")
        house.until(lambda: in_taken(house) == ["tonight.list"], "it is taken")
        assert expnums(house) == [938524, 938525]
        assert len(house.rows("SELECT * FROM v_poll")) <= 4
        assert house.exposure(938524)["added_by"] == getpass.getuser(), "whoever the file belongs to"
        (taken,) = house.log("list_taken")
        assert "2 exposures queued for season 2206" in taken["text"] and taken["season"] == 2206
        # The same name again: nothing is overwritten, and what is there already is harmless.
        (season_folder(house) / "tonight.list").write_text("938524\n941225 z 20200305\n")
        house.until(lambda: len(in_taken(house)) == 2, "the second one is taken")
        assert expnums(house) == [938524, 938525, 941225]

    def test_dropped_just_before_the_start(self, make_house: Callable[..., House]) -> None:
        """Too young for the first cycle: it does not wait for the next one, which is far away."""
        house = idle(make_house, settle="3 s")
        house.stop()
        (season_folder(house) / "tonight.list").write_text("938524\n")
        house.start()
        house.until(lambda: in_taken(house) == ["tonight.list"], "it is taken")
        assert expnums(house) == [938524]

    def test_one_that_grows(self, make_house: Callable[..., House]) -> None:
        """Each pause is shorter than the settle time, all of them together are longer."""
        house = idle(make_house, interval="100 ms", settle="3 s")
        path = season_folder(house) / "slow.list"
        with path.open("w") as file:
            for expnum in range(941225, 941233):
                file.write(f"{expnum} i 20200304\n")
                file.flush()
                begun = time.monotonic()
                house.cycles(1)
                while time.monotonic() - begun < 0.6:
                    time.sleep(0.02)
                assert expnums(house) == [], "taken while it was being written"
        house.until(lambda: in_taken(house) == ["slow.list"], "it is taken")
        assert expnums(house) == list(range(941225, 941233))

    def test_odd_names(self, make_house: Callable[..., House]) -> None:
        house = idle(make_house)
        for number, name in enumerate(["two words.list", "new\nline.list", os.fsdecode(b"\xff\xfe.list"), "é.list"]):
            (season_folder(house) / name).write_text(f"{941225 + number} i 20200304\n")
        house.until(lambda: len(in_taken(house)) == 4, "all are taken")
        assert expnums(house) == [941225, 941226, 941227, 941228]
        # One line each, in the log and on the terminal.
        assert len(house.log("list_taken")) >= 4
        sources = [row["why"] for row in house.rows("SELECT why FROM v_history WHERE after = 'queued'")]
        assert all("\n" not in why for why in sources)


class TestRefused:
    """What cannot be taken lies in refused/ with a .why beside it, and nothing of it is queued."""

    def test_for_its_reason(self, make_house: Callable[..., House]) -> None:
        house = idle(make_house)
        folder = season_folder(house)
        bad = {
            "vr.list": "938524\n938526\n",
            "other_band.list": "938524 z\n",
            "words.list": "938524\nplease do these\n",
            "empty.list": "",
        }
        for name, text in bad.items():
            (folder / name).write_text(text)
        (folder / "link.list").symlink_to(folder / "vr.list")
        (folder / "folder.list").mkdir()
        (season_folder(house, "5000") / "reserved.list").write_text("938524\n")
        (season_folder(house, "tonight") / "no_season.list").write_text("938524\n")
        (house.state / "inbox" / "beside.list").write_text("938524\n")
        reasons = {
            "vr.list": "938526 is in VR",
            "other_band.list": "938524 is i in exposures.list, not z",
            "words.list": "line 2:",
            "empty.list": "names no exposure",
            "link.list": "it is a link",
            "folder.list": "it is no file",
            "reserved.list": "season 5000 is reserved",
            "no_season.list": "tonight",
            "beside.list": "beside the folders of the seasons",
        }

        def whys() -> dict[str, str]:
            found = (house.state / "inbox").glob("**/refused/*.why")
            return {path.name.split("_", 1)[1].removesuffix(".why"): path.read_text() for path in found}

        house.until(lambda: len(whys()) == len(reasons), "all are refused")
        for name, words in reasons.items():
            assert words in whys()[name], (name, whys()[name])
        assert expnums(house) == []
        assert len(house.log("list_refused")) == len(reasons)
        left = [path for path in (house.state / "inbox").glob("*/*.list") if path.parent.name != "refused"]
        assert left == []

    def test_somebody_is_told_until_it_is_mended(self, make_house: Callable[..., House]) -> None:
        """Whoever dropped it believes that its exposures are under way."""
        house = idle(make_house, interval="300 ms")
        path = season_folder(house) / "tonight.list"
        path.write_text("938524\nplease do these\n")
        house.until(lambda: house.alerts("list_refused"), "an alert")
        text = house.alerts("list_refused")[0]["text"]
        assert "2206/tonight.list" in text
        assert "line 2:" in text
        house.stop()
        house.start()
        path.write_text("938524\n")
        house.until(lambda: house.alerts("list_refused")[0]["cleared_at"], "it was mended and dropped again")
        assert expnums(house) == [938524]
        assert len(house.alerts("list_refused")) == 1

    def test_taken_away(self, make_house: Callable[..., House]) -> None:
        house = idle(make_house, interval="300 ms")
        (season_folder(house) / "tonight.list").write_text("")
        house.until(lambda: house.alerts("list_refused"), "an alert")
        for path in (season_folder(house) / "refused").iterdir():
            path.unlink()
        house.until(lambda: house.alerts("list_refused")[0]["cleared_at"], "it was taken away")


class TestWhatIsNoList:
    """A file that is not named .list stays, and people are told once."""

    def test_is_named_in_an_alert(self, make_house: Callable[..., House]) -> None:
        house = idle(make_house, interval="300 ms")
        path = season_folder(house) / "tonight.txt"
        path.write_text("938524\n")
        house.until(lambda: house.alerts("inbox_ignored"), "an alert")
        assert (
            "2206/tonight.txt is not taken: its name does not end in .list" in house.alerts("inbox_ignored")[0]["text"]
        )
        path.rename(path.with_suffix(".list"))
        house.until(lambda: expnums(house) == [938524], "renamed, it is taken")
        house.until(lambda: house.alerts("inbox_ignored")[0]["cleared_at"], "the alert is over")
        assert len(house.alerts("inbox_ignored")) == 1


class TestACrash:
    """A list that was queued and not moved, since the daemon was killed in between, is taken again: nothing comes of
    it."""

    def test_in_between(self, make_house: Callable[..., House]) -> None:
        house = idle(make_house)
        house.stop(signal.SIGKILL)
        path = season_folder(house) / "tonight.list"
        path.write_text("938524\n938525\n")
        house.ok("queue", "add", str(path), "--season", "2206")
        before = house.rows("SELECT * FROM v_history")
        house.start()
        house.until(lambda: in_taken(house) == ["tonight.list"], "it is taken")
        assert house.rows("SELECT * FROM v_history") == before


class TestAnUnwritableFolder:
    """A list that could not be moved is not queued either: it would bring back what a person removes."""

    def test_keeps_it_and_says_so(self, make_house: Callable[..., House]) -> None:
        house = idle(make_house, interval="300 ms")
        folder = season_folder(house)
        (folder / "taken").write_text("in the way\n")
        (folder / "tonight.list").write_text("938524\n")
        house.until(lambda: house.alerts("inbox"), "an alert")
        text = str(house.alerts("inbox")[0]["text"])
        assert "tonight.list stays" in text and "desgw-daemon queue add FILE" in text
        assert expnums(house) == []
        (folder / "taken").unlink()
        house.until(lambda: in_taken(house) == ["tonight.list"], "it is taken")
        house.until(lambda: house.alerts("inbox")[0]["cleared_at"], "the alert is over")


class TestATick:
    """A single tick takes lists as the daemon does."""

    def test_by_hand(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(938524)), {"queue.inbox_settle": '"50 ms"'})
        house.ok("pause")
        (house.state / "inbox").mkdir()
        (season_folder(house) / "tonight.list").write_text("938524\n")
        house.until(lambda: house.tick() and expnums(house), "it is taken")
        (entry,) = json.loads(house.ok("queue", "list", "--json"))
        assert (entry["expnum"], entry["band"]) == (938524, "i")
