"""The worker under strace: counted from outside, or with errors and delays put into single calls."""

from __future__ import annotations

import os
import re
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from desgw_daemon.observe.looker import WORKER, Looker
from tests.tools import needed


def strace() -> str:
    """The program; without it nothing is counted."""
    return needed("strace", "strace", "nothing else counts system calls")


def counted(log: Path) -> tuple[str, ...]:
    """A worker whose calls on files are written to log.TID, one file for each thread."""
    return (strace(), "-ff", "-y", "-qq", "-o", str(log), "-e", "trace=%file,%desc", *WORKER)


def calls_under(log: Path, root: Path) -> Counter[str]:
    """How often each system call was made on something below (or at) the root."""
    on_root = re.compile(rf'(\w+)\((?:AT_FDCWD(?:<[^>]*>)?, "|\d+<|"){re.escape(str(root))}[/"<>]')
    counts: Counter[str] = Counter()
    for file in log.parent.glob(log.name + ".*"):
        for line in file.read_text(errors="replace").splitlines():
            if match := on_root.match(line):
                counts[match[1]] += 1
    return counts


def opened(log: Path, root: Path) -> list[Path]:
    """What was opened below the root and is no folder."""
    pattern = re.compile(rf'openat\([^"]*"({re.escape(str(root))}[^"]*)", (\S*)')
    lines = (line for file in log.parent.glob(log.name + ".*") for line in file.read_text().splitlines())
    found = (match for line in lines if (match := pattern.match(line)))
    return [Path(match[1]) for match in found if "O_DIRECTORY" not in match[2]]


def disturbed(path: Path, injection: str, *more: Path, call: str = "openat") -> tuple[str, ...]:
    """A worker whose calls on these paths fail or wait: ``error=EIO``, ``delay_enter=60000000`` (microseconds).

    The tracer is not its parent but a process beside it (-D), so that the worker can be killed. One that
    is killed while a call is delayed stays unreaped, like one in an unkillable call: see release.
    """
    return (
        *(strace(), "-D", "-f", "-qq", "-o", "/dev/null"),
        *(word for each in (path, *more) for word in ("-P", str(each))),
        *("-e", f"trace={call}", "-e", f"inject={call}:{injection}"),
        *WORKER,
    )


def release(looker: Looker) -> None:
    """Let the killed workers that a tracer holds back die, and have them reaped."""
    for pid in (stuck.pid for stuck in looker.abandoned.living()):
        status = Path(f"/proc/{pid}/status").read_text()
        (tracer,) = (int(line.split()[1]) for line in status.splitlines() if line.startswith("TracerPid"))
        os.kill(tracer, signal.SIGKILL)
    until(lambda: looker.abandoned.living() == ())


def until(condition: Callable[[], object], seconds: float = 20) -> None:
    """Wait for a condition that must come true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.005)
