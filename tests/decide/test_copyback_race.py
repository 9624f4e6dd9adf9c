"""Jobs copy back while the daemon looks: no CCD is wrong once it is called settled.

A job's order is tarball, FAILs, forcefiles, with pauses between them; the daemon lists the forcephoto folder first and
the CCD folders after, and a listing takes time: a file that appears while it goes on may be in it or not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import cycle

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.snapshot import Ccd
from desgw_daemon.domain.states import CcdState
from tests.decide.build import POLICY, START, fits, psf, settled_ccds, submitted
from tests.decide.pnfs import Folder, Pnfs, Watch
from tests.forms import often

CCD = 5
#: Only a pair of forcefiles settles anything.
NEVER_BY_TIME = replace(POLICY, settle=timedelta(days=30))


@dataclass(frozen=True)
class Copy:
    """One file of a copy-back: seconds before it appears, and during which it shows as empty."""

    name: str
    pause: int
    filling: int


@dataclass(frozen=True)
class Job:
    """A copy-back. overlaps: the next file may come while one still shows as empty."""

    copies: tuple[Copy, ...]
    overlaps: bool

    @property
    def truth(self) -> CcdState:
        """What the CCD is when all has been copied."""
        return CcdState.FAILED if any(copy.name.endswith(".FAIL") for copy in self.copies) else CcdState.COMPLETE

    def times(self) -> Iterator[tuple[str, int, int]]:
        """For each file: when it appears, and when it is whole, in seconds after the start."""
        clock = 0
        for copy in self.copies:
            clock += copy.pause
            yield copy.name, clock, clock + copy.filling
            clock += 0 if self.overlaps else copy.filling

    def put(self, pnfs: Pnfs, moment: float) -> None:
        """Put on /pnfs what is there at that moment."""
        for name, appears, whole in self.times():
            if appears <= moment:
                folder = pnfs.ccds[CCD]
                if name.startswith("WS"):
                    pnfs.force = folder = pnfs.force or Folder()
                written = whole if whole <= moment else appears
                folder.put(name, at(written), size=1000 if whole <= moment else 0)


def jobs(*, pause: int, filling: int, pair: bool) -> st.SearchStrategy[Job]:
    """Jobs that fail or not. A failed one may leave forcefiles or not: they are made in step 28."""
    key = submitted().key
    assert key is not None
    files = (fits(CCD), psf(CCD))
    good = st.just(files) if pair else st.sampled_from([(), files[:1]])
    some = st.just(files) if pair else st.sampled_from([(), files[:1], files])
    fails = st.lists(st.sampled_from(["RUN05_a.FAIL", "RUN28_b.FAIL"]), unique=True, min_size=1).map(tuple)
    names = st.one_of(good, st.tuples(fails, some).map(lambda both: (*both[0], *both[1])))
    paces = st.lists(st.tuples(st.integers(0, pause), st.integers(0, filling)), min_size=5, max_size=5)

    def job(names: tuple[str, ...], paces: list[tuple[int, int]], overlaps: bool) -> Job:
        whole = (key.tarball(CCD), *names)
        return Job(tuple(Copy(name, *pace) for name, pace in zip(whole, paces, strict=False)), overlaps)

    return st.builds(job, names, paces, st.booleans())


def at(moment: float) -> datetime:
    """So many seconds after the start."""
    return START + timedelta(seconds=moment)


def watch_job(job: Job, looks: list[int], listing: list[float], policy: Policy) -> tuple[Watch, set[CcdState]]:
    """Look at those moments. Returns the states in which the CCD was ever called settled.

    listing: how long the listings take, one after another, in seconds.
    """
    ccds = (Ccd(exposure_id=1, ccd=CCD), *(ccd for ccd in settled_ccds() if ccd.ccd != CCD))
    watch = Watch(replace(submitted(), ccds=ccds, folders_at=START), policy)
    takes = cycle(listing)
    clock = 0.0

    def between() -> None:
        nonlocal clock
        clock += next(takes)
        job.put(watch.pnfs, clock)

    watch.pnfs.between = between
    settled = set()
    for begin in sorted(looks):
        clock = max(clock, float(begin))
        job.put(watch.pnfs, clock)
        watch.look(at(clock))
        if watch.ccd(CCD).settled_at is not None:
            settled.add(watch.ccd(CCD).state)
    return watch, settled


moments = st.lists(st.integers(0, 4000), min_size=1, max_size=30)
listings = st.lists(st.sampled_from([0.0, 0.5, 15.0]), min_size=1, max_size=5)


class TestWithItsPair:
    """A CCD that is settled by its pair is right, however long the job pauses and whenever one looks."""

    # The order counts here, not the scale: short pauses beside slow listings bring the two into conflict.
    @pytest.mark.soak
    @given(jobs(pause=5, filling=2, pair=True), st.lists(st.integers(0, 12), min_size=1, max_size=5), listings)
    @settings(max_examples=often(300))
    def test_never_wrong(self, job: Job, looks: list[int], listing: list[float]) -> None:
        _, settled = watch_job(job, looks, listing, NEVER_BY_TIME)
        event(f"settled: {sorted(settled)}")
        assert settled <= {job.truth}


class TestWithoutItsPair:
    """While the job's pauses are shorter than the settle time, a settled CCD is right, whenever one looks."""

    @pytest.mark.soak
    @given(jobs(pause=290, filling=290, pair=False), moments, listings)
    @settings(max_examples=often(150))
    def test_never_wrong(self, job: Job, looks: list[int], listing: list[float]) -> None:
        _, settled = watch_job(job, looks, listing, POLICY)
        event(f"settled: {sorted(settled)}")
        assert settled <= {job.truth}


class TestInTheEnd:
    """Whatever was seen on the way, a look at all of it after the last file knows the truth."""

    @pytest.mark.soak
    @given(jobs(pause=1500, filling=1500, pair=True), moments, listings)
    @settings(max_examples=often(100))
    def test_right(self, job: Job, looks: list[int], listing: list[float]) -> None:
        watch, _ = watch_job(job, looks, listing, POLICY)
        watch.pnfs.between = lambda: job.put(watch.pnfs, 50_000)
        job.put(watch.pnfs, 50_000)
        assert watch.look_at_all(at(50_000)).ccd(CCD).state is job.truth
