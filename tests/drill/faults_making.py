"""Faults on the way from a list to a DAG."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tests.night.house import planned

from .fault import LATE, Fault, short_night
from .night import DrillNight


def _setup_breaks(night: DrillNight) -> None:
    script = night.house.sandbox.workflow / "setup_img_proc.sh"
    good = script.read_text()
    night.middle()
    night.breaks()
    script.write_text("echo the software area does not answer >&2\nreturn 4\n")
    night.told("making_blocked")
    night.house.cycles(3)
    night.heals()
    script.write_text(good)


def _dagmaker_fails(night: DrillNight) -> None:
    night.middle()
    night.breaks()
    night.told("exposure_attention")


def _no_templates(night: DrillNight) -> None:
    night.middle()
    night.breaks()
    night.told("no_templates")


def _list_lacks(night: DrillNight) -> None:
    night.middle()
    night.breaks()
    night.told("no_data")
    night.house.cycles(3)
    night.heals()
    expnum = str(night.scenario.exposures[-1].expnum)
    night.house.ok("queue", "remove", expnum)


def _torn_list(night: DrillNight) -> None:
    """Torn in the middle of a number: not an exposure of ours, and not one of anybody's."""
    night.middle()
    night.breaks()
    (night.house.state / "inbox" / str(night.house.season) / "torn.list").write_text("938524\n9385")
    night.told("inbox")
    night.house.cycles(3)
    night.heals()


FAULTS: Final = (
    Fault(
        name="setup-breaks",
        what="the set-up script fails",
        alert="making_blocked",
        happens=_setup_breaks,
    ),
    Fault(
        name="dagmaker-fails",
        what="DAGMaker crashes for an exposure",
        alert="exposure_attention",
        happens=_dagmaker_fails,
        scenario=short_night(planned(938524), replace(LATE, making="crash", end="attention", ready="no")),
    ),
    Fault(
        name="no-templates",
        what="DAGMaker finds no templates for an exposure",
        alert="no_templates",
        happens=_no_templates,
        scenario=short_night(planned(938524), replace(LATE, making="no-templates", end="attention", ready="no")),
    ),
    Fault(
        name="torn-list",
        what="a list in the inbox is torn",
        alert="inbox",
        happens=_torn_list,
    ),
)
