"""The processes of a demo: the real daemon, killed and started again, and the end of everything it has started.

Only processes of this sandbox are ever ended: the daemon's own, and those that stand in its state folder.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

from desgw_daemon import children

#: A stopped daemon may finish its cycle (5 s at most); a machine with other work gets more.
_STOPS_WITHIN: Final = timedelta(seconds=60)
#: A command that ignores SIGTERM is killed by its keeper 10 s later.
_CHILDREN_END_WITHIN: Final = timedelta(seconds=20)
#: A keeper that was just being started shows after this, at the latest.
_LATE_KEEPER: Final = timedelta(milliseconds=300)


class DaemonProcess:
    """The daemon, in a session of its own: a Ctrl-C at the demo's terminal does not reach it."""

    def __init__(self, command: Sequence[str], *, output: Path) -> None:
        """output: what it says, over all its lives."""
        self._command = command
        self.output = output
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process that was started last."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it (again)."""
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def ended_by_itself(self) -> str | None:
        """How, with its last words; None while it runs."""
        code = None if self._process is None else self._process.poll()
        if code is None:
            return None
        words = self.output.read_text(errors="replace").strip().splitlines()
        return f"the daemon ended by itself with status {code}: {words[-1] if words else 'it said nothing'}"

    def kill(self) -> None:
        """`kill -9`: the daemon alone, as a crash would. What it has started goes on."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> str | None:
        """SIGTERM, as systemd does. Returns what went wrong."""
        assert self._process is not None
        self._process.terminate()
        try:
            code = self._process.wait(_STOPS_WITHIN.total_seconds())
        except subprocess.TimeoutExpired:
            self.end()
            return f"the daemon did not stop within {_STOPS_WITHIN.total_seconds():.0f} s of SIGTERM"
        return f"the daemon ended with status {code} after SIGTERM" if code else None

    def end(self) -> None:
        """End it at once, with the worker that looks at /pnfs for it, if it still runs."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def end_children(state: Path) -> int:
    """End every DAG, DAGMaker and run of post-processing that a daemon of this state folder has started.

    To be called when that daemon has ended. Returns how many still ran. Raises TimeoutError, naming their
    folders, when some cannot be ended.
    """
    asked: set[Path] = set()
    begun = time.monotonic()
    quiet_since = begun
    while time.monotonic() - quiet_since < _LATE_KEEPER.total_seconds():
        running = [folder for folder in _started(state) if children.look(folder).state == "running"]
        for folder in running:
            if folder not in asked:
                children.stop(folder)
                asked.add(folder)
        if running:
            quiet_since = time.monotonic()
            if quiet_since - begun > _CHILDREN_END_WITHIN.total_seconds():
                raise TimeoutError(f"these still run and cannot be ended: {', '.join(map(str, running))}")
        time.sleep(0.05)
    return len(asked)


def _started(state: Path) -> list[Path]:
    """Folders of commands: at most two below attempts/, local/, runs/ and setup/."""
    return [path.parent for depth in ("*/*", "*/*/*") for path in state.glob(f"{depth}/started")]


@contextmanager
def undisturbed() -> Iterator[None]:
    """Ctrl-C and the signals that end us wait until this is over."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
