"""The keeper of one command: claims its folder, runs the command, writes down how it ended.

Run as a script (`python -I -S keeper.py FOLDER`, the request as JSON on stdin) by `start.ensure_started`, beside
the daemon or by systemd in a unit of its own;
`status` uses its functions on processes. It must import nothing but what starts fast, and nothing of the
rest of the project: it goes on running while the daemon is upgraded.

It makes a copy of itself in a session of its own; the first process ends as soon as the copy has claimed
the folder (or found it claimed, or said why it cannot). SIGTERM to the keeper ends the command.
"""

# Paths are text here: importing pathlib would double the time that a start takes.
# ruff: noqa: PTH104, PTH108, PTH123, PTH208

from __future__ import annotations

import errno
import json
import os
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing typing would cost more than all the rest
    from typing import Any

#: Between SIGTERM and SIGKILL: DAGMaker and bash need no longer to clean up.
GRACE_SECONDS = 10.0
#: A full disk must not turn an ended command into a lost one: the record is tried again this often.
RETRY_SECONDS = 5.0


def boot_id() -> str:
    """The kernel's name for this boot: a pid of another boot is not ours."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


def process(pid: int) -> tuple[int, int] | None:
    """(start time in ticks since boot, session) of a living process, else None (a zombie is dead)."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError, PermissionError):  # gone, or hidden: somebody else's
        return None
    # proc(5): after the name in parentheses come state, ppid, pgrp, session; the start time is the 20th
    if fields[0] in (b"Z", b"X"):
        return None
    return int(fields[19]), int(fields[3])


def session_members(leader: int) -> list[int]:
    """Pids of the living processes in the session that this pid leads or led."""
    pids = (int(name) for name in os.listdir("/proc") if name.isdigit())
    return [pid for pid in pids if (found := process(pid)) is not None and found[1] == leader]


def signal_session(leader: int, number: int) -> int:
    """Send a signal to every process of the session; how many were there."""
    members = session_members(leader)
    for pid in members:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            continue  # it has ended meanwhile, or became somebody else: not ours to end
    return len(members)


def write_whole(folder: str, name: str, record: dict[str, object]) -> None:
    """Write a record that appears whole or not at all, and stays after a power cut."""
    part = _write_part(folder, name, record)
    os.rename(part, f"{folder}/{name}")
    _sync_folder(folder)


def _write_part(folder: str, name: str, record: dict[str, object]) -> str:
    part = f"{folder}/.{name}.{os.getpid()}"
    with open(part, "w", encoding="ascii") as file:
        json.dump(record, file)
        file.flush()
        os.fsync(file.fileno())
    return part


