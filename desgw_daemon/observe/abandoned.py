"""Processes that hang on a tree and were abandoned: which of them still live, also those of an earlier daemon.

Must never wait for one: a process in a call on a dead mount may not even die of SIGKILL.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from desgw_daemon.children import keeper
from desgw_daemon.domain.facts import Stuck


class Abandoned:
    """Keeps count of them, for all trees. Shared by all that start such processes; safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._boot_id = keeper.boot_id()
        self._stuck: dict[tuple[int, int], Stuck] = {}
        #: Those that this daemon has started: they are reaped when they have died.
        self._own: dict[tuple[int, int], subprocess.Popen[bytes]] = {}

    def take_over(self, stuck: Iterable[Stuck]) -> None:
        """Those that an earlier daemon has left; the ones of another boot are gone."""
        with self._lock:
            for each in stuck:
                if each.boot_id == self._boot_id:
                    self._stuck.setdefault((each.pid, each.start), each)

    def add(self, process: subprocess.Popen[bytes], *, tree: str, what: str) -> None:
        """One more, which has been killed and did not die. tree: `pnfs`, ...; what: the folders it hangs on."""
        start = _start_of(process.pid)
        if start is None:
            return
        with self._lock:
            key = (process.pid, start)
            self._own[key] = process
            self._stuck[key] = Stuck(
                pid=process.pid, start=start, boot_id=self._boot_id, tree=tree, what=what, since=datetime.now(UTC)
            )

    def living(self, tree: str | None = None) -> tuple[Stuck, ...]:
        """Those that have not died yet, oldest first."""
        with self._lock:
            for key in [key for key in self._stuck if not self._lives(key)]:
                del self._stuck[key]
                self._own.pop(key, None)
            return tuple(sorted((s for s in self._stuck.values() if tree in (None, s.tree)), key=lambda s: s.since))

    def _lives(self, key: tuple[int, int]) -> bool:
        own = self._own.get(key)
        if own is not None:
            return own.poll() is None
        return _start_of(key[0]) == key[1]


def _start_of(pid: int) -> int | None:
    """Start time in ticks since boot; None when nothing of the process is left.

    A process whose first thread has ended while another one hangs looks like a zombie: it lives.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        if fields[0] in (b"Z", b"X") and len(list(Path(f"/proc/{pid}/task").iterdir())) < 2:
            return None
    except OSError:
        return None
    return int(fields[19])
