"""The real program on a tree of finished and unfinished exposures, its calls below the /pnfs root counted by strace.

Nothing of the daemon's own code is used here: what strace saw stands beside what the daemon wrote into `poll`.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.observe.traced import calls_under, opened, strace
from tests.observe.tree import CCDS, SEASON, Exposure

PROGRAM = (sys.executable, "-m", "desgw_daemon")
#: A listing: open, fstat, twice getdents64, close.
CALLS_A_LISTING = 5
#: dpSEASON, 59 CCDs, forcephoto.
COLD_LISTINGS = 61
#: A look asks whether the root is there: once at its start, and once more before it believes that something is absent.
ROOT_LISTINGS = 2
#: The CCDs of each exposure that have no sign yet.
UNSETTLED = CCDS[-7:]
#: Tarball, .fits, .psf.
FILES_A_CCD = 3
#: Post-processing would ask for a last look; a tree without it shows what watching alone costs.
CONFIG = """\
[paths]
state = "state"
pnfs = "pnfs"
workflow = "gw_workflow"
postprocessing = "Post-Processing"
[postproc]
auto = false
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one tick cost. calls: by system call, as strace saw them; the rest as the daemon wrote it into `poll`."""

    calls: Counter[str]
    files_opened: int
    listings: int
    stats: int
    reads: int
    look_seconds: float

    @property
    def total(self) -> int:
        """System calls below the root."""
        return self.calls.total()

    @property
    def seen_listings(self) -> int:
        """Folders that strace saw opened."""
        return self.calls["openat"] - self.files_opened

    @property
    def seen_stats(self) -> int:
        """Files that strace saw asked for their size; each folder that was opened is asked once, too."""
        asked = ("newfstatat", "fstat", "statx", "lstat", "stat")
        return sum(self.calls[name] for name in asked) - self.seen_listings


class Watched:
    """A state folder, and a tree of exposures that somebody else has submitted."""

    def __init__(self, place: Path, exposures: int) -> None:
        """Make the tree: each exposure with all CCDs but UNSETTLED finished. Nobody has looked at it yet."""
        self.place = place.resolve()
        self.root = self.place / "pnfs"
        for folder in ("state", "gw_workflow", "Post-Processing"):
            (self.place / folder).mkdir(parents=True)
        (self.place / "daemon.toml").write_text(CONFIG)
        self.exposures = [Exposure(self.root, 900000 + number).make() for number in range(exposures)]
        for exposure in self.exposures:
            exposure.finish(ccd for ccd in CCDS if ccd not in UNSETTLED)
        self._ticks = 0

    def run(self, *words: str, before: tuple[str, ...] = ()) -> str:
        """Run `desgw-daemon WORDS` to its end, which must be a good one; what it printed."""
        env = {key: value for key, value in os.environ.items() if not key.startswith("DESGW_")}
        done = subprocess.run(
            [*before, *PROGRAM, *words],
            cwd=self.place,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{words}: {done.returncode} {done.stdout} {done.stderr}"
        return done.stdout

    def adopt(self) -> None:
        """Put the exposures into the queue: nobody looks into them yet."""
        self.run("queue", "adopt", "--season", str(SEASON), "--yes")

    def tick(self) -> Cost:
        """One cycle of the real program, counted."""
        self._ticks += 1
        log = self.place / f"strace{self._ticks}"
        trace = (strace(), "-ff", "--seccomp-bpf", "-y", "-qq", "-o", str(log), "-e", "trace=%file,%desc")
        self.run("tick", before=trace)
        row = self.rows("SELECT listings, stats, reads, look_seconds FROM poll ORDER BY id DESC LIMIT 1")[0]
        return Cost(calls_under(log, self.root), len(opened(log, self.root)), *row)

    def rows(self, query: str) -> list[tuple[int, int, int, float]]:
        """Rows of the database."""
        with sqlite3.connect(self.place / "state" / "desgw.db") as connection:
            found = connection.execute(query).fetchall()
        connection.close()
        return found
