"""Starts everything that outlives a call, and finds it again: DAGMaker, local DAGs, post-processing.

Each such command has a folder of its own, and runs under a keeper, a small process in a session of its
own. What is known of it stands in files, so that a daemon started anew knows as much as the old one:

    started     the keeper's pid and start time, the boot id, the command, the time; whoever makes it
                runs the command, and nobody else ever does
    command     the command's own pid and start time, written by itself before it becomes the command
    exit        how it ended
    keeper.log  what the keeper could not say elsewhere; normally empty

This package must not know what the commands are for, and never waits for one.
"""

from __future__ import annotations

from desgw_daemon.children.capture import Finished, run_captured
from desgw_daemon.children.start import NotStartedError, ensure_started
from desgw_daemon.children.status import ChildStatus, look, stop

__all__ = ["ChildStatus", "Finished", "NotStartedError", "ensure_started", "look", "run_captured", "stop"]
