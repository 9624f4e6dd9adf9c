"""Faults of what comes back from the grid, and of post-processing."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from desgw_daemon.sandbox.moves import EMPTY_TARBALL, SE_FAILS
from desgw_daemon.sandbox.scenario import Postproc, Scenario
from tests.night.house import planned

from .fault import LATE, Fault, short_night
from .night import DrillNight


def _told(rule: str, night: DrillNight) -> None:
    night.breaks()
    night.told(rule, within=25)


def _postproc(**habits: object) -> Scenario:
    return replace(short_night(), postproc=replace(Postproc(), **habits))  # type: ignore[arg-type]  # by name


def _run_hangs(night: DrillNight) -> None:
    night.breaks()
    night.house.until(lambda: len(night.house.rows("SELECT 1 FROM v_exposure")) == 2, "the late list is taken")
    night.house.configure("postproc.auto", "true")
    night.told("postproc_silent", within=40)
    night.house.cycles(3)
    night.heals()
    night.house.order_postproc(stops=None)


def _run_dies(night: DrillNight) -> None:
    night.breaks()
    night.house.until(lambda: len(night.house.rows("SELECT 1 FROM v_exposure")) == 2, "the late list is taken")
    night.house.configure("postproc.auto", "true")
    night.told("postproc_failed", within=40)


FAULTS: Final = (
    Fault(
        name="ccds-lost",
        what="jobs end without a sign: CCDs are lost",
        alert="ccds_lost",
        happens=lambda night: _told("ccds_lost", night),
        scenario=short_night(planned(938524, ccds=dict.fromkeys((4, 9, 17), SE_FAILS)), LATE),
    ),
    Fault(
        name="zero-size",
        what="transfers break: so many tarballs stay at size 0 that an exposure cannot go on",
        alert="zero_size_files",
        happens=lambda night: _told("zero_size_files", night),
        settings={"alerts.leftovers_after": '"1 s"'},
        scenario=short_night(
            planned(938524, ccds=dict.fromkeys(range(3, 15), EMPTY_TARBALL), end="attention", ready="no"), LATE
        ),
    ),
    Fault(
        name="postproc-dies",
        what="post-processing dies at step 3",
        alert="postproc_failed",
        happens=_run_dies,
        scenario=_postproc(dies=(3, "middle")),
        # Both exposures share the run that failed, and a person decides.
        excused=("938524 ", "938525 "),
    ),
    Fault(
        name="postproc-hangs",
        what="post-processing comes to no further step",
        alert="postproc_silent",
        happens=_run_hangs,
        settings={"postproc.silent_after": '"2 s"', "postproc.silent_after_step": '{ 2 = "2 s", 5 = "2 s" }'},
        scenario=_postproc(stops=(4, "before")),
    ),
)
