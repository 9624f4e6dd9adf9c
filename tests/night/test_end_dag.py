"""`queue remove --dag`: what runs is ended, what was never taken is given up."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from pathlib import Path

from .filepool import FilePool, dag_ad
from .house import House, night_of, planned
from .test_resolve import EXPNUM, TAG, submission, ticks_until


class TestEnded:
    """A person may end a DAG in any state, and the history says who did."""

    def test_never_taken(self, make_house: Callable[..., House], tmp_path: Path) -> None:
        """Refused for a cause that passes: it is not tried again, and a new attempt may follow."""
        pool = FilePool(tmp_path / "pool")
        house = make_house(night_of(planned(EXPNUM)), pool.settings)
        house.ok("queue", "add", str(EXPNUM), "--season", "2206")
        pool.says("ERROR: Can't find address of local schedd")
        ticks_until(house, "intent")
        assert pool.submissions() == 1
        assert "may still run" in house.refused("queue", "remove", str(EXPNUM), code=1)
        said = house.ok("queue", "remove", "--dag", str(EXPNUM))
        assert f"its DAG {TAG} was not taken yet, and is given up" in said
        house.tick()
        exposure = house.exposure(EXPNUM)
        assert exposure["state"] == "attention"
        assert str(exposure["reason"]).startswith("its DAG was never submitted: given up by hand before it was taken")
        (change,) = house.rows("SELECT * FROM v_history WHERE kind = 'submission' AND after = 'removed'")
        assert (change["before"], change["who"]) == ("intent", getpass.getuser())
        pool.says("submitted to cluster 164.")
        pool.takes([dag_ad(TAG.replace("a1", "a2"), EXPNUM, cluster=164)])
        house.ok("queue", "retry", str(EXPNUM))
        ticks_until(house, "running")
        assert (submission(house)["attempt"], pool.submissions()) == (2, 2)

    def test_a_silent_queue(self, make_house: Callable[..., House], tmp_path: Path) -> None:
        """Nothing is said to be ended that may go on."""
        pool = FilePool(tmp_path / "pool")
        house = make_house(night_of(planned(EXPNUM)), pool.settings)
        house.ok("queue", "add", str(EXPNUM), "--season", "2206")
        pool.takes([dag_ad(TAG, EXPNUM)])
        ticks_until(house, "running")
        pool.silent()
        assert "the queue gives no answer" in house.refused("queue", "remove", "--dag", str(EXPNUM), code=1)
        assert submission(house)["state"] == "running"
