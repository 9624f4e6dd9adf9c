"""What is done after each cycle that was written down: pings, heartbeats, numbers.

Each task is guarded: an error in one is logged and hurts no other, and none can undo the cycle. A task must return at
once; what may block (a network, a foreign disk) belongs into a process or thread of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from desgw_daemon.report.events import Event
from desgw_daemon.report.logs import Log
from desgw_daemon.wiring import House


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """A cycle that was finished and written down: its number (poll.id), when it began, and what it worked with.

    credential_until: when the credential ends; None without a good one.
    """

    number: int
    at: datetime
    house: House
    credential_until: datetime | None = None


Task = Callable[[Committed], None]


class AfterCycle:
    """The tasks by name, in the order in which they were added."""

    def __init__(self, *, log: Log) -> None:
        self._log = log
        self._tasks: dict[str, Task] = {}
        self._told: dict[str, str] = {}

    def add(self, name: str, task: Task) -> None:
        """From the next cycle on; a task of the same name is replaced."""
        self._tasks[name] = task

    def run(self, committed: Committed) -> None:
        """Do all of them. An error is told once, and again only when it changes or comes back."""
        for name, task in self._tasks.items():
            try:
                task(committed)
            except Exception as error:  # noqa: BLE001 - whatever a task runs into, the cycle is done and the others go on
                words = f"{type(error).__name__}: {error}"
                if self._told.get(name) != words:
                    self._told[name] = words
                    text = f"{name} failed after cycle {committed.number}: {error}; tried again after the next"
                    self._log.warning(Event.AFTER_CYCLE_FAILED, text, task=name, error=words)
            else:
                self._told.pop(name, None)
