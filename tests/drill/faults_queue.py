"""Faults of the queue and of what submits to it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from .fault import Fault
from .night import DrillNight


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


def _unknown(night: DrillNight) -> None:
    """What the command said is nowhere in the failure table, and an empty answer of jobsub_q proves nothing."""
    assert night.jobsub is not None
    last = night.scenario.exposures[-1].expnum
    night.jobsub.order(**{f"submit:{last}": "never-seen"})
    night.middle()
    night.breaks()
    night.told("submission_unknown")
    night.house.cycles(3)
    night.jobsub.order()
    night.heals()
    night.house.ok("queue", "resolve", str(last), "--absent", "--reason", "nothing of it is in the queue")


def _hangs(night: DrillNight) -> None:
    _ordered(night, "frozen", "submission_waits")


def _breaker(night: DrillNight) -> None:
    _ordered(night, "quota-owner", "submit_breaker")


def _held(night: DrillNight) -> None:
    night.middle()
    night.breaks()
    (first,) = list(night.paper.glob("100.dag.json"))
    held = first.with_name("100.held")
    held.write_text("Error from slot1@node01.grid: SHADOW failed to receive file")
    night.told("dag_held")
    night.house.cycles(3)
    night.heals()
    held.unlink()


def _removed(night: DrillNight) -> None:
    """The exposure goes on with what it has, or waits for a person: nothing is submitted again by itself."""
    night.middle()
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
        name="submit-unknown",
        what="nobody knows whether a submission was taken",
        alert="submission_unknown",
        happens=_unknown,
        queue="paper",
        settings={"jobsub.query": '"jobsub"'},
    ),
    Fault(
        name="submit-hangs", what="the submit command hangs", alert="submission_waits", happens=_hangs, queue="paper"
    ),
    Fault(
        name="submit-breaker",
        what="submissions are refused one after another (quota)",
        alert="submit_breaker",
        happens=_breaker,
        queue="paper",
    ),
    Fault(
        name="dag-held",
        what="a DAG is put on hold in the queue",
        alert="dag_held",
        happens=_held,
        queue="paper",
        settings={"submit.held_limit": '"2 s"'},
    ),
    Fault(
        name="dag-removed",
        what="a DAG is removed from the queue by somebody",
        alert="ccds_lost",
        happens=_removed,
        queue="paper",
    ),
)
