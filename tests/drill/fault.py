"""What a fault is, and the short night that most of them happen in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final, Literal

from desgw_daemon.sandbox.scenario import PlannedExposure, Scenario
from tests.night.house import night_of, planned

from .night import DrillNight

#: It comes in when the fault is there.
LATE: Final = planned(938525, "z")


def short_night(*exposures: PlannedExposure, job: int = 100) -> Scenario:
    """Two good exposures, if no others are given; a DAG takes some seconds. job: milliseconds of one job."""
    which = exposures or (planned(938524), LATE)
    night = night_of(*which, dagmaker=200, job=job, step=50)
    watch = replace(night.watch, dagmaker_timeout=timedelta(seconds=60))
    return replace(night, watch=watch)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault.

    name: for the command line. what: for people, a few words. alert: the rule of the one alert that people must get;
    None when nobody needs to be told, and then `why` says why. happens: breaks something in a night that is under way,
    and heals it. excused: beginnings of the independent check's complaints that are this fault itself, such as jobs
    that were killed by somebody. before: what the night needs before it begins. settings: of daemon.toml.
    """

    name: str
    what: str
    alert: str | None
    happens: Callable[[DrillNight], None]
    before: Callable[[DrillNight], None] = lambda night: None
    why: str = ""
    excused: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    scenario: Scenario = field(default_factory=short_night)
    queue: Literal["local", "paper"] = "local"
