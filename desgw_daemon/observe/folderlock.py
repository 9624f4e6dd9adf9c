"""Who is at work in the Post-Processing folder, or with post-processing on this host.

A run holds a lock (flock) on a file for its whole life, so that the lock ends with it, however that is. Whoever starts
run_postproc.py by hand takes none, and is found among the processes. Must not keep a lock: it only looks.
"""

from __future__ import annotations

import fcntl
import os
import re
from pathlib import Path
from typing import Final

from desgw_daemon.observe.text import plain_text

#: In the Post-Processing folder. A name that no ini, list or output has.
FOLDER_LOCK: Final = ".desgw-postproc.lock"
_MOST_WORDS: Final = 500
_PYTHON: Final = re.compile(rb"python[\d.]*")


def holder(lock: Path) -> str | None:
    """What the holder of a lock has written into it; None when nobody holds it. Raises OSError."""
    try:
        with lock.open("rb") as file:
            try:
                # Shared: two that only look do not see each other.
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return plain_text(file.read(_MOST_WORDS)).strip() or "somebody who did not say who"
    except FileNotFoundError:
        pass
    return None


def by_hand(folder: Path, program: str) -> int | None:
    """The pid of a process that runs a Python program of this name in the folder; None if there is none.

    Not of an editor or a pager with the program's file in it.
    Processes of other accounts do not show where they work: only our own, or all of them for root, are found.
    """
    try:
        place = folder.stat()
        pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    except OSError:
        return None
    for pid in sorted(pids):
        try:
            at = Path(f"/proc/{pid}/cwd").stat()
            if (at.st_dev, at.st_ino) != (place.st_dev, place.st_ino):
                continue
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        names = [word.rpartition(b"/")[2] for word in words]
        if os.fsencode(program) in names and (names[0] == os.fsencode(program) or _PYTHON.fullmatch(names[0])):
            return pid
    return None
