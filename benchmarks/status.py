"""How quickly `status` answers, beside the start of an interpreter that only imports sqlite3.

    python -m benchmarks.status [--rounds 15] [--exposures 36000]

Processor time is shown beside the time on the clock, since other work on the machine does not disturb it.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from desgw_daemon.domain.decam import SEARCH_CCDS
from desgw_daemon.store.database import create_or_check
from tests.cli.filled import FULL, fill

TOML: Final = '[paths]\nstate = "."\n'
PROGRAM: Final = (sys.executable, "-m", "desgw_daemon")
#: What is done and was long ago, for the database of many seasons.
LONG_AGO: Final = datetime(2025, 11, 22, 2, 14, 5, tzinfo=UTC)
PER_NITE, PER_SEASON = 60, 3600


def main() -> None:
    """Build two databases, time the commands, print."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=15)
    arguments.add_argument("--exposures", type=int, default=36_000)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        night, seasons = Path(folder) / "night", Path(folder) / "seasons"
        for place in (night, seasons):
            place.mkdir()
            (place / "daemon.toml").write_text(TOML)
            fill(place / "desgw.db", datetime.now(UTC))
        _add_old_ones(seasons / "desgw.db", given.exposures)
        many = f"{given.exposures} more"
        commands = {
            "an interpreter: import sqlite3": ([sys.executable, "-c", "import sqlite3"], night),
            "an interpreter: import sqlmodel": ([sys.executable, "-c", "import sqlmodel"], night),
            "desgw-daemon --version": ([*PROGRAM, "--version"], night),
            "status (63 exposures)": ([*PROGRAM, "status"], night),
            "status EXPNUM": ([*PROGRAM, "status", str(FULL)], night),
            "explain EXPNUM": ([*PROGRAM, "explain", str(FULL)], night),
            f"status --nite, beside {many}": ([*PROGRAM, "status", "--nite", "20261121"], seasons),
            f"status EXPNUM, beside {many}": ([*PROGRAM, "status", str(FULL)], seasons),
            f"status on a terminal, beside {many}": (_on_terminal([*PROGRAM, "status"]), seasons),
            f"status --json of all, {many}": ([*PROGRAM, "status", "--json"], seasons),
        }
        # Installed programs have their modules compiled; so have these, whatever the environment says.
        os.environ["PYTHONPYCACHEPREFIX"] = str(Path(folder) / "compiled")
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        _timed(commands, 1)
        _print(_timed(commands, given.rounds))


def _add_old_ones(path: Path, number: int) -> None:
    """Exposures of earlier nites that are done, all CCDs complete. By plain SQL: only their number matters."""
    create_or_check(path).dispose()
    db = sqlite3.connect(path)
    (first,) = db.execute("SELECT max(id) + 1 FROM exposure").fetchone()
    ids = range(first, first + number)
    with db:
        db.executemany(
            "INSERT INTO exposure (id, season, nite, expnum, band, state, reason, since, queued_at, added_by, held,"
            " watch_only, priority, attempt, ready, news_at, as_of, forcefiles_expected, forcefiles_found,"
            " forcefiles_missing, forcefiles_surplus) VALUES (?, ?, ?, ?, 'i', 'done', 'post-processing run 1 ended"
            " well', ?, ?, 'observer', 0, 0, 0, 1, 'full', ?, ?, 118, 118, '[]', '[]')",
            _old_exposures(ids),
        )
        db.executemany(
            'INSERT INTO ccd (exposure_id, ccd, state, fails, fail_stats, stale, "foreign", looks)'
            " VALUES (?, ?, 'complete', '[]', '{}', '[]', '[]', 3)",
            ((exposure, ccd) for exposure in ids for ccd in SEARCH_CCDS),
        )
    db.close()


def _old_exposures(ids: range) -> Iterator[tuple[object, ...]]:
    at = f"{LONG_AGO:%Y-%m-%d %H:%M:%S.%f}"
    for n, exposure in enumerate(ids):
        nite = f"{LONG_AGO - timedelta(days=n // PER_NITE):%Y%m%d}"
        yield exposure, 2210 + n // PER_SEASON, nite, 500_000 + n, at, at, at, at


def _on_terminal(command: Sequence[str]) -> list[str]:
    """The command with a pseudo terminal for its output."""
    return ["script", "--quiet", "--return", "--command", f"stty cols 120; {' '.join(command)}", "/dev/null"]


def _timed(commands: Mapping[str, tuple[list[str], Path]], rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Seconds on the clock and of the processor, for each command. In turns, so that all share the same minutes."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, (command, place) in commands.items():
            times[name].append(_once(command, place))
    return times


def _once(command: list[str], place: Path) -> tuple[float, float]:
    begin = time.perf_counter()
    pid = os.fork()
    if pid == 0:
        os.chdir(place)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(nowhere, standard)
        os.execvp(command[0], command)
    _, status, used = os.wait4(pid, 0)
    if status != 0:
        sys.exit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    return time.perf_counter() - begin, used.ru_utime + used.ru_stime


def _print(times: Mapping[str, Sequence[tuple[float, float]]]) -> None:
    print(f"{'milliseconds':<45}{'clock, median':>15}{'clock, best':>13}{'processor, best':>17}")
    for name, runs in times.items():
        clock = [1e3 * run[0] for run in runs]
        processor = min(1e3 * run[1] for run in runs)
        print(f"{name:<45}{statistics.median(clock):>15.0f}{min(clock):>13.0f}{processor:>17.0f}")


if __name__ == "__main__":
    main()
