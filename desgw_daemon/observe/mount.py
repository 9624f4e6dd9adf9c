"""The calls that the worker makes on /pnfs: counted, at a bounded rate, and nothing else.

Only three kinds exist: a listing (five system calls), a stat, and reading the start of a small file.
Must not open a tarball or a FITS file: a stuck transfer would block the reader for ever.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Final

from desgw_daemon.domain.facts import CallCounts

#: So much of a FAIL file is read (bytes).
FAIL_BYTES: Final = 4096
#: Not through a link, and not waiting for a writer should the file turn out to be a pipe.
_OPEN_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class Mount:
    """Counts every call before it is made, so that one that hangs is counted as well."""

    def __init__(self, *, calls_per_second: float) -> None:
        """calls_per_second: 0 is no limit."""
        self._pause = 1 / calls_per_second if calls_per_second > 0 else 0.0
        self._next_start = 0.0
        self._lock = threading.Lock()
        self._listings = 0
        self._stats = 0
        self._reads = 0
        #: When the newest call of each thread began.
        self._begun: dict[int, float] = {}

    @property
    def calls(self) -> CallCounts:
        """The calls made or begun so far."""
        with self._lock:
            return CallCounts(self._listings, self._stats, self._reads)

    def newest_call(self, thread: int) -> float:
        """When this thread's newest call began, by the monotonic clock; 0 when it has made none."""
        with self._lock:
            return self._begun.get(thread, 0.0)

    def listing(self, path: str) -> list[os.DirEntry[str]]:
        """Every entry of a folder. Raises OSError, also when it breaks off in the middle."""
        self._begin(listings=1)
        with os.scandir(path) as entries:
            return list(entries)

    def is_empty(self, path: str) -> bool:
        """Whether a folder holds nothing at all. Raises OSError."""
        self._begin(listings=1)
        with os.scandir(path) as entries:
            return next(entries, None) is None

    def stat(self, entry: os.DirEntry[str]) -> os.stat_result:
        """Size and times of an entry, a link's own if it is one. Raises OSError."""
        self._begin(stats=1)
        return entry.stat(follow_symlinks=False)

    def start_of(self, path: str) -> bytes:
        """The first FAIL_BYTES bytes of a small file. Raises OSError."""
        self._begin(reads=1)
        file = os.open(path, _OPEN_FLAGS)
        try:
            return os.read(file, FAIL_BYTES)
        finally:
            os.close(file)

    def _begin(self, *, listings: int = 0, stats: int = 0, reads: int = 0) -> None:
        """Count a call, and wait for its turn when the rate is limited."""
        with self._lock:
            self._listings += listings
            self._stats += stats
            self._reads += reads
            start = max(self._next_start, time.monotonic())
            self._begun[threading.get_ident()] = start
            if not self._pause:
                return
            self._next_start = start + self._pause
        time.sleep(max(0.0, start - time.monotonic()))
