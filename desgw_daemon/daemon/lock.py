"""Locks in the state folder: one acting program at a time, and one refresh of exposures.list."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from filelock import FileLock, Timeout

from desgw_daemon.errors import Refused

#: Who wants to refresh waits for this long (seconds) for one that only looks whether somebody does.
_ONLY_LOOKING: Final = 2


class _Lock:
    """The kernel lets go of it when its holder ends, however that was."""

    def __init__(self, state: Path, name: str, *, patience: float) -> None:
        """patience: for how long another holder is waited for, in seconds."""
        self._folder = state / "locks"
        self._holder = self._folder / f"{name}.holder"
        self._lock = FileLock(self._folder / f"{name}.lock", mode=0o664, timeout=patience)

    def __enter__(self) -> Self:
        """Raises Refused when somebody else has it, naming the holder, or when nothing can be written there."""
        try:
            self._folder.mkdir(exist_ok=True)
            self._lock.acquire()
        except Timeout:
            raise Refused(self._taken()) from None
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
        with suppress(OSError):
            self._holder.unlink()
        self._lock.release()

    def _taken(self) -> str:
        raise NotImplementedError

    def _said(self) -> str:
        try:
            said = self._holder.read_text().strip()
        except OSError:
            said = ""
        return f"another desgw-daemon ({said or 'which did not say its number'})"


class ActLock(_Lock):
    """Held by whoever carries out plans."""

    def __init__(self, state: Path) -> None:
        super().__init__(state, "act", patience=0)

    def _taken(self) -> str:
        return (
            f"{self._said()} works on this state folder already ({self._folder.parent}); only one may."
            " A wish that it should carry out can be left with `desgw-daemon postproc run`, `queue ...`"
        )


class RefreshLock(_Lock):
    """Held by whoever writes exposures.list anew."""

    def __init__(self, state: Path) -> None:
        super().__init__(state, "refresh", patience=_ONLY_LOOKING)

    def _taken(self) -> str:
        return f"{self._said()} refreshes exposures.list already; `desgw-daemon exposures status` shows how it ends"


def is_held(state: Path) -> bool:
    """Whether a daemon (or a tick) is at work on this state folder."""
    return _is_held(state, "act")


def holder(state: Path) -> int | None:
    """The number of the process that is at work on it, as that has written it down."""
    try:
        word = (state / "locks" / "act.holder").read_text().removeprefix("process ").strip()
    except OSError:
        return None
    return int(word) if word.isdecimal() else None


def is_refreshing(state: Path) -> bool:
    """Whether exposures.list is being written anew."""
    return _is_held(state, "refresh")


def _is_held(state: Path, name: str) -> bool:
    path = state / "locks" / f"{name}.lock"
    lock = FileLock(path, mode=0o664, timeout=0)
    try:
        with lock:
            return False
    except (Timeout, FileNotFoundError, NotADirectoryError):
        return path.exists()
