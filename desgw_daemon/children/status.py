"""What became of a command that was started earlier, perhaps by a daemon that is no more; and its end."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal

from desgw_daemon.children import keeper

#: How long `stop` waits between SIGTERM and SIGKILL when no keeper is left to do it.
_GRACE_WITHOUT_KEEPER: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildStatus:
    """Where a command is.

    absent: never started. running: it lives, or its keeper still writes down its end. ended: by itself, by
    a signal, or without having begun (`error`). lost: it began, nobody saw its end, and it is gone (its
    keeper was killed, or the machine restarted).

    pid is the command's, once it is known. exit_code and signal exclude each other. error: words, when it
    could not be started or its record cannot be read. age: for how long it runs, whatever the clock was set to.
    """

    state: Literal["absent", "running", "ended", "lost"]
    pid: int | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    exit_code: int | None = None
    signal: int | None = None
    timed_out: bool = False
    error: str | None = None
    age: timedelta | None = None

    @property
    def succeeded(self) -> bool:
        """Whether it ended by itself with exit code 0."""
        return self.state == "ended" and self.exit_code == 0 and not self.timed_out

    @property
    def words(self) -> str:
        """How it is or ended, for a person."""
        if self.state != "ended":
            return {"absent": "was never started", "running": "is running"}.get(
                self.state,
                "was lost: it is gone, and nobody saw its end (a restart of the machine, or a kill)",
            )
        if self.error is not None:
            return self.error
        how = f"signal {self.signal}" if self.exit_code is None else f"exit code {self.exit_code}"
        return f"was ended after its time-out ({how})" if self.timed_out else f"ended with {how}"


def look(folder: Path) -> ChildStatus:
    """The state of the command that was started in this folder.

    A pid counts as the same process only with the same start time and the same boot.

    :raises OSError: the folder cannot be read.
    """
    started = _read(folder / "started")
    if started is None:
        return ChildStatus(state="absent")
    command = _read(folder / "command")
    ended = _read(folder / "exit")
    if ended is None and (_lives(started, started) or _lives(command, started)):
        return ChildStatus(state="running", pid=_pid(command), started_at=_time(started), age=_age(started))
    # the keeper may have written the end, and gone, since the first look for it
    ended = ended or _read(folder / "exit")
    if ended is None:
        return ChildStatus(state="lost", pid=_pid(command), started_at=_time(started))
    return ChildStatus(
        state="ended",
        pid=_pid(command),
        started_at=_time(started),
        ended_at=_time(ended, "ended_at"),
        exit_code=ended.get("exit_code"),
        signal=ended.get("signal"),
        timed_out=bool(ended.get("timed_out")),
        error=ended.get("error"),
    )


def stop(folder: Path) -> None:
    """End the command and everything in its session: SIGTERM, and SIGKILL 10 s later.

    Returns at once while its keeper lives, which sees to it; else within 2 s. Does nothing when it is not
    running; `look` tells when it has ended.

    :raises OSError: the folder cannot be read, or the command is another account's.
    """
    started = _read(folder / "started")
    if started is None:
        return
    if _lives(started, started):
        with suppress(ProcessLookupError):  # it has ended since it was looked at
            os.kill(started["pid"], signal.SIGTERM)
            return
    command = _read(folder / "command")
    if command is None or not _lives(command, started):
        return
    deadline = time.monotonic() + _GRACE_WITHOUT_KEEPER
    keeper.signal_session(command["pid"], signal.SIGTERM)
    while keeper.session_members(command["pid"]) and time.monotonic() < deadline:
        time.sleep(0.05)
    keeper.signal_session(command["pid"], signal.SIGKILL)


def _read(path: Path) -> dict[str, Any] | None:
    """A record; empty when it is there but cannot be understood (somebody has touched it)."""
    try:
        record = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError:
        record = None
    return record if isinstance(record, dict) else {"error": f"{path}: this record is damaged"}


def _lives(record: dict[str, Any] | None, started: dict[str, Any]) -> bool:
    if record is None or not isinstance(record.get("pid"), int):
        return False
    found = keeper.process(record["pid"])
    return found is not None and found[0] == record.get("start") and started.get("boot_id") == keeper.boot_id()


def _age(started: dict[str, Any]) -> timedelta | None:
    """Of one that lives: its start is in the ticks of this boot."""
    if not isinstance(ticks := started.get("start"), int):
        return None
    return timedelta(seconds=time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK"))


def _pid(command: dict[str, Any] | None) -> int | None:
    return None if command is None else command.get("pid")


def _time(record: dict[str, Any], key: str = "at") -> datetime | None:
    seconds = record.get(key)
    return datetime.fromtimestamp(seconds, UTC) if isinstance(seconds, int | float) else None
