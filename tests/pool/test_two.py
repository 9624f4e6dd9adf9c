"""Two daemons with a state folder each, on one workflow folder, one /pnfs and one pool, in the same season."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from tests.condorpool import Pool
from tests.night.house import House, night_of, planned

SHARED, OWN = 938524, 938525


class SecondHouse(House):
    """Another daemon in the sandbox of a house, with a state folder of its own."""

    def __init__(self, first: House) -> None:
        self.sandbox = first.sandbox
        self.season = first.season
        self.root = first.root
        self.state = first.root / "state-2"
        self.state.mkdir()
        self.daemon = None
        self._said = self.root / "daemon-2.err"
        self._deadline = first._deadline
        self._cold = first._cold
        text = first.sandbox.config.read_text()
        self.config = self.root / "daemon-2.toml"
        self.config.write_text(text.replace('state = "state"', 'state = "state-2"'))


@pytest.mark.slow
class TestTwoDaemons:
    """An exposure that is queued at both is submitted by one; the other sees its DAG, waits, and says for whom."""

    def test_share_a_season(self, pool: Pool, make_house: Callable[..., House]) -> None:
        first = make_house(night_of(planned(SHARED), planned(OWN), job=500))
        season = str(first.season)
        second = SecondHouse(first)
        try:
            for house, expnums in ((first, (SHARED,)), (second, (SHARED, OWN))):
                house.ok("queue", "add", *map(str, expnums), "--season", season)
            first.start()
            first.wait_for("processing", SHARED)
            second.start()
            tag = f"dp{season}_20200304_{SHARED}_a1"
            second.until(
                lambda: tag in second.exposure(SHARED)["reason"], "the second one waits for the first one's DAG"
            )
            first.wait_for("done", SHARED)
            second.wait_for("done", SHARED, OWN)
        finally:
            second.close()
        tags = Counter(dag["DesgwTag"] for dag in pool.dags() if dag["DesgwTag"].startswith(f"dp{season}_"))
        assert tags == {tag: 1, f"dp{season}_20200304_{OWN}_a1": 1}
