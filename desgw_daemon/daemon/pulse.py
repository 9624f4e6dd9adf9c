"""Reads the daemon's own condition at the beginning of a cycle."""

from __future__ import annotations

import shutil
import time
from datetime import datetime
from pathlib import Path

from desgw_daemon.children.keeper import boot_id
from desgw_daemon.domain.vitals import Pulse


def boottime() -> float:
    """Seconds since this boot, time in suspension included: nobody can set it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def take_pulse(state: Path, now: datetime, since_boot: float) -> Pulse:
    """Room on the local disk, and the two clocks as they stand."""
    try:
        free: int | None = shutil.disk_usage(state).free
    except OSError:
        free = None
    return Pulse(at=now, boot_id=boot_id(), boottime=since_boot, free=free)
