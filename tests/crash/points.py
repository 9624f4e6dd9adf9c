"""Counts the side effects of a process from inside, and ends it at one of them.

A side effect is what stays when the process is gone: a file opened for writing, renamed, linked, removed or given other
rights, a folder made or removed, a process started or signalled, a database opened, committed to or closed. Python
announces most of them by itself (audit events); what the database does is wrapped here.
"""

from __future__ import annotations

import builtins
import io
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any, Final

from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

#: The audit events of side effects, and the kind of point that each is.
_EVENTS: Final = {
    "os.rename": "rename",
    "os.remove": "unlink",
    "os.rmdir": "rmdir",
    "os.mkdir": "mkdir",
    "os.link": "link",
    "os.symlink": "symlink",
    "os.truncate": "truncate",
    "os.chmod": "chmod",
    "os.chown": "chown",
    "os.utime": "utime",
    "os.kill": "kill",
    "os.killpg": "kill",
    "os.fork": "spawn",
    "os.forkpty": "spawn",
    "os.exec": "spawn",
    "os.posix_spawn": "spawn",
    "os.system": "spawn",
    "subprocess.Popen": "spawn",
    "sqlite3.connect": "connect",
}
_WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
#: What carries the effects out: once one of these has returned, its effect is there.
_EFFECTS: Final = (
    *((os, name) for name in ("open", "rename", "replace", "remove", "unlink", "rmdir", "mkdir", "link", "symlink")),
    *((os, name) for name in ("truncate", "chmod", "chown", "utime", "kill", "killpg")),
    (io, "open"),
    (builtins, "open"),
    (subprocess, "_fork_exec"),
    (sqlite3.dbapi2, "connect"),
    (SQLiteDialect_pysqlite, "do_commit"),
    (SQLiteDialect_pysqlite, "do_close"),
)
#: Effects that no audit event announces.
_UNANNOUNCED: Final = {"do_commit": "commit", "do_close": "close"}


@dataclass(frozen=True, slots=True)
class Point:
    """A side effect: its kind, on what, and the lines of the daemon that led to it, outermost first."""

    kind: str
    what: str
    chain: tuple[str, ...]

    @property
    def place(self) -> str:
        """Where in the program it is. Log lines are written from everywhere: they are one place."""
        inner = [line for line in self.chain if not line.startswith("report.history")]
        return f"{self.kind} in {' < '.join(reversed(inner[-4:]))}"


class Points:
    """Counts while `counting` is open. There can be one in a process: audit hooks cannot be taken back."""

    def __init__(self, *, cut: Callable[[int, Point], bool], after: bool, told: Callable[[Point], None]) -> None:
        """cut: whether the process is to end at this side effect (numbered from 1), just before it or just after it.

        told: gets each point before its effect.
        """
        self._cut = cut
        self._after = after
        self._told = told
        self._counting = False
        self._count = 0
        self._armed = False
        for place, name in _EFFECTS:
            self._wrap(place, name)
        sys.addaudithook(self._hook)

    @contextmanager
    def counting(self) -> Iterator[None]:
        """What happens inside counts."""
        self._counting = True
        try:
            yield
        finally:
            self._counting = False

    def _hook(self, event: str, args: tuple[Any, ...]) -> None:
        if not self._counting:
            return
        if event == "open":
            path, _, flags = args
            if flags & _WRITES and path != os.devnull:
                self._point("open", path)
        elif kind := _EVENTS.get(event):
            self._point(kind, args[0])

    def _point(self, kind: str, what: object) -> None:
        self._counting = False  # what follows is ours
        self._count += 1
        point = Point(kind, os.fsdecode(what) if isinstance(what, str | bytes) else str(what), _chain())
        self._told(point)
        if self._armed:  # the effect before had no function here that returned: it is there all the same
            _die()
        if self._cut(self._count, point):
            if not self._after:
                _die()
            self._armed = True
        self._counting = True

    def _wrap(self, place: Any, name: str) -> None:
        effect = getattr(place, name)
        unannounced = _UNANNOUNCED.get(name)

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            if unannounced and self._counting:
                self._point(unannounced, "")
            result = effect(*args, **kwargs)
            if self._armed:
                _die()
            return result

        setattr(place, name, wrapped)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _chain() -> tuple[str, ...]:
    lines: list[str] = []
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if module.startswith("desgw_daemon."):
            lines.append(f"{module.removeprefix('desgw_daemon.')}:{frame.f_lineno}")
        frame = frame.f_back
    return tuple(reversed(lines))
