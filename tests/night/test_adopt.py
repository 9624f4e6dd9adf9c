"""`queue adopt`: exposures that somebody submitted by hand are watched to their end, and never submitted."""

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Callable

from .house import PROGRAM, House, night_of, planned
from .results import finish_ccd, put_results


class TestFinding:
    """With a nite it lists that one; without, it says how many it would list and asks, or wants --yes."""

    def test_of_one_nite(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(938524)))
        put_results(house.sandbox, 938524)
        put_results(house.sandbox, 938525, nite="20200305")
        put_results(house.sandbox, 938526, season=2208)
        said = house.ok("queue", "adopt", "--season", "2206", "--nite", "20200304")
        assert "from now on watched, and never submitted: 1 exposure of season 2206" in said
        assert house.exposure(938524)["watch_only"] == 1
        assert len(house.rows("SELECT * FROM exposure")) == 1
        assert "already there: 938524" in house.ok("queue", "adopt", "--season", "2206", "--nite", "20200304")
        assert "is a day written YYYYMMDD" in house.refused(
            "queue", "adopt", "--season", "2206", "--nite", "tonight", code=2
        )

    def test_of_all_nites(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(938524)))
        put_results(house.sandbox, 938524)
        put_results(house.sandbox, 938525, nite="20200305")
        line = house.refused("queue", "adopt", "--season", "2206", code=2)
        assert "2 nite folders" in line and "--yes" in line and "--nite" in line
        assert house.rows("SELECT * FROM exposure") == []
        assert "2 exposures" in house.ok("queue", "adopt", "--season", "2206", "--yes")
        assert "no exposure of season 2210 was found" in house.refused(
            "queue", "adopt", "--season", "2210", "--yes", code=1
        )

    def test_on_a_terminal(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(938524)))
        put_results(house.sandbox, 938524)
        for answer, code in ((b"n\n", 1), (b"y\n", 0)):
            ours, theirs = pty.openpty()
            words = [*PROGRAM, "queue", "adopt", "--season", "2206"]
            asked = subprocess.Popen(
                words, cwd=house.root, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            os.write(ours, answer)
            said, error = asked.communicate(timeout=60)
            os.close(ours)
            os.close(theirs)
            assert asked.returncode == code, (said, error)
            assert b"1 nite folder of" in said
            assert (b"nothing was done" in error) == (code == 1)
        assert house.exposure(938524)["watch_only"] == 1


class TestWatching:
    """What somebody else submitted is watched, goes to post-processing, and is never made or submitted."""

    def test_to_its_end(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(938524)))
        put_results(house.sandbox, 938524, failed=[7], unfinished=[9, 10])
        house.ok("queue", "adopt", "--season", "2206", "--yes")
        house.start()

        def reason() -> str:
            return str(house.exposure(938524)["reason"])

        house.until(lambda: "2 CCDs still to come" in reason(), "it says what it waits for")
        assert "submitted by somebody else" in reason()
        for ccd in (9, 10):
            finish_ccd(house.sandbox, 938524, ccd)
        house.wait_for("done", 938524)
        row = house.exposure(938524)
        assert (row["ccds_complete"], row["ccds_failed"]) == (58, 1)
        assert house.runs("DAGMaker.sh") == []
        assert house.rows("SELECT * FROM submission") == []
        (run,) = house.runs("run_postproc.py")
        assert run.rc == 0

    def test_what_never_comes_is_lost_in_the_end(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(938524)), {"readiness.adopted_deadline": '"2 s"'})
        put_results(house.sandbox, 938524, unfinished=[9])
        house.ok("queue", "adopt", "--season", "2206", "--yes")
        house.start()
        house.wait_for("done", 938524)
        assert house.exposure(938524)["ccds_lost"] == 1

    def test_retried_it_is_watched_anew(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(938524)))
        put_results(house.sandbox, 938524, failed=range(3, 15))
        house.ok("queue", "adopt", "--season", "2206", "--yes")
        house.start()
        house.wait_for("attention", 938524)
        # Somebody has its CCDs done again.
        for ccd in range(3, 15):
            (fail,) = (house.sandbox.pnfs / "exp" / "20200304" / "938524" / "dp2206" / f"i_{ccd:02d}").glob("*.FAIL")
            fail.unlink()
            finish_ccd(house.sandbox, 938524, ccd)
        assert "watched anew" in house.ok("queue", "retry", "938524")
        house.wait_for("done", 938524)
        assert house.runs("DAGMaker.sh") == []
