"""The loop: a cycle at each interval, signals, and a configuration that may change under way."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from apscheduler.events import (
    EVENT_JOB_ERROR,
    EVENT_JOB_EXECUTED,
    EVENT_JOB_MAX_INSTANCES,
    JobExecutionEvent,
    JobSubmissionEvent,
)
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger
from sqlalchemy import Engine
from sqlalchemy.exc import DatabaseError

from desgw_daemon import __version__
from desgw_daemon.children.keeper import boot_id
from desgw_daemon.config.changes import changed
from desgw_daemon.config.loading import Loaded, reload
from desgw_daemon.config.model import Config, keys, needs_restart, value_of
from desgw_daemon.config.watch import ConfigWatch, FolderWatch, LocalWatch
from desgw_daemon.daemon.after_cycle import AfterCycle, Committed
from desgw_daemon.daemon.checkups import Checkups
from desgw_daemon.daemon.heartbeat import Heartbeat
from desgw_daemon.daemon.measuring import Measuring
from desgw_daemon.daemon.service import EXTEND_EVERY, Service
from desgw_daemon.daemon.tick import tick
from desgw_daemon.daemon.trouble import trouble_of
from desgw_daemon.domain.actions import AlertWanted
from desgw_daemon.errors import ConfigError
from desgw_daemon.observe.inbox import LISTS
from desgw_daemon.report.events import Event
from desgw_daemon.report.logs import Log
from desgw_daemon.report.sdnotify import Notifier
from desgw_daemon.store.database import writing
from desgw_daemon.store.vitals import record_start, record_stop
from desgw_daemon.wiring import build

#: A cycle that is under way when the daemon is to stop gets this long. What is cut off then is taken up at the next
#: start, as after any crash.
_LAST_CYCLE: Final = timedelta(seconds=5)
_CYCLE: Final = "cycle"
#: A cycle that is due later than by the interval and this is due so because the clock was set back.
_SET_BACK: Final = timedelta(seconds=5)


def utc_now() -> datetime:
    """The clock of the daemon."""
    return datetime.now(UTC)


class Daemon:
    """Repeats the cycle until it is told to stop. The caller holds the act lock."""

    def __init__(self, *, loaded: Loaded, database: Engine, log: Log, clock: Callable[[], datetime] = utc_now) -> None:
        self._loaded = loaded
        self._log = log
        self._clock = clock
        self._house = build(loaded.config, database, clock, source=loaded.source)
        self._service = Service(notifier=Notifier.of(os.environ), log=log)
        self._after = AfterCycle(log=log)
        self._after.add("the word to systemd", self._service.cycle_done)
        self._after.add("the heartbeat", Heartbeat().cycle_done)
        self._after.add("numbers for Prometheus", Measuring().cycle_done)
        self._after.add("doctor", Checkups(source=loaded.source.absolute(), log=log).cycle_done)
        self._trouble = trouble_of(self._house, log, clock)
        self._stop = threading.Event()
        self._look_at_config = threading.Event()
        #: When cycles are wanted beside the regular ones. Shared by watchers, signals and cycles: its steps are atomic.
        self._wanted: deque[datetime] = deque()
        self._refused: ConfigError | None = None
        self._in_cycle = threading.Lock()
        self._overrun = False
        self._overrun_told = False
        self._unwatched = False
        # What they say of a cycle that runs over, or has failed, says nothing to people; _on_overrun and _on_error do.
        logging.getLogger("apscheduler.scheduler").setLevel(logging.ERROR)
        logging.getLogger("apscheduler.executors").setLevel(logging.CRITICAL)
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(1)},
            # misfire_grace_time: the default of 1 s would drop a cycle that comes a little late.
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )

    def run(self) -> None:
        """Run until SIGTERM or SIGINT. A cycle that is cut off by the end is taken up at the next start."""
        config = self._loaded.config
        inbox = self._house.inbox
        inbox.mkdir(exist_ok=True)
        signal.signal(signal.SIGTERM, lambda *_: self._stop.set())
        signal.signal(signal.SIGINT, lambda *_: self._stop.set())
        signal.signal(signal.SIGHUP, lambda *_: self._config_may_have_changed())
        self._scheduler.add_listener(self._on_error, EVENT_JOB_ERROR)
        self._scheduler.add_listener(self._on_overrun, EVENT_JOB_MAX_INSTANCES)
        self._scheduler.add_listener(self._catch_up, EVENT_JOB_EXECUTED | EVENT_JOB_ERROR)
        self._scheduler.add_job(
            self._cycle,
            IntervalTrigger(seconds=config.poll.interval.total_seconds(), timezone=UTC),
            id=_CYCLE,
            next_run_time=datetime.now(UTC),
        )
        watch = LocalWatch(
            ConfigWatch(path=self._loaded.source, on_change=self._config_may_have_changed),
            FolderWatch(folder=inbox, pattern=LISTS, on_change=self._list_arrived),
        )
        try:
            if problem := watch.start():
                self._unwatched = True
                self._log.warning(Event.CONFIG_NOT_WATCHED, f"changed files are noticed at the next cycle: {problem}")
            self._log.info(
                Event.DAEMON_STARTED,
                f"desgw-daemon works on {config.paths.state}, a cycle every {config.poll.interval.total_seconds():g} s",
                pid=os.getpid(),
            )
            self._service.starting(config)
            started = self._note_start()
            self._scheduler.start()
            while not self._stop.wait(EXTEND_EVERY.total_seconds()):
                self._service.still_starting()
                self._mend_schedule()
            self._service.stopping()
            self._scheduler.shutdown(wait=False)
        finally:
            watch.stop()
        self._trouble.wait(_LAST_CYCLE)
        if not self._in_cycle.acquire(timeout=_LAST_CYCLE.total_seconds()):
            self._log.info(Event.DAEMON_STOPPED, "stopped in the middle of a cycle; the next start takes it up")
            self._leave_at_once()
        self._note_stop(started)
        self._log.info(Event.DAEMON_STOPPED, "stopped; DAGs, DAGMakers and post-processing go on by themselves")

    def _note_start(self) -> int | None:
        """Write the start down. One that cannot be is told by what else cannot."""
        try:
            with writing(self._house.database) as connection:
                return record_start(
                    connection, at=self._clock(), pid=os.getpid(), boot_id=boot_id(), version=__version__
                )
        except DatabaseError:
            return None

    def _note_stop(self, started: int | None) -> None:
        """Without it the next start counts as one after a crash."""
        if started is None:
            return
        with suppress(DatabaseError), writing(self._house.database) as connection:
            record_stop(connection, started, at=self._clock(), how="told to stop")

    def _mend_schedule(self) -> None:
        """The scheduler waits for a time of day: a clock that was set back would have it wait for longer."""
        job = self._scheduler.get_job(_CYCLE)
        now = datetime.now(UTC)
        if job is not None and job.next_run_time > now + self._loaded.config.poll.interval + _SET_BACK:
            self._bring_forward(now)

    def _leave_at_once(self) -> None:
        """Leave without waiting for a thread that may hang on a mount."""
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)

    def _cycle(self) -> None:
        with self._in_cycle:
            if self._stop.is_set():
                return
            self._overrun = False
            self._forget_wanted(datetime.now(UTC))
            if self._look_at_config.is_set() or self._unwatched:
                self._look_at_config.clear()
                self._service.reloading()
                try:
                    self._take_config()
                finally:
                    self._service.reloaded(self._loaded.config)
            done = tick(
                self._house,
                self._log,
                clock=self._clock,
                more_alerts=self._own_alerts(),
                told=self._trouble.told(),
            )
            committed = Committed(
                number=done.number, at=done.at, house=self._house, credential_until=done.credential_until
            )
            self._trouble.is_over()
            self._after.run(committed)
            self._overrun_told = self._overrun

    def _config_may_have_changed(self) -> None:
        self._look_at_config.set()
        self._soon()

    def _list_arrived(self) -> None:
        """A list is looked at as soon as it can have settled."""
        self._soon(self._loaded.config.queue.inbox_settle + timedelta(milliseconds=100))

    def _soon(self, after: timedelta = timedelta(0)) -> None:
        """A cycle now, or after a while; the regular ones go on from there."""
        when = datetime.now(UTC) + after
        self._wanted.append(when)
        self._bring_forward(when)

    def _catch_up(self, _: JobExecutionEvent) -> None:
        """What is still wanted after a cycle: the scheduler has dropped what came while it was under way."""
        if wanted := tuple(self._wanted):
            self._bring_forward(min(wanted))

    def _forget_wanted(self, now: datetime) -> None:
        """The cycle that begins now is the one that was wanted."""
        for _ in range(len(self._wanted)):
            if (when := self._wanted.popleft()) > now:
                self._wanted.append(when)

    def _bring_forward(self, when: datetime) -> None:
        job = self._scheduler.get_job(_CYCLE)
        if job is not None and not self._stop.is_set() and when < job.next_run_time:
            job.modify(next_run_time=when)

    def _take_config(self) -> None:
        """Take up a changed file; a broken one is refused, and the values in force stay."""
        answer = reload(self._loaded)
        if isinstance(answer, ConfigError):
            if self._refused is None or str(self._refused) != str(answer):
                self._log.warning(Event.CONFIG_REFUSED, f"{answer}. The values in force stay")
            self._refused = answer
            return
        self._refused = None
        changes = changed(self._loaded.config, answer.config)
        if not changes:
            return
        for change in changes:
            if change.needs_restart:
                text = f"{change.key}: {change.old} -> {change.new} takes effect when the daemon is started again"
                self._log.warning(Event.CONFIG_NEEDS_RESTART, text)
            else:
                self._log.info(Event.CONFIG_TAKEN, f"{change.key}: {change.old} -> {change.new}")
        in_force = keep_restart_keys(self._loaded.config, answer.config)
        self._loaded = Loaded(config=in_force, source=answer.source, origins=answer.origins)
        self._log.set_level(in_force.log.level)
        self._house = build(in_force, self._house.database, self._clock, source=self._loaded.source, before=self._house)

    def _own_alerts(self) -> tuple[AlertWanted, ...]:
        if self._refused is None:
            return ()
        return (
            AlertWanted(
                key="config_refused",
                rule="config_refused",
                text=f"a changed daemon.toml is refused, the values before it stay in force: {self._refused}",
            ),
        )

    def _on_error(self, event: JobExecutionEvent) -> None:
        error = event.exception
        self._service.cycle_failed(str(error.orig if isinstance(error, DatabaseError) else error))
        if isinstance(error, DatabaseError):
            self._trouble.began(str(error.orig))
        else:
            self._log.error(Event.CYCLE_FAILED, f"a cycle failed: {error}; the next one tries again", cause=error)

    def _on_overrun(self, event: JobSubmissionEvent) -> None:
        """Said once, and again only after a cycle that was in time."""
        self._overrun = True
        if self._overrun_told:
            return
        self._overrun_told = True
        self._log.warning(Event.CYCLE_OVERRUN, "a cycle takes longer than poll.interval; the next one waits for it")


def keep_restart_keys(old: Config, new: Config) -> Config:
    """The new configuration, with the old values of the keys that need a restart."""
    updates: dict[str, dict[str, Any]] = {}
    for key in keys():
        if needs_restart(key):
            section, name = key.split(".")
            updates.setdefault(section, {})[name] = value_of(old, key)
    sections = {section: getattr(new, section).model_copy(update=values) for section, values in updates.items()}
    return new.model_copy(update=sections)
