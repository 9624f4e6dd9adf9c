"""The daemon with a clock that can be set: `python clocked.py FILE WORDS...`.

FILE holds by how many seconds its clock is wrong. It is the clock of this process alone, as Python has it, its
libraries included (time-machine): the machine's own is everybody's. The time since the boot is the real one, as is what
the files of the trees say, whose server has a clock of its own.
"""

from __future__ import annotations

import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import time_machine

from desgw_daemon.cli.main import main as program


def follow(file: Path, clock: time_machine.Traveller, wrong_by: float) -> None:
    """Set the clock whenever the file says another number."""
    while True:
        wanted = float(file.read_text() or wrong_by)
        if wanted != wrong_by:
            clock.shift(timedelta(seconds=wanted - wrong_by))
            wrong_by = wanted
        time.sleep(0.05)


def main(file: Path, words: list[str]) -> int:
    """The program, under the clock."""
    wrong_by = float(file.read_text())
    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=wrong_by), tick=True) as clock:
        threading.Thread(target=follow, args=(file, clock, wrong_by), daemon=True).start()
        return program(words)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
