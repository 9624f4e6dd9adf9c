"""A short command whose output is wanted: run, waited for, and ended whole when it takes too long."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

#: Between SIGTERM and SIGKILL.
_GRACE: Final = timedelta(seconds=2)
#: What a shell returns for a command that it cannot start.
CANNOT_START: Final = 127


@dataclass(frozen=True, slots=True)
class Finished:
    """How a command ended: exit code (negative: that signal), stdout and stderr together, in order.

    errors: stderr, where it was wanted apart.
    """

    rc: int
    output: bytes
    timed_out: bool
    errors: bytes = b""

    @property
    def text(self) -> str:
        """The output as text; what is no UTF-8 is replaced."""
        return self.output.decode(errors="replace")


def run_captured(
    argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout: timedelta, apart: bool = False
) -> Finished:
    """Run a command to its end, at most `timeout` (plus 2 s for its clean-up), and return what it said.

    It runs in a process group of its own, which is ended whole after the time-out. The output goes through
    a file, so that a grandchild which keeps it open cannot keep us waiting. A command that cannot be
    started has rc 127 and the reason as its output. stdin is empty. apart: stderr by itself, for output that a program
    is to read.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        try:
            process = subprocess.Popen(
                argv,
                cwd=cwd,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors if apart else subprocess.STDOUT,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            words = f"cannot start {argv[0]}: {error}".encode()
            return Finished(CANNOT_START, words, False, words if apart else b"")
        timed_out = False
        try:
            process.wait(timeout.total_seconds())
        except subprocess.TimeoutExpired:
            timed_out = True
        finally:
            if process.returncode is None:  # the time-out, or an interrupt on its way up
                _end_group(process)
        output.seek(0)
        errors.seek(0)
        return Finished(process.returncode, output.read(), timed_out, errors.read())


def _end_group(process: subprocess.Popen[bytes]) -> None:
    group = process.pid
    os.killpg(group, signal.SIGTERM)  # its leader has not been waited for: the number is still its own
    with suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE.total_seconds())
    with suppress(ProcessLookupError):  # who is left; while one is, the kernel keeps the number for it
        os.killpg(group, signal.SIGKILL)
    process.wait()
