"""The process that says what is at a path: a path a line on its standard input, a line of JSON for each on its output.

It is a process so that it can be abandoned: a call on a dead mount may block for ever. Standard library only, so that
it starts quickly. Must not change anything, and must not open what is no plain file: a pipe would wait.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path
from typing import Any

_KINDS = {stat.S_IFDIR: "folder", stat.S_IFREG: "file"}


def seen(path: str) -> dict[str, Any]:
    """What is there, and what this account may do with it. A path that cannot be seen has a `problem`."""
    try:
        info = Path(path).stat()
    except FileNotFoundError:
        return {"kind": None, "problem": None}
    except OSError as error:
        return {"kind": None, "problem": error.strerror}
    found: dict[str, Any] = {
        "kind": _KINDS.get(stat.S_IFMT(info.st_mode), "other"),
        "problem": None,
        "size": info.st_size,
        "mtime": info.st_mtime,
        "readable": os.access(path, os.R_OK, effective_ids=True),
        "writable": os.access(path, os.W_OK, effective_ids=True),
        "executable": os.access(path, os.X_OK, effective_ids=True),
    }
    if found["kind"] == "folder":
        try:
            room = os.statvfs(path)
            found |= {"free": room.f_bavail * room.f_frsize, "inodes": room.f_favail if room.f_files else None}
            with os.scandir(path) as entries:
                found["empty"] = next(entries, None) is None
        except OSError as error:
            found["problem"] = error.strerror
    return found


def main() -> None:
    """Answer until the input ends."""
    for line in sys.stdin:
        print(json.dumps(seen(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
