"""What lies on the trees of the pipeline, asked by a process for each tree, with a deadline.

One that is stuck is abandoned: nobody joins it, and its tree is asked nothing more.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Literal

from desgw_daemon.domain.times import age

Kind = Literal["folder", "file", "other"]
#: A process that can end does so within this.
_LEAVE: Final = timedelta(seconds=1)
_WORKER: Final = "desgw_daemon.observe.pathworker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What is at a path. kind None: nothing, or nobody knows, and then `problem` says why.

    size, free: bytes. inodes: how many more files the disk takes, None where it has no such limit.
    mtime: seconds since 1970.
    """

    kind: Kind | None = None
    problem: str | None = None
    silent: bool = False
    size: int = 0
    mtime: float = 0.0
    readable: bool = False
    writable: bool = False
    executable: bool = False
    free: int = 0
    inodes: int | None = None
    empty: bool = False


class _Asker:
    """The process of one tree."""

    def __init__(self, *, patience: timedelta) -> None:
        self._patience = patience
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._buffer = b""
        self._silent: Seen | None = None

    def ask(self, path: Path) -> Seen:
        with self._lock:
            if self._silent is not None:
                return self._silent
            if self._process is None:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", _WORKER],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    cwd="/",
                    start_new_session=True,
                )
            answer = self._answer(self._process, path)
            if answer is None:
                self._silent = Seen(problem=f"no answer within {age(self._patience)}", silent=True)
                self._process.kill()
                return self._silent
            return Seen(**answer)

    def _answer(self, process: subprocess.Popen[bytes], path: Path) -> dict[str, Any] | None:
        assert process.stdin is not None and process.stdout is not None
        end = time.monotonic() + self._patience.total_seconds()
        try:
            process.stdin.write(json.dumps(os.fspath(path)).encode() + b"\n")
            process.stdin.flush()
            while b"\n" not in self._buffer:
                ready, _, _ = select.select([process.stdout], [], [], max(0.0, end - time.monotonic()))
                data = os.read(process.stdout.fileno(), 65536) if ready else b""
                if not data:
                    return None
                self._buffer += data
        except BrokenPipeError:
            return None
        line, _, self._buffer = self._buffer.partition(b"\n")
        found: dict[str, Any] = json.loads(line)
        return found

    def close(self) -> None:
        """No more questions: the process ends by itself. One that is stuck where nothing can end it is left behind."""
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            return
        with suppress(BrokenPipeError):
            process.stdin.close()
        process.stdout.close()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_LEAVE.total_seconds())


class Trees:
    """Answers about paths; each is asked of the process of the tree that it lies in."""

    def __init__(self, roots: Mapping[str, Path], *, patience: timedelta) -> None:
        """roots: the trees by name. patience: how long one answer may take."""
        self._roots = roots
        self._askers = {name: _Asker(patience=patience) for name in (*roots, "")}

    def look(self, path: Path) -> Seen:
        """What is there. Waits for the deadline at most, and never for one that is stuck."""
        tree = next((name for name, root in self._roots.items() if path.is_relative_to(root)), "")
        return self._askers[tree].ask(path)

    def close(self) -> None:
        """All questions were asked."""
        for asker in self._askers.values():
            asker.close()
