"""The program on a real (pseudo) terminal."""

from __future__ import annotations

import os
import pty
import re
import subprocess
from pathlib import Path

from .program import PROGRAM

_CODES = re.compile(r"\x1b\[[0-9;]*m")


def on_terminal(*words: str, cwd: Path, columns: int) -> str:
    """What `desgw-daemon WORDS` shows on a terminal of so many columns, with the terminal's codes."""
    ours, theirs = pty.openpty()
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith("DESGW_") and key != "NO_COLOR"
    }
    child = subprocess.Popen(
        [*PROGRAM, *words],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        env={**environment, "TERM": "xterm", "COLUMNS": str(columns)},
    )
    os.close(theirs)
    said = b""
    with child, os.fdopen(ours, "rb", buffering=0) as reading:
        while True:
            try:
                piece = reading.read(65536)
            except OSError:  # a terminal without a writer ends like this
                break
            if not piece:
                break
            said += piece
    assert child.returncode == 0, said
    return said.decode().replace("\r\n", "\n")


def plain(text: str) -> str:
    """The text without the terminal's codes."""
    return _CODES.sub("", text)
