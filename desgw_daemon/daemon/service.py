"""The daemon as a service of systemd: when it is ready, what goes on, that it lives, that it stops.

Ready means: the configuration is good, the database current, the first cycle finished and written down. A ping of the
watchdog means a cycle that was finished and written down, not a process that lives. A cycle that the database refuses
sends none: when that lasts, systemd starts the daemon again, which harms nothing and helps where its own connection is
the cause.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Final

from desgw_daemon.config.model import Config
from desgw_daemon.daemon.after_cycle import Committed
from desgw_daemon.domain.states import ExposureState
from desgw_daemon.domain.times import age
from desgw_daemon.report.events import Event
from desgw_daemon.report.logs import Log
from desgw_daemon.report.sdnotify import Notifier
from desgw_daemon.store.database import reading
from desgw_daemon.store.goings_on import GoingsOn, goings_on

#: How often a start that takes its time asks for more of it, and for how much each time.
EXTEND_EVERY: Final = timedelta(seconds=20)
_EXTEND_BY: Final = timedelta(seconds=60)
#: A first cycle that takes longer than this hangs: systemd's own time-out of the start is then left to run out.
_FIRST_CYCLE: Final = timedelta(minutes=15)
#: In the status line, in this order.
_SHOWN: Final = (
    (ExposureState.QUEUED, "queued"),
    (ExposureState.MAKING, "making"),
    (ExposureState.SUBMITTING, "submitting"),
    (ExposureState.PROCESSING, "processing"),
    (ExposureState.READY, "ready"),
    (ExposureState.POSTPROCESSING, "in post-processing"),
)


def longest_cycle(config: Config) -> timedelta:
    """A healthy daemon pings at least this often, however slow the mount and the queue are: a cycle that uses up its
    time limits, and comes after two that were dropped.
    """
    queue = config.submit.query_timeout * 4 * max(1, len(config.jobsub.schedds))
    return 3 * config.poll.interval + 2 * config.poll.look_deadline + queue


class Service:
    """What systemd hears. All of it is nothing when no systemd listens."""

    def __init__(self, *, notifier: Notifier, log: Log) -> None:
        self._notifier = notifier
        self._log = log
        self._begun = time.monotonic()
        self._watchdog = notifier.watchdog
        self.ready = False

    def starting(self, config: Config) -> None:
        """Before the first cycle."""
        self._notifier.tell(STATUS="starting: the first cycle is under way")
        self.fit_watchdog(config)

    def fit_watchdog(self, config: Config) -> None:
        """A watchdog that is shorter than a healthy cycle would kill the daemon again and again: it is widened."""
        wanted = longest_cycle(config)
        if self._watchdog is None or self._watchdog >= wanted:
            return
        self._log.warning(
            Event.WATCHDOG_WIDENED,
            f"WatchdogSec is {age(self._watchdog)}, and with this configuration a cycle of a healthy daemon may take"
            f" {age(wanted)}: the watchdog waits for so long now. Set WatchdogSec to that or more in the unit",
        )
        self._watchdog = wanted
        self._notifier.tell(WATCHDOG_USEC=_usec(wanted))

    def still_starting(self) -> None:
        """Every now and then while the first cycle lasts."""
        if not self.ready and time.monotonic() - self._begun < _FIRST_CYCLE.total_seconds():
            self._notifier.tell(EXTEND_TIMEOUT_USEC=_usec(_EXTEND_BY))

    def cycle_done(self, committed: Committed) -> None:
        """A cycle was finished and written down."""
        if not self._notifier.is_heard:
            return
        told: dict[str, str | int] = {"WATCHDOG": 1} if self.ready else {"READY": 1, "WATCHDOG": 1}
        try:
            with reading(committed.house.database) as connection:
                told["STATUS"] = status_line(committed.number, committed.at, goings_on(connection))
        finally:
            # In one message: whoever has waited for READY looks at the line at once. And whatever becomes of that: the
            # cycle is finished.
            self._notifier.tell(**told)
            self.ready = True

    def cycle_failed(self, words: str) -> None:
        """A cycle could not be finished: this is said, and nothing else."""
        self._notifier.tell(STATUS=f"the last cycle failed: {words}")

    def reloading(self) -> None:
        """A changed configuration is being taken up ..."""
        if self.ready:
            self._notifier.tell(RELOADING=1, MONOTONIC_USEC=time.monotonic_ns() // 1000)

    def reloaded(self, config: Config) -> None:
        """... or was refused: either way it is over."""
        if self.ready:
            self._notifier.tell(READY=1)
        self.fit_watchdog(config)

    def stopping(self) -> None:
        """The end has begun."""
        self._notifier.tell(STOPPING=1, STATUS="stopping; what was started goes on by itself")


def status_line(number: int, at: datetime, seen: GoingsOn) -> str:
    """One line: "cycle 412 at 02:14:05Z: 12 processing, 3 ready, 1 needs a person; /pnfs silent for 6 min"."""
    counts = [f"{seen.exposures[state]} {word}" for state, word in _SHOWN if seen.exposures.get(state)]
    if stopped := seen.exposures.get(ExposureState.ATTENTION):
        counts.append(f"{stopped} {'needs' if stopped == 1 else 'need'} a person")
    parts = [f"cycle {number} at {at:%H:%M:%SZ}: {', '.join(counts) or 'nothing to do'}"]
    parts += ["paused"] if seen.paused else []
    parts += [f"{name} silent for {age(at - since)}" for name, since in seen.silent.items()]
    parts += [f"{seen.alerts} alert{'' if seen.alerts == 1 else 's'} up"] if seen.alerts else []
    return "; ".join(parts)


def _usec(span: timedelta) -> int:
    return span // timedelta(microseconds=1)
