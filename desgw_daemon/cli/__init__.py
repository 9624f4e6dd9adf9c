"""The commands. Each module named here has `add(sub)`, which describes its command to argparse and must be
cheap, and `run(args) -> exit code`, which imports what it needs when it is called.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

#: Modules of this package, in the order of `desgw-daemon --help`, with the commands that each of them describes: to run
#: one command, only its module is imported.
COMMANDS: Final[Mapping[str, tuple[str, ...]]] = {
    "status": ("status",),
    "explain": ("explain",),
    "history": ("history",),
    "plan": ("plan",),
    "run": ("run", "tick"),
    "alerts": ("alerts",),
    "queue": ("queue", "pause", "resume"),
    "start_event": ("start-event",),
    "season": ("season",),
    "rc": ("rc",),
    "exposures": ("exposures",),
    "output_txt": ("output",),
    "postproc": ("postproc", "skipto"),
    "doctor": ("doctor",),
    "config": ("config",),
    "db": ("db",),
    "install_service": ("install-service",),
    "logs": ("logs",),
    "demo": ("demo",),
}
