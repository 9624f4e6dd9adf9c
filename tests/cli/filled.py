"""A database as a night leaves it: 62 exposures of two nites and two seasons, in every state, made by the store's own
functions. Their reasons are those of the plan. Nothing of the pipeline lies on disk.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from desgw_daemon.domain.decam import SEARCH_CCDS
from desgw_daemon.domain.states import CcdState, MakingState, SubmissionState
from desgw_daemon.store.adding import Wish, add
from desgw_daemon.store.database import create_or_check, writing
from desgw_daemon.store.looks import record_look
from desgw_daemon.store.queue import hold, remove

from .night import Night

SEASON, OTHER_SEASON = 2206, 2208
NITES: Final = ("20261120", "20261121")
#: One exposure number that is known in two nites of the season, and one of two seasons.
TWO_NITES, TWO_SEASONS = 1200105, 1200106

#: What is special about exposures, by number; all others have come well through their CCDs, or still run.
DONE: Final = range(1200100, 1200120)
IN_RUN: Final = range(1200120, 1200130)
FULL, PARTIAL, SURPLUS, FEW, HELD, NEARLY, UNSEEN = range(1200200, 1200207)
EARLY: Final = range(1200207, 1200219)
NO_TEMPLATES, REFUSED, MAKING, MADE, IN_DOUBT, REMOVED, NO_DATA = range(1200219, 1200226)
QUEUED: Final = range(1200226, 1200230)
WATCHED: Final = 1200230


def fill(path: Path, end: datetime) -> None:
    """Make the database of a night that is under way at `end`."""
    engine = create_or_check(path)
    with writing(engine) as connection:
        night = Night(connection, season=SEASON, end=end)
        _last_night(night)
        _this_night(night)
        night.ago(seconds=5)
        night.plan_for()
        night.cycles(minutes=30)
    engine.dispose()


FAILED: Final = (CcdState.FAILED, "RUN18_search.FAIL")
PENDING: Final = (CcdState.PENDING, None)
LOST: Final = (CcdState.LOST, "its DAG ended at 2026-11-22T01:10:00Z (done) and left no sign")
BROKEN: Final = (CcdState.BROKEN, "its tarball is empty since 2026-11-22T00:40:00Z")
MISSING: Final = (CcdState.MISSING, "it has no folder on /pnfs")


def _last_night(night: Night) -> None:
    everything = (*DONE, *IN_RUN)
    night.ago(hours=32)
    night.queue(everything, "i", NITES[0])
    night.ago(hours=30)
    night.submit(*everything, state=SubmissionState.DONE, why="all its jobs ended with exit code 0")
    night.ago(hours=27)
    for expnum in everything:
        signs = {5: FAILED, 44: (CcdState.FAILED, "NOOVERLAPS.FAIL")} if expnum % 3 else {}
        night.look(night.exposure(expnum), signs)
    night.plan_for()
    night.run(1, DONE, ended=True)
    night.ago(minutes=50)
    night.run(2, IN_RUN, ended=False)


def _this_night(night: Night) -> None:
    night.ago(hours=6)
    night.queue([TWO_NITES, *range(FULL, NO_DATA), *QUEUED], "r", NITES[1])
    night.queue([NO_DATA], None, None)
    other = Night(night.connection, season=OTHER_SEASON, end=night.at)
    other.queue([TWO_SEASONS], "i", NITES[0])
    hold(other.connection, other.exposure(TWO_SEASONS), who="observer", why="for tomorrow", at=other.at)
    remove(night.connection, night.exposure(REMOVED), who="observer", at=night.at)
    night.ago(hours=4)
    night.submit(FULL, PARTIAL, FEW, SURPLUS, state=SubmissionState.DONE, why="all its jobs ended with exit code 0")
    night.ago(minutes=40)
    few = dict.fromkeys(SEARCH_CCDS[:11], FAILED) | {40: MISSING, 41: BROKEN, 42: LOST, 43: LOST}
    night.look(night.exposure(FULL), {7: FAILED})
    night.look(night.exposure(PARTIAL), {40: MISSING, 55: LOST}, lacking=5)
    night.look(night.exposure(FEW), few)
    night.look(night.exposure(SURPLUS), {12: LOST})
    before = night.whole(SURPLUS)
    extra = before.forcefiles[0]
    extra = replace(extra, name=extra.name.replace("_r_01", "_r_12"), ccd=12)
    night.record(before, replace(before, forcefiles=(*before.forcefiles, extra)))
    night.plan_for(FULL, PARTIAL, FEW, SURPLUS)
    _running(night)
    night.ago(hours=2)
    tail = "NO TEMPLATE IMAGES, DIFFIMG WILL FAIL; its last lines: no overlapping images / exit 0"
    night.make(NO_TEMPLATES, state=MakingState.FAILED, why=tail)
    syntax = f"Syntax Error at file desgw_pipeline_{REFUSED}.dag line 12"
    night.submit(REFUSED, state=SubmissionState.REJECTED, why=syntax)
    night.ago(minutes=14)
    night.make(MAKING, state=MakingState.RUNNING)
    night.make(MADE)
    night.submit(IN_DOUBT, state=SubmissionState.UNKNOWN, why="the queue does not know it (first answer)")
    _watch_only(night)


def _running(night: Night) -> None:
    """Those whose DAGs run, further and less far."""
    running = (HELD, NEARLY, UNSEEN, *EARLY)
    night.ago(hours=3)
    night.submit(*running)
    for number, expnum in enumerate(running):
        done = SEARCH_CCDS[: 59 - 4 * number] if number < 13 else ()
        night.ago(minutes=9 if expnum == UNSEEN else 1)
        signs: dict[int, tuple[CcdState, str | None]] = {ccd: PENDING for ccd in SEARCH_CCDS if ccd not in done}
        night.look(night.exposure(expnum), signs | ({3: FAILED} if number % 2 else {}))
    hold(night.connection, night.exposure(HELD), who="observer", why="look at its sky first", at=night.at)
    before = night.whole(UNSEEN)
    problem = f"exp/{NITES[1]}/{UNSEEN}/dp{SEASON}/r_09: Input/output error"
    unseen = replace(before, unseen_since=night.end - timedelta(minutes=8), unseen_problem=problem)
    record_look(night.connection, before, unseen, at=night.at)


def _watch_only(night: Night) -> None:
    """One that somebody submitted by hand."""
    night.ago(hours=5)
    wish = Wish(expnum=WATCHED, band="r", nite=NITES[1])
    add(
        night.connection,
        season=SEASON,
        wishes=[wish],
        priority=0,
        who="observer",
        at=night.at,
        watch_only=True,
        source="queue adopt",
    )
    night.ago(minutes=30)
    night.look(night.exposure(WATCHED), dict.fromkeys(SEARCH_CCDS[20:], PENDING))
