"""Runs `desgw-daemon WORDS` as a process of its own, forked from one that has imported the program already.

Most of what a command costs is the import of its libraries, a second of the processor's time, and the tests run many
hundreds of commands and daemons. What is tried is the same program from its entry, with arguments, folder, environment
and output of its own. Whatever is about how the program is started is started as people start it, and so is the daemon
of the demo, of the drill, under systemd and where its memory is measured.
"""

from __future__ import annotations

import atexit
import functools
import gc
import importlib
import json
import os
import pkgutil
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

_LONGEST: Final = 1 << 20
_OPEN_FILES: Final = 3


def run_warm(
    words: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout: float
) -> subprocess.CompletedProcess[str]:
    """What subprocess.run would return for `desgw-daemon WORDS` without a terminal.

    timeout: seconds; :raises subprocess.TimeoutExpired: after it, the process is killed then.
    """
    with (
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
        closing(WarmProcess(words, cwd=cwd, env=env, out=out.fileno(), err=err.fileno())) as process,
    ):
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        said = []
        for file in (out, err):
            file.seek(0)
            said.append(file.read().decode())
    return subprocess.CompletedProcess(list(words), code, *said)


class WarmProcess:
    """`desgw-daemon WORDS` at work, without a terminal: what a test needs of subprocess.Popen."""

    def __init__(self, words: Sequence[str], *, cwd: Path, env: Mapping[str, str], out: int, err: int) -> None:
        """out, err: where its words go, file descriptors."""
        self._words = list(words)
        self.returncode: int | None = None
        request = json.dumps({"words": self._words, "cwd": str(cwd), "env": dict(env)}).encode()
        self._line = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._line.connect(_server())
        with Path(os.devnull).open() as nothing:
            socket.send_fds(self._line, [request], [nothing.fileno(), out, err])
        self.pid = int(self._line.recv(64))

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, or the signal that ended it, negative. Raises subprocess.TimeoutExpired (seconds)."""
        if self.returncode is None:
            self._line.settimeout(timeout)
            try:
                self.returncode = int(self._line.recv(64))
            except (TimeoutError, BlockingIOError):
                assert timeout is not None
                raise subprocess.TimeoutExpired(self._words, timeout) from None
            self.close()
        return self.returncode

    def poll(self) -> int | None:
        """The same, None while it runs."""
        with suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """kill -9."""
        self.send_signal(signal.SIGKILL)

    def close(self) -> None:
        """Its end is of no more interest."""
        self._line.close()


@functools.cache
def _server() -> str:
    """The address of this process's own server. It ends with us: nobody holds its input open then."""
    folder = tempfile.TemporaryDirectory(prefix="warm-")
    path = f"{folder.name}/line"
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.warm", path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=_CHECKOUT
    )
    assert process.stdin is not None and process.stdout is not None
    atexit.register(folder.cleanup)
    atexit.register(process.wait)
    atexit.register(process.stdin.close)
    assert process.stdout.readline() == b"ready\n"
    process.stdout.close()
    return path


_CHECKOUT: Final = Path(__file__).parents[1]


def _serve(path: str) -> None:
    """Fork a process for each request, and tell its end."""
    _import_all()
    # What is never looked at by the collector stays shared with the server.
    gc.collect()
    gc.freeze()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(path)
    listener.listen(16)
    events = selectors.DefaultSelector()
    events.register(listener, selectors.EVENT_READ)
    events.register(0, selectors.EVENT_READ)
    os.write(1, b"ready\n")
    while True:
        for key, _ in events.select():
            if key.fd == 0:
                os._exit(0)
            if key.fd != listener.fileno():
                line, pid = key.data
                events.unregister(key.fd)
                os.close(key.fd)
                code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                with suppress(OSError):  # nobody waits for it any more
                    line.send(str(code).encode())
                line.close()
                continue
            line, _ = listener.accept()
            data, fds, _, _ = socket.recv_fds(line, _LONGEST, _OPEN_FILES)
            pid = os.fork()
            if pid == 0:
                for number, fd in enumerate(fds):
                    os.dup2(fd, number)
                    os.close(fd)
                for each in (line, listener, events):
                    each.close()
                _leave(_become(**json.loads(data)))
            for fd in fds:
                os.close(fd)
            line.send(str(pid).encode())
            events.register(os.pidfd_open(pid), selectors.EVENT_READ, (line, pid))


def _become(*, words: list[str], cwd: str, env: dict[str, str]) -> int:
    """Be what `python -m desgw_daemon WORDS` is, and return its exit code."""
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    entry = importlib.import_module("desgw_daemon.__main__")
    sys.argv = [str(entry.__file__), *words]
    try:
        entry.main()
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else int(left.code is not None)
    except Exception as error:  # noqa: BLE001 - as the interpreter does
        sys.excepthook(type(error), error, error.__traceback__)
        return 1
    return 0


def _leave(code: int) -> None:
    """As the interpreter does, but for taking apart, object by object, what the server goes on to use."""
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _import_all() -> None:
    """All that a command may import, the program's own parts and what they bring along."""
    package = importlib.import_module("desgw_daemon")
    for module in pkgutil.walk_packages(package.__path__, "desgw_daemon."):
        if not any(part in module.name for part in ("sandbox", "_installed", "worker")):
            importlib.import_module(module.name)
    for name in ("alembic.command", "rich.console", "rich.table"):
        importlib.import_module(name)


if __name__ == "__main__":
    _serve(sys.argv[1])
