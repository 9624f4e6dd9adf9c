"""Which seasons are used elsewhere: the DES database and /pnfs, each asked by a process that may hang.

It never takes longer than its time-out and a few seconds; what was found until then counts, the rest is unknown.
Must not touch the mount or a database itself, nor decide anything.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import IO, Any, Final

from desgw_daemon.domain.seasons import Known, Source
from desgw_daemon.observe.season_worker import IMAGES, TABLES
from desgw_daemon.observe.text import last_lines, plain_text

#: -P: a `json.py` in the folder where the command was given must not be taken for the library's.
WORKER: Final = (sys.executable, "-P", "-m", "desgw_daemon.observe.season_worker")
#: The worker keeps to its time by itself, and says more then; so much later it is ended.
_GRACE: Final = timedelta(seconds=5)
#: A killed process that is not in the middle of a hanging call is gone after this long.
_DEATH: Final = timedelta(seconds=1)

NOT_CONFIGURED: Final = "databases.des is not set in daemon.toml: there is nobody to ask"


def ask_elsewhere(*, pnfs: Path, des: str, des_schema: str, timeout: timedelta) -> dict[Source, Known]:
    """What the DES database and /pnfs know, asked at the same time. des: as in daemon.toml; "" is not asked."""
    root, seconds = str(pnfs.absolute()), timeout.total_seconds()
    orders: dict[Source, dict[str, Any]] = {Source.PNFS: {"root": root}}
    if des:
        orders[Source.DES] = {"address": des, "schema": des_schema}
    questions = {
        source: _Question({"source": source.value, "timeout": seconds, **order}) for source, order in orders.items()
    }
    until = time.monotonic() + (timeout + _GRACE).total_seconds()
    found = {source: question.answer(until, timeout) for source, question in questions.items()}
    where = f"of {des_schema}" if des_schema else "of the DES database"
    known = {Source.DES: Known(problem=NOT_CONFIGURED)}
    if des:
        known[Source.DES] = _known(found[Source.DES], "SEASON of {}", f"in none of the {len(TABLES)} tables {where}")
    # exp/ has a folder for each nite of every season: to search it would be a storm of calls.
    free = f"no such dp folder in {root}/{IMAGES}; exp/ is too big to be searched"
    known[Source.PNFS] = _known(found[Source.PNFS], "a dp folder in {}", free)
    return known


class _Question:
    """One worker at work."""

    def __init__(self, order: Mapping[str, Any]) -> None:
        self._output, self._errors = _memory(), _memory()
        self._process: subprocess.Popen[bytes] | None = None
        with _memory() as asked:
            asked.write(json.dumps(order).encode())
            asked.seek(0)
            with suppress(OSError):
                # In a session of its own: Ctrl-C at the terminal is for the command.
                self._process = subprocess.Popen(
                    WORKER, stdin=asked, stdout=self._output, stderr=self._errors, cwd="/", start_new_session=True
                )

    def answer(self, until: float, timeout: timedelta) -> tuple[dict[int, list[str]], str | None]:
        """(season -> where, problem): what the worker has found until that time, and why not more."""
        with self._output as output, self._errors as errors:
            if self._process is None:
                return {}, "no process could be started to ask it"
            in_time = self._wait(self._process, until)
            used, problem, done = _understand(_read(output))
            if done or problem is not None:
                return used, problem
            if not in_time:
                return used, f"no answer within {timeout.total_seconds():g} s"
            words = "".join(last_lines(plain_text(_read(errors)), 1)) or "no words"
            return used, f"the process that asked it ended with {self._process.returncode}: {words}"

    def _wait(self, process: subprocess.Popen[bytes], until: float) -> bool:
        try:
            process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            # One that cannot die now is left behind.
            process.kill()
            with suppress(subprocess.TimeoutExpired):
                process.wait(_DEATH.total_seconds())
            return False
        return True


def _understand(said: bytes) -> tuple[dict[int, list[str]], str | None, bool]:
    """What a worker has written: where each season was found, the problem, whether it came to its end."""
    used: dict[int, list[str]] = {}
    problem, done = None, False
    for line in said.split(b"\n")[:-1]:
        try:
            finding = json.loads(line)
        except ValueError:  # a driver that prints; a line of ours may stand in it
            problem = "the process that asked it wrote what is not understood"
            continue
        for season in finding.get("used", ()):
            used.setdefault(season, []).append(finding["in"])
        problem = finding.get("problem", problem)
        done = finding.get("done", done)
    return used, problem, done


def _known(found: tuple[Mapping[int, Sequence[str]], str | None], where: str, free: str) -> Known:
    used, problem = found
    named = {season: where.format(", ".join(places)) for season, places in used.items()}
    return Known(used=named, free=free, problem=problem)


def _memory() -> IO[bytes]:
    """A file that needs no disk."""
    return os.fdopen(os.memfd_create("seasons"), "w+b")


def _read(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()
