"""`python -m desgw_daemon` and the console script."""

from __future__ import annotations

import sys

from desgw_daemon.cli.main import main as run_command
from desgw_daemon.cli.main import say_unexpected


def main() -> None:
    """Run the command that the command line names, and leave with its exit code."""
    sys.excepthook = say_unexpected
    sys.exit(run_command())


if __name__ == "__main__":
    main()
