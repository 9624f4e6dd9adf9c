"""Starts everything that outlives a call, and finds it again: DAGMaker, local DAGs, post-processing.

Each such command has a folder of its own, and runs under a keeper, a small process in a session of its
own, in a unit of its own where the daemon is a service of systemd. What is known of it stands in files,
so that a daemon started anew knows as much as the old one:

    started     the keeper's pid and start time, the boot id, the command, the time; whoever makes it
                runs the command, and nobody else ever does
    command     the command's own pid and start time, written by itself before it becomes the command
    exit        how it ended
    keeper.log  what the keeper could not say elsewhere; normally empty

This package must not know what the commands are for, and never waits for one.
"""

from __future__ import annotations

from desgw_daemon.children.capture import Finished, run_captured
from desgw_daemon.children.place import place, run_children
from desgw_daemon.children.start import ensure_started
from desgw_daemon.children.status import ChildStatus, look, stop
from desgw_daemon.children.unit import NotStartedError, manager_problem

__all__ = [
    "ChildStatus",
    "Finished",
    "NotStartedError",
    "ensure_started",
    "look",
    "manager_problem",
    "place",
    "run_captured",
    "run_children",
    "stop",
]
