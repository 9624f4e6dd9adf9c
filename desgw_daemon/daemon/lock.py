"""One acting program on a state folder at a time: the daemon, or a single `tick`."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Self

from filelock import FileLock, Timeout

from desgw_daemon.errors import Refused


class ActLock:
    """Held by whoever carries out plans. The kernel lets go of it when its holder ends, however that was."""

    def __init__(self, state: Path) -> None:
        self._folder = state / "locks"
        self._holder = self._folder / "act.holder"
        self._lock = FileLock(self._folder / "act.lock", mode=0o664, timeout=0)

    def __enter__(self) -> Self:
        """Raises Refused when somebody else has it, naming the holder, or when nothing can be written there."""
        try:
            self._folder.mkdir(exist_ok=True)
            self._lock.acquire()
        except Timeout:
            raise Refused(
                f"{self._said()} works on this state folder already ({self._folder.parent}); only one may."
                " A wish that it should carry out can be left with `desgw-daemon postproc run`, `queue ...`"
            ) from None
        except OSError as error:
            raise Refused(
                f"{error.filename or self._folder}: {error.strerror}: the state folder must be writable for this"
                f" account, and its disk must have room (see `df {self._folder.parent}`)"
            ) from error
        # It only tells people who it is; what a full disk keeps from being done is said by what cannot be done.
        with suppress(OSError):
            self._holder.write_text(f"process {os.getpid()}\n")
        return self

    def __exit__(self, *_: object) -> None:
        self._holder.unlink(missing_ok=True)
        self._lock.release()

    def _said(self) -> str:
        try:
            said = self._holder.read_text().strip()
        except OSError:
            said = ""
        return f"another desgw-daemon ({said or 'which did not say its number'})"


def is_held(state: Path) -> bool:
    """Whether a daemon (or a tick) is at work on this state folder."""
    lock = FileLock(state / "locks" / "act.lock", mode=0o664, timeout=0)
    try:
        with lock:
            return False
    except (Timeout, FileNotFoundError, NotADirectoryError):
        return (state / "locks" / "act.lock").exists()
