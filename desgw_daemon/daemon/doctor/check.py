"""How a check is written: a function with the decorator `check`, which takes a Case and returns `ok`, `warn` or `fail`.

The name stands in the table and in docs/doctor.md, which a test holds against the program. A check may take its time
and may raise anything: it has a thread and a deadline of its own. What lies on a tree of the pipeline is only asked
through `Case.trees`, which cannot hang.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from desgw_daemon.config.model import Config
from desgw_daemon.daemon.doctor.trees import Trees
from desgw_daemon.domain.checkup import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What a check works with. environment: of this process."""

    config: Config
    now: datetime
    environment: Mapping[str, str]
    trees: Trees


@dataclass(frozen=True, slots=True)
class Answer:
    """What a check found."""

    outcome: Outcome
    text: str
    todo: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One of the list. slow: it takes long even when all is well, and `--quick` leaves it out."""

    name: str
    run: Callable[[Case], Answer]
    within: Callable[[Config], timedelta]
    slow: bool


#: All of them by name, in the order in which they are shown.
CHECKS: Final[dict[str, Check]] = {}


def _usual(config: Config) -> timedelta:
    """A check that asks a few trees, one after another, and a little more."""
    return 3 * config.poll.answer_within + timedelta(seconds=10)


def check(
    name: str,
    *,
    within: Callable[[Config], timedelta] = _usual,
    slow: bool = False,
) -> Callable[[Callable[[Case], Answer]], Callable[[Case], Answer]]:
    """Puts a function on the list.

    within: the deadline, for this configuration. Where a rule of the catalogue tells the same, `TOLD_BY` in
    domain/checkup.py names it.
    """

    def added(run: Callable[[Case], Answer]) -> Callable[[Case], Answer]:
        CHECKS[name] = Check(name=name, run=run, within=within, slow=slow)
        return run

    return added


def ok(text: str) -> Answer:
    """It is there."""
    return Answer(Outcome.OK, text)


def warn(text: str, todo: str) -> Answer:
    """A night can run without it."""
    return Answer(Outcome.WARN, text, todo)


def fail(text: str, todo: str) -> Answer:
    """A night needs it."""
    return Answer(Outcome.FAIL, text, todo)


def size(count: float) -> str:
    """Bytes for people: 4.2 GiB."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def named(path: Path, folder: Path) -> str:
    """A path as people know it: relative to its folder, where it is below it."""
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)
