"""Faults of the queue and of what submits to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from desgw_daemon.sandbox.moves import fails_at
from tests.night.house import planned

from . import condor
from .fault import LATE, Fault, short_night
from .night import DrillNight

#: CCDs on a host where everything fails, each at a step of its own.
BLACK_HOLE: Final = {ccd: fails_at(step) for step, ccd in enumerate(range(40, 46), start=10)}


def _switch(path: Path, on: bool) -> None:
    if on:
        path.touch()
    else:
        path.unlink()


def _asks_go_wrong(name: str, rule: str) -> Fault:
    how = {"hang": "is silent: no question is answered", "error": "answers every question with an error"}[name]

    def happens(night: DrillNight) -> None:
        night.middle()
        night.breaks()
        _switch(night.paper / name, True)
        night.told(rule)
        night.house.cycles(3)
        night.heals()
        _switch(night.paper / name, False)

    return Fault(name=f"queue-{name}", what=f"the queue {how}", alert=rule, happens=happens, queue="paper")


def _ordered(night: DrillNight, order: str, rule: str) -> None:
    assert night.jobsub is not None
    night.middle()
    night.breaks()
    night.jobsub.order(submit=order)
    night.told(rule)
    night.house.cycles(3)
    night.heals()
    night.jobsub.order()


def _rejected(night: DrillNight) -> None:
    assert night.jobsub is not None
    last = night.scenario.exposures[-1].expnum
    night.jobsub.order(**{f"submit:{last}": "bad-line"})
    night.middle()
    night.breaks()
    night.told("submission_rejected")
    night.house.cycles(3)
    night.jobsub.order()
    night.heals()
    night.house.ok("queue", "retry", str(last))


def _taken_all_the_same(night: DrillNight) -> None:
    _ordered_quietly(night, "taken-crash")


def _hangs(night: DrillNight) -> None:
    _ordered_quietly(night, "frozen")


def _ordered_quietly(night: DrillNight, order: str) -> None:
    assert night.jobsub is not None
    night.middle()
    night.breaks()
    night.jobsub.order(submit=f"{order}*1")
    night.house.cycles(6)
    night.heals()


def _breaker(night: DrillNight) -> None:
    _ordered(night, "quota-owner", "submit_breaker")


def _first_runs(night: DrillNight) -> None:
    night.house.until(
        lambda: night.house.rows("SELECT 1 FROM submission WHERE state = 'running'"), "the first DAG runs"
    )


def _held(night: DrillNight) -> None:
    _first_runs(night)
    night.breaks()
    held = night.paper / "100.held"
    held.write_text("Error from slot1@node01.grid: SHADOW failed to receive file")
    night.told("dag_held")
    night.house.cycles(3)
    night.heals()
    held.unlink()


def _twice(night: DrillNight) -> None:
    """As when somebody submits the same file by hand, tag and all."""
    _first_runs(night)
    night.breaks()
    ad = json.loads((night.paper / "100.dag.json").read_text())
    second = night.paper / "950.dag.json"
    condor.put(second, ad | {"ClusterId": 950, "QDate": ad["QDate"] + 1, "JobStatus": condor.RUNNING})
    night.told("duplicate_dag")
    night.house.cycles(3)
    night.heals()
    second.unlink()


def _black_hole(night: DrillNight) -> None:
    condor.put(night.paper / "hosts", {str(ccd): "node99.grid" for ccd in BLACK_HOLE})
    night.breaks()
    night.told("host_failures", within=25)


def _one_step(night: DrillNight) -> None:
    night.breaks()
    night.told("step_failures", within=25)


def _removed(night: DrillNight) -> None:
    """The exposure waits for a person: nothing is submitted again by itself."""
    _first_runs(night)
    night.breaks()
    (night.paper / "100.rm").write_text("somebody")
    night.told("ccds_lost")
    night.heals()


FAULTS: Final = (
    _asks_go_wrong("hang", "engine_silent"),
    _asks_go_wrong("error", "engine_silent"),
    Fault(
        name="submit-rejected",
        what="a DAG is refused for good",
        alert="submission_rejected",
        happens=_rejected,
        queue="paper",
    ),
    Fault(
        name="submit-breaker",
        what="submissions are refused one after another (quota)",
        alert="submit_breaker",
        happens=_breaker,
        queue="paper",
        settings={"submit.breaker_after": "3", "submit.max_in_flight": "8"},
        scenario=short_night(planned(938524), *(planned(938525 + n, "z") for n in range(4))),
    ),
    Fault(
        name="dag-held",
        what="a DAG is put on hold in the queue",
        alert="dag_held",
        happens=_held,
        queue="paper",
        settings={"submit.held_limit": '"2 s"'},
        scenario=short_night(job=400),
    ),
    Fault(
        name="dag-removed",
        what="a DAG is removed from the queue by somebody",
        alert="ccds_lost",
        happens=_removed,
        queue="paper",
        scenario=short_night(planned(938524, end="attention", ready="no"), LATE, job=400),
        excused=("938524",),
    ),
    Fault(
        name="dag-twice",
        what="somebody submits a DAG of ours a second time",
        alert="duplicate_dag",
        happens=_twice,
        queue="paper",
        scenario=short_night(job=400),
    ),
    Fault(
        name="black-hole",
        what="everything fails on one host of the grid",
        alert="host_failures",
        happens=_black_hole,
        queue="paper",
        settings={"alerts.host_failures": "5"},
        scenario=short_night(planned(938524, ccds=BLACK_HOLE), LATE),
    ),
    Fault(
        name="one-step",
        what="many CCDs of a nite fail at the same step",
        alert="step_failures",
        happens=_one_step,
        queue="paper",
        settings={"alerts.step_failures": "6"},
        scenario=short_night(planned(938524, ccds=dict.fromkeys(range(3, 11), fails_at(18))), LATE),
    ),
    Fault(
        name="submit-crashes",
        what="the submit command crashes after its DAG was taken",
        alert=None,
        why="the queue is asked by the tag, and the DAG is found there",
        happens=_taken_all_the_same,
        queue="paper",
    ),
    Fault(
        name="submit-hangs",
        what="a submit command hangs",
        alert=None,
        why="it is ended after `submit.timeout`, the queue is asked, and the DAG is handed over again",
        happens=_hangs,
        queue="paper",
    ),
)
