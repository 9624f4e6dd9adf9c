"""An episode in which the database cannot be used: told once, and its end once, without the database.

The log has it in each cycle. What goes to people besides is sent by a process that needs no database. That it was told
is kept in a small file, in the state folder or, where that cannot be written, in the folder for temporary files: a
daemon that is started again and again does not tell it each time.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from desgw_daemon.act.address import places
from desgw_daemon.act.send import send_now
from desgw_daemon.config.model import Config
from desgw_daemon.domain.alertrules import RULES
from desgw_daemon.domain.messages import Message
from desgw_daemon.domain.times import utc
from desgw_daemon.report.events import Event
from desgw_daemon.report.logs import Log
from desgw_daemon.store.database import SchemaError
from desgw_daemon.store.restoring import damage_of, is_broken, way_back

#: title, body, severity: may take long, and never raises.
Send = Callable[[str, str, str], None]

_RULE: Final = RULES["database_error"]
_MARK: Final = "database_error.told"


def sender(config: Config, log: Log) -> Send:
    """Sends by every channel of alerts.channels at once. What comes of it is in the log."""

    def send(title: str, body: str, severity: str) -> None:
        message = Message(kind="raised", severity=severity, title=title, body=body)
        for channel in config.alerts.channels:
            try:
                problem = send_now(
                    channel, message, places(config.alert_credentials, os.environ), config.alerts.send_within
                )
            except OSError as error:
                problem = str(error)
            if problem is None:
                log.info(Event.MESSAGE_SENT, f"{title}: sent by {channel}", channel=channel)
            else:
                log.warning(Event.MESSAGE_FAILED, f"{title}: not delivered by {channel}: {problem}", channel=channel)

    return send


class DatabaseTrouble:
    """From the first cycle that the database refuses to the next that is written down."""

    def __init__(self, *, state: Path, backups: Path, log: Log, send: Send, clock: Callable[[], datetime]) -> None:
        """backups: where the copies of the database are."""
        self._state = state
        self._backups = backups
        self._log = log
        self._send = send
        self._clock = clock
        self._sending: threading.Thread | None = None

    def began(self, words: str) -> None:
        """The database cannot be used, as SQLite says in these words."""
        what_next = way_back(self._backups) if is_broken(words) else "it goes on by itself when that is over"
        text = f"the database cannot be used ({words}): nothing is done until it can; {what_next}"
        self._log.error(Event.DATABASE_ERROR, text)
        if not self._is_told():
            self._tell_mark(text)
            self._in_background(f"{_RULE.name}: the database cannot be used", text, _RULE.severity)

    def is_over(self) -> None:
        """A cycle was written down."""
        for mark in self._marks():
            try:
                since, _, text = mark.read_text().partition("\n")
                mark.unlink()
            except OSError:
                continue
            over = f"the database can be used again; it could not since {since}: {text}"
            self._log.warning(Event.DATABASE_BACK, over)
            self._in_background(f"{_RULE.name} is over", over, "info")

    def _in_background(self, title: str, body: str, severity: str) -> None:
        # Neither the next cycle nor the end of a daemon that is told to stop waits for it.
        self._sending = threading.Thread(target=self._send, args=(title, body, severity), daemon=True)
        self._sending.start()

    def wait(self, longest: timedelta) -> None:
        """For what is being sent: a program that ends at once has to."""
        if self._sending is not None:
            self._sending.join(longest.total_seconds())

    def _marks(self) -> tuple[Path, Path]:
        name = hashlib.sha256(str(self._state).encode()).hexdigest()[:16]
        return self._state / _MARK, Path(tempfile.gettempdir()) / f"desgw-daemon-{name}.{_MARK}"

    def _is_told(self) -> bool:
        return any(mark.exists() for mark in self._marks())

    def _tell_mark(self, text: str) -> None:
        for mark in self._marks():
            with suppress(OSError):
                mark.write_text(f"{utc(self._clock())}\n{text}\n")
                return


def refuse_damaged(config: Config, log: Log, clock: Callable[[], datetime]) -> None:
    """At start. Raises SchemaError when the file is damaged, after people were told: what is in it proves nothing."""
    path = config.database
    if not path.exists() or (damage := damage_of(path)) is None:
        return
    send = sender(config, log)
    trouble = DatabaseTrouble(state=config.paths.state, backups=config.backups, log=log, send=send, clock=clock)
    trouble.began(f"{path} is damaged: {damage}")
    trouble.wait(len(config.alerts.channels) * 2 * config.alerts.send_within)
    raise SchemaError(f"{path} is damaged ({damage}): nothing is done with it; {way_back(config.backups)}")
