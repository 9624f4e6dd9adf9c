"""Real bash reads files of parameters, many in one process, in an empty folder of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

#: What a variable is that is not set: no value of a test looks so.
UNSET: Final = b"<not set>"
_READ: Final = r"""
for file in "$@"; do
    (
        cd empty || exit 9
        { source "../$file"; } >/dev/null 2>&1
        for name in $NAMES; do printf '%s\0' "${!name-<not set>}"; done
    )
    printf '<end>\0'
done
"""


def read_by_bash(
    folder: Path, texts: Sequence[bytes], names: Sequence[str], *, locale: str = "C.UTF-8"
) -> list[dict[str, bytes]]:
    """What each variable is after each of the texts has been sourced. Fails when any of them did anything else."""
    bash = shutil.which("bash")
    assert bash is not None
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "empty").mkdir(parents=True)
    for number, text in enumerate(texts):
        (folder / str(number)).write_bytes(text)
    done = subprocess.run(
        [bash, "--norc", "--noprofile", "-c", _READ, "bash", *map(str, range(len(texts)))],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "LC_ALL": locale, "NAMES": " ".join(names), "HOME": "/nowhere"},
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert list((folder / "empty").iterdir()) == [], "something was run"
    read = [part.split(b"\0")[:-1] for part in done.stdout.split(b"<end>\0")[:-1]]
    assert len(read) == len(texts) and all(len(values) == len(names) for values in read)
    return [dict(zip(names, values, strict=True)) for values in read]
