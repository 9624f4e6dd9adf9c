"""Many nights in one process, time compressed: what a daemon holds on to must not grow after the first night.

Watching alone: each night's exposures are submitted by somebody else, look by look finished on a real tree, judged, and
taken out at the end of the night. DAGMaker, the queue and post-processing are not in it.
"""

from __future__ import annotations

import gc
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Final

import pytest

from desgw_daemon.store.adding import Wish, add
from desgw_daemon.store.database import writing
from desgw_daemon.store.load import load_snapshot
from desgw_daemon.store.queue import remove
from tests.forms import LONG_FORM
from tests.observe.tree import CCDS, SEASON, Exposure

from .place import CONFIG, Place

NIGHTS: Final = 30 if LONG_FORM else 3
EXPOSURES: Final = 3
#: The CCDs come in these shares, a cycle and a half hour apart.
SHARES: Final = 4
#: After these the night's exposures have settled.
CYCLES: Final = SHARES + 4
#: What Python's own memory may vary by from night to night.
RSS_MAY_GROW: Final = 16 * 1024**2


@dataclass(frozen=True, slots=True)
class Morning:
    """What the process and its files had come to at the end of a night."""

    rss: int
    descriptors: int
    database: int
    #: The median and the longest cycle (seconds).
    cycle: float
    slowest: float
    settled: int


class Month:
    """One place, night after night."""

    def __init__(self, root: Path) -> None:
        self.place = Place(root, config=CONFIG + "[postproc]\nauto = false\n")
        self._next = 900000

    def night(self) -> Morning:
        """Exposures from their folders to their last file."""
        place, pnfs = self.place, self.place.root / "pnfs"
        exposures = [Exposure(pnfs, self._next + number).make() for number in range(EXPOSURES)]
        self._next += EXPOSURES
        with writing(place.database) as connection:
            wishes = [Wish(expnum=e.expnum, nite=e.nite, band=e.band) for e in exposures]
            add(
                connection,
                season=SEASON,
                wishes=wishes,
                priority=0,
                who="me",
                at=place.now,
                watch_only=True,
                source="a test",
            )
        took: list[float] = []
        for cycle in range(CYCLES):
            for exposure in exposures if cycle < SHARES else ():
                exposure.finish(CCDS[cycle::SHARES])
            begun = time.monotonic()
            done = place.tick(later=timedelta(minutes=30))
            took.append(time.monotonic() - begun)
            assert not done.errors, done.errors
        settled = place.rows("SELECT count(*) FROM ccd JOIN exposure e ON e.id = exposure_id WHERE e.state = 'ready'")
        with writing(place.database) as connection:
            for one in load_snapshot(connection, scope="open").exposures:
                remove(connection, one, who="me", at=place.now)
        place.wait(timedelta(hours=20))
        for folder in pnfs.iterdir():
            shutil.rmtree(folder)
        gc.collect()
        return Morning(
            rss=_rss(),
            descriptors=len(list(Path("/proc/self/fd").iterdir())),
            database=place.rows("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")[0][0],
            cycle=median(took),
            slowest=max(took),
            settled=settled[0][0],
        )


def _rss() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.soak
class TestAMonth:
    """After the first night memory and descriptors stay as they are, and the database grows by the same each night."""

    def test_is_flat(self, tmp_path: Path, counted: Callable[[str], None]) -> None:
        month = Month(tmp_path / "month")
        mornings = [month.night() for _ in range(NIGHTS)]
        month.place.remove()
        _say(mornings, counted)
        assert {morning.settled for morning in mornings} == {EXPOSURES * len(CCDS)}
        first, last = mornings[1], mornings[-1]
        assert last.descriptors == first.descriptors
        assert last.rss - first.rss < RSS_MAY_GROW
        grown = [after.database - before.database for before, after in pairwise(mornings[1:])]
        # A pace that grows with what is kept would be many times the second night's by then.
        late = median(morning.cycle for morning in mornings[-5:])
        assert late < 5 * first.cycle
        assert max(grown) < 4 * 1024 * EXPOSURES * len(CCDS)


def _say(mornings: list[Morning], counted: Callable[[str], None]) -> None:
    for number, one in enumerate(mornings, 1):
        print(
            f"| {number} | {one.rss / 1e6:.1f} | {one.descriptors} | {one.database / 1e6:.2f} | {one.cycle:.2f} |"
            f" {one.slowest:.2f} | {one.settled} |"
        )
    last = mornings[-1]
    nightly = (last.database - mornings[0].database) / (len(mornings) - 1) / 1e6
    counted(
        f"{len(mornings)} nights of {EXPOSURES} exposures: {last.rss / 1e6:.0f} MB, {last.descriptors} descriptors,"
        f" the database grows by {nightly:.2f} MB a night"
    )
