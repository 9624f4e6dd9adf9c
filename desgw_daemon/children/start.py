"""Starting a command that outlives the daemon, at most once for each folder."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from desgw_daemon.children import keeper
from desgw_daemon.children.place import place
from desgw_daemon.children.unit import CLAIM_WITHIN, NotStartedError, start_unit


def ensure_started(
    folder: Path,
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    output: Path,
    timeout: timedelta | None,
    end_leftovers: bool = False,
    beside: bool = False,
) -> None:
    """Run a command under a keeper, once for this folder; do nothing if that has been done already.

    May be repeated after a crash any number of times, at the same time even: the folder's `started` file
    decides. Returns when the folder is claimed (about 30 ms), not when the command ends; afterwards `look`
    does not say absent. The daemon's end, and the signals of its terminal, do not reach the command.

    argv[0] is looked for in env's PATH. stdout and stderr go to `output`, emptied first; stdin is empty.
    After `timeout` everything in the command's session is ended, with SIGTERM and 10 s later SIGKILL. With
    end_leftovers, so is what the command leaves running when it ends by itself. env is handed over in a file
    that only its owner can read, and that does not stay.

    beside: beside this process wherever others run (`place`). For what is over soon, needs no namespaces, and
    must work, or find this process's own files, when no unit can be started.

    A command that cannot be started (no such program or cwd) is an end, with its error: see `look`.

    :raises NotStartedError: as far as anybody knows nothing runs (the folder cannot be written to, or the
        machine hangs). Asking again is safe.
    :raises OSError: the folder cannot be made, or there is no room for the request.
    """
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    started = folder / "started"
    if started.exists():
        return
    request = {
        "argv": list(argv),
        "cwd": str(cwd.absolute()),
        "env": dict(env),
        "output": str(output.absolute()),
        "timeout": None if timeout is None else timeout.total_seconds(),
        "end_leftovers": end_leftovers,
    }
    if place() == "unit" and not beside:
        start_unit(folder, request)
        return
    with tempfile.TemporaryFile("w+", encoding="ascii") as file:
        json.dump(request, file)
        file.flush()
        file.seek(0)
        try:
            done = subprocess.run(
                [sys.executable, "-I", "-S", keeper.__file__, str(folder)],
                stdin=file,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                timeout=CLAIM_WITHIN.total_seconds(),
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise NotStartedError(f"{folder}: the keeper of {argv[0]} did not answer") from error
    if done.returncode != 0 or not started.exists():
        words = done.stderr.decode(errors="replace").strip().splitlines() or ["it gave no reason"]
        raise NotStartedError(f"{folder}: the keeper of {argv[0]} could not start: {words[-1]}")
