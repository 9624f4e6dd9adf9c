"""An episode in which the database cannot be used: told once, without the database.

The log has it in each cycle. What goes to people besides is sent by a process that needs no database. That it was told
is kept in a small file, in the state folder or, where that cannot be written, in the folder for temporary files: a
daemon that is started again and again does not tell it each time.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy.exc import DatabaseError

from desgw_daemon.act.address import places
from desgw_daemon.act.send import send_now
from desgw_daemon.config.model import Config
from desgw_daemon.daemon.alerting import told_cause
from desgw_daemon.decide.raising import calm
from desgw_daemon.domain.actions import AlertWanted
from desgw_daemon.domain.alertrules import RULES
from desgw_daemon.domain.alerts import Telling
from desgw_daemon.domain.messages import Message
from desgw_daemon.domain.times import utc
from desgw_daemon.report.events import Event
from desgw_daemon.report.logs import Log
from desgw_daemon.report.messages import message_of
from desgw_daemon.store.database import SchemaError, reading
from desgw_daemon.store.restoring import (
    damage_of,
    is_broken,
    is_taken_away,
    save_what_is_open,
    way_back,
    work_without_database,
)
from desgw_daemon.wiring import House

#: May take long, and never raises.
Send = Callable[[Message], None]

_RULE: Final = RULES["database_error"]
_MARK: Final = "database_error.told"
#: In SQLite's words, or in those of the system.
_FULL: Final = re.compile("full|No space left")


def sender(config: Config, log: Log) -> Send:
    """Sends by every channel of alerts.channels at once. What comes of it is in the log."""

    def send(message: Message) -> None:
        for channel in config.alerts.channels:
            try:
                problem = send_now(
                    channel, message, places(config.alert_credentials, os.environ), config.alerts.send_within
                )
            except OSError as error:
                problem = str(error)
            what = f"{message.title}: {'sent' if problem is None else 'not delivered'} by {channel}"
            if problem is None:
                log.info(Event.MESSAGE_SENT, what, channel=channel)
            else:
                log.warning(Event.MESSAGE_FAILED, f"{what}: {problem}", channel=channel)

    return send


class DatabaseTrouble:
    """From the first cycle that the database refuses to the next that is written down.

    That one leaves an alert of it (`told`), whose end is told as any other's.
    """

    def __init__(
        self,
        *,
        state: Path,
        backups: Path,
        log: Log,
        send: Send,
        clock: Callable[[], datetime],
        calm: timedelta,
        save: Callable[[], Path | None] = lambda: None,
        cause: Callable[[], str | None] = lambda: None,
    ) -> None:
        """backups: where the copies of the database are. calm: one that begins so soon after the last is the same one.

        save: copies what is still open of a file that was taken away. cause: what people were told already that
        explains a full disk.
        """
        self._state = state
        self._backups = backups
        self._log = log
        self._send = send
        self._clock = clock
        self._calm = calm.total_seconds()
        self._save = save
        self._cause = cause
        self._over_at: float | None = None
        self._sending: threading.Thread | None = None

    def began(self, words: str) -> None:
        """The database cannot be used, as SQLite says in these words."""
        told = bool(self._written())
        words += _nothing_written(self._state)
        if not told and is_taken_away(words) and (saved := self._save()) is not None:
            words += f"; what was in it is saved as {saved}"
        what_next = way_back(self._backups) if is_broken(words) else "it goes on by itself when that is over"
        text = f"the database cannot be used ({words}): nothing is done until it can; {what_next}"
        self._log.error(Event.DATABASE_ERROR, text)
        # Of a disk that fills up people are told before it is full.
        if told or (_FULL.search(words) and self._cause() is not None):
            return
        now = self._clock()
        self._mark(now, text)
        if self._over_at is None or time.monotonic() - self._over_at >= self._calm:
            self._in_background(_message(text, now))

    def told(self) -> AlertWanted | None:
        """What people were told of a trouble that stands in no database yet. since: when they were."""
        for mark in self._written():
            try:
                since, _, text = mark.read_text().partition("\n")
                at = datetime.fromisoformat(since)
            except (OSError, ValueError):
                continue
            return AlertWanted(key=_RULE.name, rule="database_error", text=text.strip(), since=at)
        return None

    def is_over(self) -> None:
        """A cycle was written down, and what was told with it."""
        if (told := self.told()) is None:
            return
        since = "" if told.since is None else f" since {utc(told.since)}"
        self._log.warning(Event.DATABASE_BACK, f"the database can be used again; it could not{since}: {told.text}")
        self._over_at = time.monotonic()
        for mark in self._written():
            with suppress(OSError):
                mark.unlink()

    def _in_background(self, message: Message) -> None:
        # The next cycle does not wait for it.
        self._sending = threading.Thread(target=self._send, args=(message,), daemon=True)
        self._sending.start()

    def wait(self, longest: timedelta) -> None:
        """For what is being sent: a program that ends at once has to."""
        if self._sending is not None:
            self._sending.join(longest.total_seconds())

    def _marks(self) -> tuple[Path, Path]:
        name = hashlib.sha256(str(self._state).encode()).hexdigest()[:16]
        return self._state / _MARK, Path(tempfile.gettempdir()) / f"desgw-daemon-{name}.{_MARK}"

    def _written(self) -> list[Path]:
        """Those that are there. In a folder that everybody writes into a file or a link of somebody else is none."""
        ours, everybodys = self._marks()
        found = [ours] if ours.exists() else []
        with suppress(OSError):
            info = everybodys.lstat()
            if stat.S_ISREG(info.st_mode) and info.st_uid == os.geteuid():
                found.append(everybodys)
        return found

    def _mark(self, at: datetime, text: str) -> None:
        for mark in self._marks():
            with suppress(OSError):
                descriptor = os.open(mark, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
                with os.fdopen(descriptor, "w") as file:
                    file.write(f"{at.isoformat()}\n{text}\n")
                return


def _nothing_written(state: Path) -> str:
    """What the disk says, where SQLite says no more than "disk I/O error"."""
    try:
        with tempfile.TemporaryFile(dir=state) as file:
            file.write(b"\0" * 4096)
            file.flush()
    except OSError as error:
        return f"; nothing can be written in {state}: {error.strerror}"
    return ""


def _message(text: str, at: datetime) -> Message:
    """As any other alert looks; it has no row yet."""
    return message_of(
        Telling(id=0, key=_RULE.name, rule=_RULE.name, text=text, severity=_RULE.severity, kind="raised", since=at)
    )


def trouble_of(house: House, log: Log, clock: Callable[[], datetime]) -> DatabaseTrouble:
    """Of the daemon's database."""
    config, database, policy = house.config, house.database, house.policy

    def cause() -> str | None:
        try:
            with reading(database) as connection:
                return told_cause(connection, _RULE.name, policy, at=clock())
        except DatabaseError:
            return None

    return DatabaseTrouble(
        state=config.paths.state,
        backups=config.backups,
        log=log,
        send=sender(config, log),
        clock=clock,
        calm=calm(policy),
        save=lambda: save_what_is_open(database, config.backups, at=clock()),
        cause=cause,
    )


def refuse_damaged(config: Config, log: Log, clock: Callable[[], datetime]) -> None:
    """At start. Raises SchemaError when the file is damaged or gone, after people were told: what is in it proves
    nothing.
    """
    path = config.database
    if path.exists():
        damage = damage_of(path)
        wrong = None if damage is None else f"{path} is damaged ({damage})"
    else:
        work = work_without_database(path.parent)
        wrong = f"{path} is gone, but {work} hold work of it (a disk that is not mounted?)" if work else None
    if wrong is None:
        return
    trouble = DatabaseTrouble(
        state=config.paths.state,
        backups=config.backups,
        log=log,
        send=sender(config, log),
        clock=clock,
        calm=timedelta(0),
    )
    trouble.began(wrong)
    trouble.wait(len(config.alerts.channels) * 2 * config.alerts.send_within)
    raise SchemaError(f"{wrong}: nothing is done with it; {way_back(config.backups)}")