def _sync_folder(folder: str) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class Keeper:
    """Runs one command to its end. Signals and the time-out act through `_end`."""

    def __init__(self, folder: str, request: dict[str, Any]) -> None:
        self.folder = folder
        self.argv: list[str] = request["argv"]
        self.cwd: str = request["cwd"]
        self.env: dict[str, str] = request["env"]
        self.output: str = request["output"]
        self.timeout: float | None = request["timeout"]
        self.end_leftovers: bool = request["end_leftovers"]
        self.pid: int | None = None
        self.ending = False
        self.timed_out = False

    def claim(self) -> bool:
        """Make `started`, whole and exclusively; False when somebody else has done so."""
        found = process(os.getpid())
        assert found is not None
        record: dict[str, object] = {
            "pid": os.getpid(),
            "start": found[0],
            "boot_id": boot_id(),
            "at": time.time(),
            "argv": self.argv,
            "cwd": self.cwd,
            "output": self.output,
        }
        part = _write_part(self.folder, "started", record)
        try:
            os.link(part, f"{self.folder}/started")
        except FileExistsError:
            return False
        finally:
            os.unlink(part)
        _sync_folder(self.folder)
        return True

    def run(self) -> None:
        """Run the command, wait for its end, write it down."""
        error = "stopped before it began" if self.ending else self._spawn()
        record: dict[str, object] = {"exit_code": None, "signal": None, "error": error}
        if self.pid is not None:
            if self.ending:  # the signal came while the command was being started
                self._end()
            # WNOWAIT keeps the pid, and with it the session's number, from being given to another
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
            signal.setitimer(signal.ITIMER_REAL, 0)
            if self.ending or self.end_leftovers:
                self._end_rest()
            status = os.waitpid(self.pid, 0)[1]
            if error is None:
                key = "signal" if os.WIFSIGNALED(status) else "exit_code"
                record[key] = os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        self._write_exit({**record, "timed_out": self.timed_out, "ended_at": time.time()})

    def on_term(self, *_: object) -> None:
        """SIGTERM: end the command."""
        if not self.ending:
            self.ending = True
            self._end()

    def on_alarm(self, *_: object) -> None:
        """The time is up, or the grace after SIGTERM is."""
        if self.ending and self.pid is not None:
            signal_session(self.pid, signal.SIGKILL)
        else:
            self.ending = self.timed_out = True
            self._end()

    def _end(self) -> None:
        if self.pid is not None:
            signal_session(self.pid, signal.SIGTERM)
            signal.setitimer(signal.ITIMER_REAL, GRACE_SECONDS, 1)

    def _spawn(self) -> str | None:
        """Start the command; the error's words if it cannot be started."""
        reading, writing = os.pipe()  # closed by exec: an empty answer means that the command runs
        pid = os.fork()
        if pid == 0:
            try:
                os.setsid()
                self._become_command()
            except (OSError, ValueError) as error:  # ValueError: a NUL in a word
                os.write(writing, str(error).encode())
            finally:
                os._exit(127)
        self.pid = pid
        os.close(writing)
        if self.timeout is not None:
            signal.setitimer(signal.ITIMER_REAL, max(self.timeout, 0.001))
        with open(reading, "rb") as pipe:
            words = pipe.read().decode(errors="replace")
        return f"cannot start {self.argv[0]}: {words}" if words else None

    def _become_command(self) -> None:
        found = process(os.getpid())
        assert found is not None
        # before the command begins, so that it is known even if the keeper is killed now
        write_whole(self.folder, "command", {"pid": os.getpid(), "start": found[0]})
        os.chdir(self.cwd)
        out = os.open(self.output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        os.dup2(out, 1)
        os.dup2(out, 2)
        # Python ignores the first two, nohup and a shell's & the others, and exec would hand that on
        for name in ("SIGPIPE", "SIGXFSZ", "SIGHUP", "SIGINT", "SIGQUIT"):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
        os.execvpe(self.argv[0], self.argv, self.env)

    def _end_rest(self) -> None:
        """End what the command has left running in its session; what hangs on a mount may survive even that."""
        assert self.pid is not None
        begun = time.monotonic()
        while (waited := time.monotonic() - begun) < 2 * GRACE_SECONDS:
            if not signal_session(self.pid, signal.SIGTERM if waited < GRACE_SECONDS else signal.SIGKILL):
                return
            time.sleep(0.1)

    def _write_exit(self, record: dict[str, object]) -> None:
        while True:
            try:
                return write_whole(self.folder, "exit", record)
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                    raise
                time.sleep(RETRY_SECONDS)


def main(folder: str) -> int:
    """Read the request, go into the background, keep the command. 0: the folder is claimed."""
    keeper = Keeper(folder, json.load(sys.stdin))
    reading, writing = os.pipe()
    if os.fork():
        os.close(writing)
        with open(reading, "rb") as pipe:
            problem = pipe.read().decode(errors="replace")
        sys.stderr.write(problem)
        return 1 if problem else 0
    os.setsid()
    log = os.open(f"{folder}/keeper.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    null = os.open(os.devnull, os.O_RDWR)
    for fd, target in ((null, 0), (null, 1), (log, 2)):
        os.dup2(fd, target)
    signal.signal(signal.SIGTERM, keeper.on_term)
    signal.signal(signal.SIGALRM, keeper.on_alarm)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    try:
        mine = keeper.claim()
    except OSError as error:
        os.write(writing, f"cannot claim {folder}: {error}".encode())
        return 1
    os.close(writing)
    if mine:
        keeper.run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
