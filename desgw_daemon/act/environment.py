"""The environments of the programs that the daemon starts, and the capture of setup_img_proc.sh's.

The set-up script is sourced once by real bash, as a child of its own (it may hang), and what it leaves is kept in the
state folder, exported functions and values of several lines included. A capture that failed is tried again after a
while.

What of it submissions get is a list of names. Functions (``BASH_FUNC_name%%``) are not among them: jobsub_submit_dag is
no shell, and copies its caller's whole environment into the DAGMan job, where nothing could call them. Nor is a token
itself (``BEARER_TOKEN``): whoever may look at the queue could read it there.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from desgw_daemon.children import ChildStatus, NotStartedError, ensure_started, look, manager_problem, place
from desgw_daemon.domain.times import utc
from desgw_daemon.observe.door import Way
from desgw_daemon.observe.text import last_lines, plain_text

#: Meant for the daemon alone: a child that spoke to its systemd socket would speak in its name.
#: Its folders and credentials go, or lose their meaning, with the service.
_OURS: Final = frozenset(
    {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "INVOCATION_ID", "JOURNAL_STREAM", "MAINPID", "MANAGERPID"}
    | {"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "SYSTEMD_EXEC_PID", "CREDENTIALS_DIRECTORY"}
    | {"STATE_DIRECTORY", "RUNTIME_DIRECTORY", "MEMORY_PRESSURE_WATCH", "MEMORY_PRESSURE_WRITE"}
)
#: What of the captured environment a submission gets. jobsub copies its caller's whole environment into the
#: DAGMan job: no more than a submission needs.
_SUBMISSION: Final = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|LANG|LC_\w+|TZ|TMPDIR|XDG_RUNTIME_DIR|PYTHONPATH|PERL5LIB|LD_LIBRARY_PATH"
    r"|X509_\w+|BEARER_TOKEN_FILE|KRB5CCNAME|HTGETTOKENOPTS|CONDOR_CONFIG|_CONDOR_\w+|JOBSUB_\w+|EUPS_\w+|SETUP_\w+"
    r"|PRODUCTS|UPS_\w+|DIFFIMG_\w+|GROUP|EXPERIMENT"
)
#: After a failed capture, this long until the next.
_TRY_AGAIN: Final = timedelta(minutes=1)
#: A daemon that starts again takes a capture of this age at most.
_KEPT_FOR: Final = timedelta(hours=1)
_KEEP_CAPTURES: Final = 3


def child_environment() -> dict[str, str]:
    """The daemon's own environment, less what is meant for the daemon alone."""
    theirs = {name: value for name, value in os.environ.items() if name not in _OURS}
    if theirs.get("TMPDIR") == os.environ.get("RUNTIME_DIRECTORY"):  # of the service: it goes when the daemon stops
        theirs.pop("TMPDIR", None)
    return theirs


def in_bash(prefix: Sequence[str], script: str) -> list[str]:
    """The command line that runs a piece of bash, behind the configured prefix (a container)."""
    return [*prefix, "bash", "-c", script]


@dataclass(frozen=True, slots=True)
class Captured:
    """The set-up's environment, cut down to what a submission needs."""

    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class NotCaptured:
    """There is none. problem: why making has to stop; None while the script is still being sourced."""

    problem: str | None


