"""Has `doctor` look at the daemon's surroundings soon after the start, and once a day.

It is the same program in a process of its own: whatever it hangs on, the loop goes on, and nobody waits for it. It sees
what the daemon sees, since it runs in the same sandbox, with the same account and credentials.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import IO, Final

from desgw_daemon.daemon.after_cycle import Committed
from desgw_daemon.domain.checkup import Finding, Outcome, counts
from desgw_daemon.report.events import Event
from desgw_daemon.report.logs import Log
from desgw_daemon.store.checkup import record_checkup
from desgw_daemon.store.database import writing

#: A start is busy, and what its first cycles see is told by them.
_SETTLE: Final = timedelta(seconds=30)
_EVERY: Final = timedelta(days=1)
#: What failed is looked at again, so that its alert ends when the cause has.
_AGAIN: Final = timedelta(minutes=10)
#: Beyond the longest check that depends on the configuration: the sourcing of the set-up script.
_MORE: Final = timedelta(minutes=5)
#: A process that can be ended has ended within this.
_LEAVE: Final = timedelta(seconds=0.5)


class Checkups:
    """A task of `AfterCycle`: starts the process, and takes up what it found in a later cycle."""

    def __init__(self, *, source: Path, log: Log, clock: Callable[[], float] = time.monotonic) -> None:
        """source: the configuration file. clock: seconds, from anywhere on."""
        self._source = source
        self._log = log
        self._clock = clock
        self._next = clock() + _SETTLE.total_seconds()
        self._process: subprocess.Popen[bytes] | None = None
        self._output: IO[bytes] | None = None

    def cycle_done(self, committed: Committed) -> None:
        """Start it when it is time; write down what it found when it has ended.

        Raises OSError, ValueError: it came to nothing. It is tried again.
        """
        now = self._clock()
        if self._process is None:
            if now >= self._next:
                self._next = now + (committed.house.config.dagmaker.setup_timeout + _MORE).total_seconds()
                self._start()
            return
        if self._process.poll() is None:
            if now >= self._next:
                self._process.kill()
                with suppress(subprocess.TimeoutExpired):  # stuck where nothing can end it: it is left behind
                    self._process.wait(_LEAVE.total_seconds())
                self._let_go(now)
                raise OSError("`desgw-daemon doctor` comes to no end")
            return
        try:
            findings = self._read()
        finally:
            self._let_go(now)
        with writing(committed.house.database) as connection:
            record_checkup(connection, findings, at=committed.at)
        failed = [found.name for found in findings if found.outcome is Outcome.FAIL]
        self._next = now + (_AGAIN if failed else _EVERY).total_seconds()
        number = counts(findings)
        words = ", ".join(f"{number[outcome]} {outcome.upper()}" for outcome in Outcome if number[outcome])
        text = f"doctor: {words}" + (f" ({', '.join(failed)})" if failed else "")
        self._log.info(Event.CHECKUP_DONE, text, failed=failed)

    def _start(self) -> None:
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        self._process = subprocess.Popen(
            [sys.executable, "-m", "desgw_daemon", "--config", str(self._source), "doctor", "--json"],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _read(self) -> tuple[Finding, ...]:
        assert self._process is not None and self._output is not None
        self._output.seek(0)
        said = self._output.read()
        if self._process.returncode not in (0, 1) or not said:
            raise OSError(f"`desgw-daemon doctor` ended with exit code {self._process.returncode}")
        checks = json.loads(said)["checks"]
        return tuple(Finding(**{**found, "outcome": Outcome(found["outcome"])}) for found in checks)

    def _let_go(self, now: float) -> None:
        if self._output is not None:
            self._output.close()
        self._process, self._output = None, None
        self._next = now + _AGAIN.total_seconds()
