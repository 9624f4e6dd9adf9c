"""What the forcephoto files of a whole season cost at the start of a run of post-processing, in memory and CPU.

    python -m benchmarks.runfiles [--exposures 60 3600]

A start reads the files of all exposures of the season twice: for the fingerprint that tells whether they have changed,
and for the list of links that there must be. The floor is the same process that reads the files of no exposure.
"""

from __future__ import annotations

import argparse
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.cost.counted import Watched
from tests.observe.tree import SEASON

from .scale import FIRST_DONE, copy

_START = f"""
import resource, sys
from pathlib import Path
from desgw_daemon.store.database import create_or_check, reading
from desgw_daemon.store.runs import files_fingerprint, forcefiles_of

ids = range({FIRST_DONE}, {FIRST_DONE} + int(sys.argv[2]))
with reading(create_or_check(Path(sys.argv[1]))) as connection:
    files_fingerprint(connection, ids)
    files = sum(1 for _ in forcefiles_of(connection, ids))
used = resource.getrusage(resource.RUSAGE_SELF)
print(files, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
"""


def main() -> None:
    """Fill a database, read as a start does, print."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--exposures", type=int, nargs="*", default=[60, 3600])
    given = arguments.parse_args()
    print(f"{'exposures':>9}{'files':>9}{'CPU s':>8}{'MB':>7}")
    with tempfile.TemporaryDirectory() as place:
        watched = Watched(Path(place), 1)
        watched.adopt()
        watched.run("tick")
        database = watched.place / "state" / "desgw.db"
        fill(database, max(given.exposures))
        for number in (0, *given.exposures):
            command = [sys.executable, "-c", _START, str(database), str(number)]
            files, cpu, memory = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
            print(f"{number:>9}{files:>9}{float(cpu):>8.2f}{float(memory):>7.0f}", flush=True)


def fill(database: Path, number: int) -> None:
    """Copies of the first exposure, with its forcephoto files."""
    with sqlite3.connect(database) as db:
        (first,) = db.execute("SELECT min(id) FROM exposure").fetchone()
        ids = f"WITH RECURSIVE n(id) AS (SELECT {FIRST_DONE} UNION ALL SELECT id + 1 FROM n LIMIT {number})"
        own = {"id": "n.id", "expnum": "n.id", "state": "'done'", "season": str(SEASON)}
        copy(db, "exposure", own, f"exposure x, n WHERE x.id = {first}", ids)
        copy(db, "forcefile", {"exposure_id": "n.id"}, f"forcefile x, n WHERE x.exposure_id = {first}", ids)
    db.close()


if __name__ == "__main__":
    main()
