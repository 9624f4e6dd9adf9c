"""The file output.txt on its disk.

Must stay cheap to import: the process behind the door to the workflow folder loads it.
"""

from __future__ import annotations

import os
from pathlib import Path


def write_own(path: Path, text: str, workflow: Path) -> None:
    """Write the configured file, and make its folder where that is missing. Raises OSError."""
    if path.parent != workflow:  # which is never made: when it is missing, its disk is away
        path.parent.mkdir(exist_ok=True)
    write_text(path, text)


def write_text(path: Path, text: str) -> None:
    """Write the file whole or not at all. Raises OSError."""
    new = path.with_name(f".{path.name}.new")
    # What a crash has left may be another account's, into which nobody else could write.
    new.unlink(missing_ok=True)
    try:
        with new.open("x") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise
