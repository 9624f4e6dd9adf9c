"""Runs the checks, all at once: one that fails or hangs hurts no other."""

from __future__ import annotations

import os
import threading
import time
from datetime import datetime
from typing import Final

from desgw_daemon.config.model import Config
from desgw_daemon.daemon.doctor import folders, grid, host, knowledge, people, programs
from desgw_daemon.daemon.doctor.check import CHECKS, Answer, Case, Check, fail
from desgw_daemon.daemon.doctor.trees import Trees
from desgw_daemon.domain.checkup import Finding
from desgw_daemon.domain.times import age

#: In the order in which their checks are shown.
_MODULES: Final = (folders, programs, grid, knowledge, people, host)


def checks() -> tuple[Check, ...]:
    """All of them, in the order in which they are shown."""
    names = [module.__name__ for module in _MODULES]
    return tuple(sorted(CHECKS.values(), key=lambda check: names.index(check.run.__module__)))


class _Run:
    """One check in a thread of its own."""

    def __init__(self, check: Check, case: Case) -> None:
        self._check, self._case = check, case
        self._answer: Answer | None = None
        # A daemon thread: one that hangs must not keep the program from ending.
        self._thread = threading.Thread(target=self._go, name=f"check {check.name}", daemon=True)
        self._begun = time.monotonic()
        self._thread.start()

    def _go(self) -> None:
        try:
            self._answer = self._check.run(self._case)
        except Exception as error:  # noqa: BLE001 - whatever a check runs into, the others go on
            why = f"the check itself failed ({type(error).__name__}: {error})"
            self._answer = fail(why, "tell those who maintain the daemon, unless the error says what to mend")

    def finding(self) -> Finding:
        """What it found, at the latest when its deadline is over."""
        within = self._check.within(self._case.config)
        self._thread.join(max(0.0, self._begun + within.total_seconds() - time.monotonic()))
        answer = self._answer or fail(
            f"the check has come to no end within {age(within)}: something that it asks does not answer",
            "see what else fails here; if nothing does, run it again",
        )
        return Finding(name=self._check.name, outcome=answer.outcome, text=answer.text, todo=answer.todo)


def examine(config: Config, *, now: datetime, quick: bool = False) -> tuple[Finding, ...]:
    """What each check found, in the order of the list. quick: without those that take long."""
    paths = config.paths
    trees = Trees(
        {"pnfs": paths.pnfs, "workflow": paths.workflow, "postprocessing": paths.postprocessing},
        patience=config.poll.answer_within,
    )
    case = Case(config=config, now=now, environment=dict(os.environ), trees=trees)
    runs = [_Run(check, case) for check in checks() if not (quick and check.slow)]
    return tuple(run.finding() for run in runs)
