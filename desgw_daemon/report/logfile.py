"""The log file: lines of JSON, appended whole, readable and writable by the group. Never raises.

The file is opened for each line. That costs some microseconds, and then logrotate, a folder that comes
later, and several programs with one file need no code at all.
"""

from __future__ import annotations

import json
import logging
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from desgw_daemon.domain.times import utc
from desgw_daemon.report.events import Event

#: The group that shares the queue shares the log; the umask of whoever comes first has no say.
_MODE: Final = 0o664
_APPEND: Final = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC


class LogFile(logging.Handler):
    """Appends to one file. lost: lines that could not be written since the last one that could."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self.lost = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Append one line. A full disk or a folder that is away loses it; the number of such lines is
        written as soon as that is possible again.
        """
        line = self.format(record) + "\n"
        if self.lost:
            # The newline ends a line that the full disk has cut.
            line = f"\n{_lost_line(self.lost)}\n{line}"
        try:
            self._append(line.encode("utf-8"))
        except OSError:
            self.lost += 1
        else:
            self.lost = 0

    def _append(self, data: bytes) -> None:
        descriptor = self._open()
        try:
            while data:
                data = data[os.write(descriptor, data) :]
        finally:
            os.close(descriptor)

    def _open(self) -> int:
        try:
            descriptor = os.open(self._path, _APPEND | os.O_CREAT | os.O_EXCL, _MODE)
        except FileExistsError:
            # O_CREAT: logrotate may have moved it away just now.
            return os.open(self._path, _APPEND | os.O_CREAT, _MODE)
        os.fchmod(descriptor, _MODE)
        return descriptor


def _lost_line(count: int) -> str:
    return json.dumps(
        {
            "time": utc(datetime.now(UTC)),
            "level": logging.getLevelName(logging.ERROR),
            "event": Event.LOG_LINES_LOST,
            "text": f"{count} lines could not be written to this file",
            "count": count,
        }
    )
