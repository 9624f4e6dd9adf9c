"""The process that makes folders: groups of paths on its standard input, a line for each on its standard output.

It is a process so that it can be abandoned. Each group has a thread of its own: one folder that hangs keeps no other
exposure back. Standard library only.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

#: Should the daemon die and this process hang, nobody would be left to kill it (seconds).
_ALARM: Final = 90
_writing = threading.Lock()


def make(path: str) -> str:
    """Make one folder, never its parents. Empty when it is there now, else why not."""
    try:
        Path(path).mkdir()
    except FileExistsError:
        return "" if Path(path).is_dir() else "something else is at its place"
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _work(paths: Sequence[str]) -> None:
    for path in paths:
        line = json.dumps([path, make(path)])
        with _writing:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()


def main() -> None:
    """Make them all."""
    groups = json.load(sys.stdin)
    signal.alarm(_ALARM)
    threads = [threading.Thread(target=_work, args=(paths,), daemon=True) for paths in groups]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os._exit(0)


if __name__ == "__main__":
    main()
