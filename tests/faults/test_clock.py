"""The running daemon while its wall clock is set, in the middle of a night: three hours forward, and back again."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from desgw_daemon.sandbox.judge import judge
from tests.faults import clocked
from tests.night.house import House, night_of, planned

FIRST, SECOND = 938524, 938525
#: Longer than dagmaker.timeout and the minute that a keeper gets.
JUMP = timedelta(hours=3)


class Clocked(House):
    """The daemon's clock is in a file."""

    @property
    def clock(self) -> Path:
        return self.root / "clock"

    def program(self) -> tuple[str, ...]:
        return (sys.executable, clocked.__file__, str(self.clock))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Clocked]:
    """The second exposure's DAGMaker is at work for a while."""
    scenario = night_of(planned(FIRST), planned(SECOND, "z"), dagmaker=3000, job=60)
    found = Clocked(tmp_path / "house", scenario, {"poll.interval": '"0.5 s"', "postproc.auto": "false"})
    found.clock.write_text("0")
    yield found
    found.close()


@pytest.mark.slow
class TestTheClockIsSet:
    """Told once; cycles go on, nothing is ended, lost or done twice, and the night ends as planned."""

    def test_forward_and_back_again(self, house: Clocked) -> None:
        house.ok("queue", "add", str(FIRST), "--season", "2206")
        house.start()
        house.wait_for("processing", FIRST)
        house.ok("queue", "add", str(SECOND), "--season", "2206")
        house.until(lambda: house.made(SECOND), "its DAGMaker runs")
        house.clock.write_text(str(JUMP.total_seconds()))
        house.until(lambda: len(house.log("clock_jumped")) == 1, "the clock is wrong")
        house.cycles(2)
        (newest,) = house.rows("SELECT started_at AS at FROM poll ORDER BY id DESC LIMIT 1")
        ahead = datetime.fromisoformat(newest["at"]).replace(tzinfo=UTC) - datetime.now(UTC)
        assert ahead > JUMP - timedelta(minutes=5), "the cycles go by the clock that was set"
        house.wait_for("processing", SECOND)
        house.clock.write_text("0")
        # The scheduler would wait for three hours; the daemon notices that within 20 s.
        house.until(lambda: len(house.log("clock_jumped")) == 2, "the clock is right again")
        house.configure("postproc.auto", "true")
        house.wait_for("done", FIRST, SECOND)
        house.cycles(2)
        house.stop()
        (alert,) = house.rows("SELECT * FROM alert WHERE severity <> 'info'")
        assert (alert["rule"], alert["times_told"]) == ("clock_jumped", 1)
        assert [line.text for line in judge(house.root, house.ok("status", "--json")).lines if not line.ok] == []
        assert (house.made(FIRST), house.made(SECOND)) == (1, 1)