class SetupCapture:
    """Sources the set-up script once for each version of it, and remembers what it set.

    It must not run anything else: DAGMaker sources the script itself.
    """

    def __init__(
        self, *, folder: Path, setup: Path, workdir: Path, way: Way, prefix: Sequence[str], timeout: timedelta
    ) -> None:
        """folder: where captures are kept (they hold credentials' paths: readable by the owner alone).

        way: to the workflow folder.
        """
        self._folder = folder
        self._setup = setup
        self._workdir = workdir
        self._way = way
        self._prefix = tuple(prefix)
        self._timeout = timeout
        self._number: dict[str, int] = {}
        self._known: tuple[str, Captured] | None = None

    def get(self, now: datetime) -> Captured | NotCaptured:
        """The environment, or why it is not there. Starts a capture where one is needed; never waits for it.

        Nor is it there while no child can be started at all: one cause for all exposures, told once.
        """
        if place() == "unit" and (problem := manager_problem()) is not None:
            return NotCaptured(problem)
        try:
            stat = self._way.ask(Path.stat, self._setup)
        except OSError as error:
            return NotCaptured(f"{self._setup} cannot be read: {error.strerror}")
        version = "\0".join([str(self._setup), str(stat.st_mtime_ns), str(stat.st_size), *self._prefix])
        key = hashlib.sha256(version.encode()).hexdigest()[:12]
        if self._known and self._known[0] == key:
            return self._known[1]
        try:
            if key not in self._number:
                self._tidy()
                self._number[key] = self._newest(key)
            folder = self._folder / f"{key}-{self._number[key]}"
            status = look(folder)
            if status.started_at is not None and now - status.started_at >= _KEPT_FOR:
                # What it sources in turn may have changed since.
                self._number[key] += 1
                folder = self._folder / f"{key}-{self._number[key]}"
                status = look(folder)
            if status.state == "absent":
                self._start(folder)
                status = look(folder)
        except (NotStartedError, OSError) as error:
            return NotCaptured(f"{self._setup.name} cannot be sourced: {error}")
        if status.state == "running":
            return NotCaptured(self._overdue(status, now))
        if status.succeeded and (read := self._read(folder)) is not None:
            self._known = (key, Captured(read))
            return self._known[1]
        return self._failed(key, folder, status, now)

    def _start(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        target = shlex.quote(str(folder / "environment"))
        script = (
            f"umask 077; source {shlex.quote(str(self._setup))} || exit $?;"
            f" env -0 > {target}.part && mv {target}.part {target}"
        )
        ensure_started(
            folder,
            in_bash(self._prefix, script),
            cwd=self._workdir,
            env=child_environment(),
            output=folder / "output",
            timeout=self._timeout,
        )

    def _read(self, folder: Path) -> dict[str, str] | None:
        try:
            data = (folder / "environment").read_bytes()
        except FileNotFoundError:
            return None
        pairs = (entry.decode(errors="surrogateescape").partition("=") for entry in data.split(b"\0") if entry)
        return {name: value for name, _, value in pairs if _SUBMISSION.fullmatch(name)}

    def _overdue(self, status: ChildStatus, now: datetime) -> str | None:
        """Why a script that is still being sourced is a problem: it hangs where not even a time-out can end it."""
        since = status.started_at
        if since is None or now - since < self._timeout + _TRY_AGAIN:
            return None
        return (
            f"{self._setup} is being sourced since {utc(since)} and cannot be ended (process {status.pid}):"
            " look whether its disk answers"
        )

    def _failed(self, key: str, folder: Path, status: ChildStatus, now: datetime) -> NotCaptured:
        if status.ended_at is None or now - status.ended_at >= _TRY_AGAIN:
            self._number[key] += 1
        said = " / ".join(last_lines(_text(folder / "output"), 3)) or "it said nothing"
        how = f"{status.words} (by `exit`, where `return` is meant)" if status.succeeded else status.words
        return NotCaptured(
            f"{self._setup} {how}: {said}. Source it by hand in {self._workdir} to see why;"
            " it is tried again every minute"
        )

    def _newest(self, key: str) -> int:
        numbers = [int(path.name.rpartition("-")[2]) for path in self._folder.glob(f"{key}-*")]
        return max(numbers, default=1)

    def _tidy(self) -> None:
        old = sorted(self._folder.glob("*-*"), key=lambda path: path.stat().st_mtime)[:-_KEEP_CAPTURES]
        for path in old:
            shutil.rmtree(path, ignore_errors=True)


def _text(path: Path) -> str:
    try:
        return plain_text(path.read_bytes())
    except OSError:
        return ""
