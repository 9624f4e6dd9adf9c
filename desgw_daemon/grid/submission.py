"""A submit command as a process of its own: started once for its folder, outliving whoever started it.

A schedd that hangs keeps nobody waiting, and a daemon that is killed in the middle finds the command, or its end,
again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, Literal

from desgw_daemon import children
from desgw_daemon.domain.times import utc

#: Most submissions are over in a second: the state "submitting" is then never seen.
_WORTH_WAITING: Final = timedelta(seconds=3)
#: A keeper ends its command well within this after the time-out.
_KEEPERS_OWN: Final = timedelta(minutes=1)
_KEEPER: Final = "keeper"
_OUTPUT: Final = "submit.out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How the command ended, and all that it said, or why it could not even be started.

    end: by itself, after its time-out, by a signal, or unseen (the machine was restarted).
    """

    text: str
    exit_code: int | None
    end: Literal["itself", "timed_out", "signal", "lost"]


def hand_over(
    folder: Path, argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout: timedelta
) -> Ended | None:
    """Run the command, once for this folder; how it ended, or None while it goes on. Waits three seconds at most.

    Asking again starts nothing. In its own session, which is ended whole after the time-out.

    :raises OSError: as far as anybody knows nothing runs (the disk is full, the machine hangs).
    """
    children.ensure_started(
        folder / _KEEPER, argv, cwd=cwd, env=env, output=folder / _OUTPUT, timeout=timeout, end_leftovers=True
    )
    deadline = time.monotonic() + _WORTH_WAITING.total_seconds()
    while (ended := outcome(folder)) is None and time.monotonic() < deadline:
        time.sleep(0.02)
    return ended


def outcome(folder: Path) -> Ended | None:
    """How the command of this folder ended; None while it runs. Call only when `was_started`.

    :raises OSError: the folder cannot be read.
    """
    child = children.look(folder / _KEEPER)
    if child.state == "running":
        return None
    try:
        text = (folder / _OUTPUT).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        text = ""
    end: Literal["itself", "timed_out", "signal", "lost"] = "itself"
    if child.state != "ended":
        end = "lost"
    elif child.timed_out:
        end = "timed_out"
    elif child.signal is not None:
        end = "signal"
    return Ended(text=text if child.error is None else child.error, exit_code=child.exit_code, end=end)


def was_started(folder: Path) -> bool:
    """Whether the command of this folder was ever started.

    :raises OSError: the folder cannot be read.
    """
    return children.look(folder / _KEEPER).state != "absent"


def under_way(folder: Path, timeout: timedelta) -> str | None:
    """What still runs of the submissions below this tag's folder, in words; None when nothing does.

    One that has outlived its time-out, since its keeper was killed, is ended: the next call tells.

    :raises OSError: the folder cannot be read.
    """
    for each in folder.iterdir() if folder.is_dir() else ():
        child = children.look(each / _KEEPER)
        if child.state != "running":
            continue
        since = child.started_at
        if child.age is not None and child.age > timeout + _KEEPERS_OWN:
            children.stop(each / _KEEPER)
        return f"its submit command runs since {'some time' if since is None else utc(since)} (process {child.pid})"
    return None
