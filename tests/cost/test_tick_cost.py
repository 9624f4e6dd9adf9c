"""What a tick of the real program costs on /pnfs, counted from outside with strace, beside the floor."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from .counted import CALLS_A_LISTING, COLD_LISTINGS, FILES_A_CCD, ROOT_LISTINGS, UNSETTLED, Cost, Watched

EXPOSURES = 3
#: Nobody knows yet how large these will be.
STILL_EMPTY = 2


@dataclass(frozen=True, slots=True)
class Night:
    """The costs of the ticks of one small night, in their order."""

    cold: Cost
    nothing_changed: Cost
    ccds_finished: Cost
    all_settled: Cost


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Night:
    """A tree that nobody has looked at, then as it comes to its end. Two files are still empty at first."""
    watched = Watched(tmp_path_factory.mktemp("night") / "place", EXPOSURES)
    first = watched.exposures[0]
    empty = (first.tarball(UNSETTLED[0]), first.pair(UNSETTLED[0])[1])
    for file in empty:
        file.touch()
    watched.adopt()
    cold = watched.tick()
    nothing_changed = watched.tick()
    for exposure in watched.exposures:
        exposure.finish(UNSETTLED)
    ccds_finished = watched.tick()
    return Night(cold, nothing_changed, ccds_finished, watched.tick())


class TestColdTick:
    """A tree that nobody has looked at costs at most 1.1 times 305 calls an exposure, and one stat for each result."""

    def test_calls(self, night: Night) -> None:
        files = EXPOSURES * FILES_A_CCD * (59 - len(UNSETTLED)) + STILL_EMPTY
        floor = EXPOSURES * COLD_LISTINGS * CALLS_A_LISTING
        assert floor + files <= night.cold.total <= 1.1 * floor + files
        assert night.cold.seen_stats == files

    def test_nothing_is_opened_but_folders(self, night: Night) -> None:
        assert night.cold.files_opened == 0


class TestWarmTick:
    """One listing for each unsettled CCD and each open exposure, and a stat only where a size may still change."""

    def check(self, cost: Cost, stats: int) -> None:
        listings = EXPOSURES * (len(UNSETTLED) + 1)
        assert listings <= cost.seen_listings <= listings + ROOT_LISTINGS
        assert cost.seen_stats == stats
        assert cost.total <= (listings + ROOT_LISTINGS) * CALLS_A_LISTING + stats

    def test_nothing_changed(self, night: Night) -> None:
        self.check(night.nothing_changed, STILL_EMPTY)

    def test_ccds_finished(self, night: Night) -> None:
        self.check(night.ccds_finished, EXPOSURES * len(UNSETTLED) * FILES_A_CCD)


class TestSettled:
    """What is settled is not looked at, not even the root."""

    def test_no_call(self, night: Night) -> None:
        assert (night.all_settled.total, night.all_settled.listings) == (0, 0)


class TestOwnCount:
    """What the daemon writes into `poll` is what strace has seen."""

    @pytest.mark.parametrize("tick", Night.__slots__)
    def test_counts(self, night: Night, tick: str) -> None:
        cost: Cost = getattr(night, tick)
        assert (cost.listings, cost.stats, cost.reads) == (cost.seen_listings, cost.seen_stats, cost.files_opened)
