"""How far a run of post-processing has come, and its last words: from its output and its status file.

Must not conclude how a run has ended: `decide/postproc_end.py` does.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from desgw_daemon.observe.text import plain_text

_STEP: Final = re.compile(rb"^\s*Run STEP (\d+):", re.MULTILINE)
#: How far from its end an output is searched for its last step (bytes), the next only when the one before
#: holds none. A step that prints more than the last is known from earlier looks.
_TAILS: Final = (1 << 16, 1 << 22, 1 << 26)
#: Of the last step, this much from its end is kept (bytes): a traceback, and what came before it.
_WORDS: Final = 1 << 16
#: PostProcStatus: entries that are never set, or that stay 0 when a step was skipped: 0 is not "failed".
STATUS_ENTRIES: Final = (
    "environment",
    "initial list",
    "final list",
    "forcephoto",
    "host match",
    "truth table",
    "data files",
    "plots",
    "web page",
)
#: The steps that are behind a run when an entry is 1. The others are never set, or say nothing more.
_BEHIND: Final[Mapping[str, int]] = {
    "final list": 1,
    "host match": 3,
    "truth table": 4,
    "data files": 5,
    "web page": 7,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The steps that the end of an output names, ascending; and the text from the line of the last one on."""

    steps: tuple[int, ...] = ()
    last_step: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusFile:
    """PostProcStatus{season}.txt of this run: the entries (STATUS_ENTRIES) that are 1, and when it was written."""

    done: tuple[str, ...]
    complete: bool
    at: datetime

    @property
    def step(self) -> int | None:
        """The highest step that is behind the run; None when it says nothing of one."""
        return max((_BEHIND[name] for name in self.done if name in _BEHIND), default=None)


def read_progress(output: Path) -> Progress:
    """The lines `Run STEP N:` near the end of a run's output; none when there is no output.

    Raises OSError when it cannot be read, other than for not being there.
    """
    try:
        with output.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            for tail in _TAILS:
                file.seek(max(0, size - tail))
                data = file.read(tail)
                if found := list(_STEP.finditer(data)):
                    last = max(found, key=lambda match: int(match[1]))
                    return Progress(
                        steps=tuple(sorted({int(match[1]) for match in found})),
                        last_step=plain_text(data[last.start() :][-_WORDS:]),
                    )
                if tail >= size:
                    break
    except FileNotFoundError:
        pass
    return Progress()


def read_status(folder: Path, season: int, started_at: datetime) -> StatusFile | None:
    """What PostProcStatus says of the run that started then; None when it says nothing of it.

    A run that dies at once leaves the file of the one before, perhaps `complete`: an older file is not
    believed, nor one that is not whole (nine times 0 or 1, then `complete` or `incomplete`).
    Raises OSError when the disk does not answer.
    """
    try:
        with (folder / f"PostProcStatus{season}.txt").open("rb") as file:
            written = os.fstat(file.fileno()).st_mtime
            *flags, last = file.read(256).split() or [b""]
    except (FileNotFoundError, IsADirectoryError, PermissionError):
        return None  # another error may pass
    if written < started_at.timestamp() or len(flags) != len(STATUS_ENTRIES):
        return None
    if not set(flags) <= {b"0", b"1"} or last not in (b"complete", b"incomplete"):
        return None
    return StatusFile(
        done=tuple(name for name, flag in zip(STATUS_ENTRIES, flags, strict=True) if flag == b"1"),
        complete=last == b"complete",
        at=datetime.fromtimestamp(written, UTC),
    )


def tail(path: Path, size: int = 8192) -> bytes:
    """The last bytes of an output; none where there is none. Raises OSError."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - size))
            return file.read()
    except FileNotFoundError:
        return b""
