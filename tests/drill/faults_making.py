"""Faults on the way from a list to a DAG."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Final

from desgw_daemon.sandbox.scenario import Making
from tests.night.credentials import place, token
from tests.night.house import planned

from .fault import LATE, Fault, short_night
from .night import DrillNight


def _setup(text: str) -> Callable[[DrillNight], None]:
    def happens(night: DrillNight) -> None:
        script = night.house.sandbox.workflow / "setup_img_proc.sh"
        good = script.read_text()
        night.middle()
        night.breaks()
        script.write_text(text)
        night.told("making_blocked")
        night.house.cycles(3)
        night.heals()
        script.write_text(good)

    return happens


def _list_away(night: DrillNight) -> None:
    listed = night.house.sandbox.workflow / "exposures.list"
    night.middle()
    night.breaks()
    listed.rename(listed.with_name("away"))
    night.told("making_blocked")
    night.house.cycles(3)
    night.heals()
    listed.with_name("away").rename(listed)


def _refresh_fails(night: DrillNight) -> None:
    database = night.house.root / "exposures.db"
    night.middle()
    database.rename(database.with_name("away"))
    night.breaks()
    night.told("refresh_failed")
    night.house.cycles(3)
    night.heals()
    database.with_name("away").rename(database)


def _credential(left: timedelta, rule: str) -> Callable[[DrillNight], None]:
    def happens(night: DrillNight) -> None:
        path = night.house.root / "bt"
        # The late exposure is to wait in line for it: the one place in the grid is taken until the first is done.
        night.middle()
        place(path, token(left))
        night.breaks()
        night.told(rule)
        night.house.cycles(3)
        night.heals()
        place(path, token(timedelta(hours=3)))

    return happens


def _with_token(name: str, what: str, rule: str, left: timedelta) -> Fault:
    return Fault(
        name=name,
        what=what,
        alert=rule,
        happens=_credential(left, rule),
        settings={"credential.kind": '"token"', "credential.path": '"bt"', "submit.max_in_flight": "1"},
        before=lambda night: place(night.house.root / "bt", token(timedelta(hours=3))),
        scenario=short_night(job=300),
    )


def _dagmaker_fails(night: DrillNight) -> None:
    night.middle()
    night.breaks()
    night.told("exposure_attention")


def _no_templates(night: DrillNight) -> None:
    night.middle()
    night.breaks()
    night.told("no_templates")


def _badly_made(name: str, what: str, making: Making) -> Fault:
    return Fault(
        name=f"dagmaker-{name}",
        what=what,
        alert="exposure_attention",
        happens=_dagmaker_fails,
        settings={"dagmaker.timeout": '"3 s"'},
        scenario=short_night(planned(938524), replace(LATE, making=making, end="attention", ready="no")),
    )


FAULTS: Final = (
    Fault(
        name="setup-breaks",
        what="the set-up script fails",
        alert="making_blocked",
        happens=_setup("echo the software area does not answer >&2\nreturn 4\n"),
    ),
    Fault(
        name="setup-hangs",
        what="the set-up script hangs",
        alert="making_blocked",
        happens=_setup("sleep 3600\n"),
        settings={"dagmaker.setup_timeout": '"1 s"'},
    ),
    Fault(
        name="list-away",
        what="exposures.list is away",
        alert="making_blocked",
        happens=_list_away,
        settings={"databases.exposures": '""'},
    ),
    Fault(
        name="refresh-fails",
        what="exposures.list lacks an exposure, and the exposure database is away",
        alert="refresh_failed",
        happens=_refresh_fails,
        scenario=short_night(planned(938524), replace(LATE, new=True)),
    ),
    _with_token("credential-ended", "the token has ended", "credential", timedelta(seconds=-60)),
    _with_token("credential-soon", "the token ends soon", "credential_soon", timedelta(minutes=40)),
    _badly_made("crashes", "DAGMaker crashes", "crash"),
    _badly_made("killed", "DAGMaker is killed by a signal", "killed"),
    _badly_made("hangs", "DAGMaker hangs", "hang"),
    _badly_made("copies-badly", "DAGMaker cannot copy its inputs to /pnfs", "copy-error"),
    _badly_made("short-dag", "DAGMaker writes half a DAG", "few-lines"),
    Fault(
        name="no-templates",
        what="DAGMaker finds no templates for an exposure",
        alert="no_templates",
        happens=_no_templates,
        scenario=short_night(planned(938524), replace(LATE, making="no-templates", end="attention", ready="no")),
    ),
)
