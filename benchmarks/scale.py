"""What a tick costs in CPU and memory, with many exposures under way and very many done.

    python -m benchmarks.scale [--open 60 300] [--done 36000]

The floor is a tick of an empty queue: the start of the program and its imports, which the daemon pays once.
"""

from __future__ import annotations

import argparse
import sqlite3
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.cost.counted import PROGRAM, Watched
from tests.observe.tree import SEASON

#: Done exposures get ids and numbers from here on.
FIRST_DONE = 1_000_000
#: Each run of a season has the exposures of the one before and some more.
RUNS = 10
_TIMES = 3


@dataclass(frozen=True, slots=True)
class Used:
    """CPU time of the program and its worker in seconds, and their memory at most in MB."""

    cpu: float
    memory: float


def main() -> None:
    """Build the trees and the databases, tick, print."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--open", type=int, nargs="*", default=[60, 300])
    arguments.add_argument("--done", type=int, default=36_000)
    given = arguments.parse_args()
    print(f"{'open':>5}{'done':>7} {'where':<14}{'tick':<8}{'CPU s':>8}{'MB':>7}")
    with tempfile.TemporaryDirectory() as place:
        show(0, 0, "", "empty", warm(Watched(Path(place) / "empty", 0)))
        for number in given.open:
            watched = Watched(Path(place) / f"open{number}", number)
            watched.adopt()
            show(number, 0, "", "cold", tick(watched))
            show(number, 0, "", "warm", warm(watched))
            put_done(watched, given.done, SEASON + 1)
            show(number, given.done, "other season", "warm", warm(watched))
            move_done(watched, SEASON)
            show(number, given.done, "same season", "warm", warm(watched))


def show(number: int, done: int, where: str, kind: str, used: Used) -> None:
    """One row."""
    print(f"{number:>5}{done:>7} {where:<14}{kind:<8}{used.cpu:>8.2f}{used.memory:>7.0f}", flush=True)


def warm(watched: Watched) -> Used:
    """The cheapest of a few ticks in which nothing has changed."""
    return min((tick(watched) for _ in range(_TIMES)), key=lambda used: used.cpu)


#: Run by an interpreter of its own, since the system keeps one sum for all children of a process.
_MEASURE = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(code, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
"""


def tick(watched: Watched) -> Used:
    """One cycle of the real program, measured."""
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, *PROGRAM, "tick"],
        cwd=watched.place,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    code, *numbers = done.stdout.split()
    assert code == "0", f"a tick ended with {code}"
    return Used(*map(float, numbers))


def put_done(watched: Watched, number: int, season: int) -> None:
    """Write exposures into the database that are done: copies of the first one, with all that belongs to one."""
    with sqlite3.connect(watched.place / "state" / "desgw.db") as db:
        (first,) = db.execute("SELECT min(id) FROM exposure").fetchone()
        ids = f"WITH RECURSIVE n(id) AS (SELECT {FIRST_DONE} UNION ALL SELECT id + 1 FROM n LIMIT {number})"
        own = {"id": "n.id", "expnum": "n.id", "state": "'done'", "season": str(season)}
        copy(db, "exposure", own, f"exposure x, n WHERE x.id = {first}", ids)
        copy(db, "ccd", {"exposure_id": "n.id"}, f"ccd x, n WHERE x.exposure_id = {first}", ids)
        db.execute(
            f"{ids} INSERT INTO dagmaker_run (exposure_id, attempt, state, folder, intent_at)"
            " SELECT id, 1, 'made', 'folder', '2020-03-04 00:00:00' FROM n"
        )
        db.execute(
            f"{ids} INSERT INTO submission (exposure_id, attempt, tag, engine, state, dag_path, dag_sha256, intent_at)"
            " SELECT id, 1, 'tag' || id, 'local', 'done', 'dag', 'sha', '2020-03-04 00:00:00' FROM n"
        )
        for run in range(1, RUNS + 1):
            db.execute(
                "INSERT INTO postproc_run (id, season, number, state, bands, fingerprint, skipto, skipto_reason,"
                " folder, intent_at, started_at, ended_at) SELECT ?, ?, ?, 'done', '[\"i\"]', '', 0, '', 'folder',"
                " since, since, since FROM exposure WHERE id = ?",
                (run, season, run, first),
            )
            last = FIRST_DONE + number * run // RUNS
            db.execute(f"{ids} INSERT INTO postproc_exposure SELECT {run}, id FROM n WHERE id < {last}")
    db.close()


def copy(db: sqlite3.Connection, table: str, own: dict[str, str], source: str, ids: str) -> None:
    """Copy rows, some columns set anew."""
    names = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
    values = [own.get(name, f'x."{name}"') for name in names]
    columns = ", ".join(f'"{name}"' for name in names)
    db.execute(f"{ids} INSERT INTO {table} ({columns}) SELECT {', '.join(values)} FROM {source}")


def move_done(watched: Watched, season: int) -> None:
    """Have the done ones belong to the season that is under way."""
    with sqlite3.connect(watched.place / "state" / "desgw.db") as db:
        db.execute("UPDATE exposure SET season = ? WHERE id >= ?", (season, FIRST_DONE))
        db.execute("UPDATE postproc_run SET season = ?", (season,))
    db.close()


if __name__ == "__main__":
    main()
