"""The commands. Each module named here has `add(sub)`, which describes its command to argparse and must be
cheap, and `run(args) -> exit code`, which imports what it needs when it is called.
"""

from __future__ import annotations

from typing import Final

#: Modules of this package, in the order of `desgw-daemon --help`.
COMMANDS: Final = (
    "status",
    "explain",
    "history",
    "plan",
    "run",
    "queue",
    "start_event",
    "season",
    "rc",
    "exposures",
    "output_txt",
    "postproc",
    "config",
    "db",
    "demo",
)
