"""Faults of what the daemon stands on: the trees, its disk, its configuration, itself."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Final

from .fault import Fault
from .night import DrillNight


def _away(tree: str, rule: str, *, empty: bool) -> Callable[[DrillNight], None]:
    def happens(night: DrillNight) -> None:
        night.middle()
        night.breaks()
        back = night.away(tree, empty=empty)
        night.told(rule)
        night.house.cycles(3)
        night.heals()
        back()

    return happens


def _configured(key: str, value: str, rule: str, good: str) -> Callable[[DrillNight], None]:
    def happens(night: DrillNight) -> None:
        night.middle()
        night.breaks()
        night.house.configure(key, value)
        night.told(rule)
        night.house.cycles(3)
        night.heals()
        night.house.configure(key, good)

    return happens


def _paused(night: DrillNight) -> None:
    night.middle()
    night.breaks()
    night.house.ok("pause", "--reason", "the telescope is closed")
    night.told("paused")
    night.house.cycles(3)
    night.heals()
    night.house.ok("resume")


def _killed(night: DrillNight) -> None:
    night.middle()
    night.breaks()
    for _ in range(5):
        night.house.stop(signal.SIGKILL)
        night.house.start()
        night.house.cycles(2)
    night.told("restarts")
    night.heals()


def _killed_once(night: DrillNight) -> None:
    night.middle()
    night.breaks()
    night.house.stop(signal.SIGKILL)
    night.house.start()
    night.heals()


def _stopped(night: DrillNight) -> None:
    assert night.house.daemon is not None
    night.middle()
    night.breaks()
    os.kill(night.house.daemon.pid, signal.SIGSTOP)
    time.sleep(3)
    night.heals()
    os.kill(night.house.daemon.pid, signal.SIGCONT)


FAULTS: Final = (
    Fault(
        name="pnfs-empty",
        what="/pnfs is away: an empty folder is in its place",
        alert="pnfs_silent",
        happens=_away("pnfs", "pnfs_silent", empty=True),
    ),
    Fault(
        name="pnfs-gone",
        what="/pnfs is away: nothing is in its place",
        alert="pnfs_silent",
        happens=_away("pnfs", "pnfs_silent", empty=False),
    ),
    Fault(
        name="workflow-away",
        what="gw_workflow is away",
        alert="workflow_silent",
        happens=_away("gw_workflow", "workflow_silent", empty=False),
        # The jobs of the grid have copies of their programs with them.
        queue="paper",
    ),
    Fault(
        name="postprocessing-away",
        what="Post-Processing is away",
        alert="postprocessing_silent",
        happens=_away("Post-Processing", "postprocessing_silent", empty=False),
    ),
    Fault(
        name="disk-nearly-full",
        what="the disk of the state folder is nearly full (`alerts.min_free` above what is free)",
        alert="disk_nearly_full",
        happens=_configured("alerts.min_free", '"900 TiB"', "disk_nearly_full", '"1 MiB"'),
        settings={"alerts.min_free": '"1 MiB"'},
    ),
    Fault(
        name="config-refused",
        what="daemon.toml is saved with a mistake in it",
        alert="config_refused",
        happens=_configured("submit.max_in_flight", '"many"', "config_refused", "4"),
    ),
    Fault(
        name="skipto-unsafe",
        what="somebody has SKIPTO chosen as the older automation does",
        alert="skipto_unsafe",
        happens=_configured("postproc.skipto", '"upstream"', "skipto_unsafe", '"evidence"'),
    ),
    Fault(
        name="paused",
        what="a pause is forgotten",
        alert="paused",
        happens=_paused,
    ),
    Fault(
        name="killed-often",
        what="the daemon is killed again and again (kill -9, five times)",
        alert="restarts",
        happens=_killed,
    ),
    Fault(
        name="killed-once",
        what="the daemon is killed once (kill -9)",
        alert=None,
        why="systemd starts it again, and it goes on where it was; several within an hour are told",
        happens=_killed_once,
    ),
    Fault(
        name="stopped",
        what="the daemon stands still for six polls (SIGSTOP)",
        alert=None,
        why="it goes on by itself; when it does not, systemd's watchdog ends it and starts it again",
        happens=_stopped,
    ),
)
