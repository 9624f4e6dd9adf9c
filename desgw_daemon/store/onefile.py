"""Whether the database is still the file that the program began with.

SQLite goes on with a file that somebody has removed, or has put another in the place of: what it writes then is in no
folder any more, and gone with the process. So nothing is read or written any more instead.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from desgw_daemon.store.readonly import BUSY_TIMEOUT


class OneFile:
    """Opens the file, and looks at it again before each transaction."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: tuple[int, int] | None = None

    def open(self) -> sqlite3.Connection:
        """A connection. Raises sqlite3.OperationalError when it would be to another file."""
        self.check()
        # rw: a file that is gone is not made anew, empty. The driver's own transaction handling is switched off.
        mode = "rwc" if self._known is None else "rw"
        connection = sqlite3.connect(
            f"{self._path.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=BUSY_TIMEOUT,
            check_same_thread=False,
            isolation_level=None,
        )
        if self._known is None:
            self._known = self._there()
        return connection

    def check(self) -> None:
        """Raises sqlite3.OperationalError when the file is not the one that was opened first."""
        if self._known is None or (there := self._there()) == self._known:
            return
        if there is None:
            raise sqlite3.OperationalError(f"{self._path} was removed while it was used")
        raise sqlite3.OperationalError(f"{self._path} was replaced by another file while it was used")

    def _there(self) -> tuple[int, int] | None:
        try:
            info = self._path.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise sqlite3.OperationalError(f"{self._path} cannot be looked at: {error.strerror}") from error
        return info.st_dev, info.st_ino
