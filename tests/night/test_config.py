"""A changed daemon.toml under the running daemon: taken up when saved, refused when broken."""

from __future__ import annotations

import signal
from collections.abc import Callable

from .house import House, night_of, planned


def running(make_house: Callable[..., House]) -> House:
    """A daemon whose cycles are far apart: what comes sooner comes of the change."""
    house = make_house(night_of(planned(938524)), {"poll.interval": '"10 min"'})
    house.start()
    house.until(lambda: house.rows("SELECT * FROM v_poll WHERE ended_at IS NOT NULL"), "the first cycle is over")
    return house


def taken(house: House) -> list[str]:
    return [record["text"] for record in house.log("config_taken")]


class TestASavedFile:
    """It is taken up at once, however it was saved, and on SIGHUP; each change is told with both values."""

    def test_in_each_way(self, make_house: Callable[..., House]) -> None:
        house = running(make_house)
        house.configure("submit.max_in_flight", "7")
        house.until(lambda: taken(house) == ["submit.max_in_flight: 4 -> 7"], "a file that was written in place")
        new = house.root / "daemon.toml.new"
        new.write_text(house.config_with("dagmaker.max_at_once", "2"))
        new.replace(house.sandbox.config)
        house.until(lambda: taken(house)[1:] == ["dagmaker.max_at_once: 3 -> 2"], "a file that was put in its place")
        assert house.daemon is not None
        polls = len(house.rows("SELECT * FROM v_poll"))
        house.daemon.send_signal(signal.SIGHUP)
        house.until(lambda: len(house.rows("SELECT * FROM v_poll")) > polls, "SIGHUP looks at once")
        assert len(taken(house)) == 2, "nothing had changed"

    def test_a_key_that_needs_a_restart_says_so(self, make_house: Callable[..., House]) -> None:
        house = running(make_house)
        house.configure("poll.interval", '"1 s"')
        (said,) = house.until(lambda: house.log("config_needs_restart"), "it says so")
        assert "poll.interval" in said["text"] and "takes effect when the daemon is started again" in said["text"]
        # It is told once for each change, and the others are taken up beside it.
        house.configure("submit.max_in_flight", "9")
        house.until(lambda: taken(house), "the other change")
        assert taken(house) == ["submit.max_in_flight: 4 -> 9"]


class TestABrokenEdit:
    """It is refused with one alert that names the line; the values before it stay in force until it is mended."""

    def test_is_refused(self, make_house: Callable[..., House]) -> None:
        house = running(make_house)
        good = house.sandbox.config.read_text()
        for broken in ("max_in_flight = 0", "max_in_fligth = 5"):
            house.sandbox.config.write_text(good.replace("max_in_flight = 4", broken))

            def told(key: str = broken.split()[0]) -> bool:
                return [key in alert["text"] for alert in house.alerts("config_refused")] == [True]

            house.until(told, f"one alert that names {broken}")
        (alert,) = house.alerts("config_refused")
        assert "line 2" in alert["text"] and "stay in force" in alert["text"]
        assert len(house.log("config_refused")) == 2
        assert house.daemon is not None and house.daemon.poll() is None
        house.sandbox.config.write_text(good.replace("max_in_flight = 4", "max_in_flight = 5"))
        house.until(lambda: taken(house) == ["submit.max_in_flight: 4 -> 5"], "the mended file")
        house.until(lambda: house.alerts("config_refused")[0]["cleared_at"], "the alert is over")
        assert len(house.alerts("config_refused")) == 1

    def test_a_deleted_file_is_no_news(self, make_house: Callable[..., House]) -> None:
        house = running(make_house)
        text = house.sandbox.config.read_text()
        house.sandbox.config.unlink()
        house.sandbox.config.write_text(text.replace("max_in_flight = 4", "max_in_flight = 6"))
        house.until(lambda: taken(house) == ["submit.max_in_flight: 4 -> 6"], "the new file")
        assert house.alerts("config_refused") == []
