"""The program on a real terminal where somebody answers its questions."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pexpect


def _interruptible() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def asked(*words: str, cwd: Path) -> pexpect.spawn[str]:
    """`desgw-daemon WORDS` at work; `expect` what it says, `sendline` what it is told."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("DESGW_")}
    command = ["-m", "desgw_daemon", *words]
    return pexpect.spawn(
        sys.executable,
        command,
        cwd=str(cwd),
        env={**environment, "TERM": "dumb"},
        encoding="utf-8",
        timeout=60,
        # A program that was started in the background (`make test &`) ignores it, and so would what it starts.
        preexec_fn=_interruptible,
    )


def end(child: pexpect.spawn[str]) -> tuple[int | None, str]:
    """Its exit code, and what it said last."""
    child.expect(pexpect.EOF)
    said = child.before or ""
    child.close()
    return child.exitstatus, said.replace("\r\n", "\n")
