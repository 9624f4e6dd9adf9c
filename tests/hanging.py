"""A mount for tests and benchmarks that is slow and hangs when told to: tests/slowfs.py, and its end in any case."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.tools import left_out

PROJECT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class SlowMount:
    """A mounted folder."""

    root: Path
    _socket: Path
    _server: subprocess.Popen[str]

    def hang(self, under: str = "", *, killable: bool = True) -> None:
        """From now on nothing at or below this folder answers. killable: SIGKILL ends who waits, as on an NFS mount."""
        self._order(do="hang", under=under, killable=killable)

    def fail(self, under: str = "", *, error: int) -> None:
        """From now on everything at or below this folder is answered with this errno."""
        self._order(do="fail", under=under, error=error)

    def release(self) -> None:
        """Everything answers, what was waiting as well. With its server a mount dies, and nothing hangs on it."""
        if self._server.poll() is None:
            self._order(do="release")

    def end(self, number: int) -> None:
        """End its server by this signal: everything on the mount is an error from now on."""
        self._server.send_signal(number)
        self._server.wait(10)

    def reset(self) -> None:
        """Count from 0."""
        self._order(do="reset")

    @property
    def counts(self) -> dict[str, int]:
        """Round trips since the start or the last reset, by kind."""
        return dict(self._order(do="state")["counts"])

    @property
    def held(self) -> int:
        """How many calls hang at this moment."""
        return int(self._order(do="state")["held"])

    def _order(self, **order: object) -> dict[str, Any]:
        with socket.socket(socket.AF_UNIX) as door:
            door.settimeout(10)
            door.connect(str(self._socket))
            door.sendall(json.dumps(order).encode() + b"\n")
            answer: dict[str, Any] = json.loads(door.makefile().readline())
        return answer


@contextlib.contextmanager
def slow_mount(folder: Path, mountpoint: Path, *, ms: float = 0, nfs: bool = False) -> Iterator[SlowMount]:
    """The folder at the mount point. At the end whoever hangs is let go, and it is unmounted, whatever has happened."""
    if os.geteuid() != 0 or not os.access("/dev/fuse", os.R_OK | os.W_OK):
        left_out("a mount of a test's own needs root and /dev/fuse")
    mountpoint.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="slowfs") as place:  # a socket's path must be short
        door = Path(place) / "door"
        options = [f"--ms={ms}", f"--cache={'nfs' if nfs else 'none'}"]
        command = [sys.executable, "-m", "tests.slowfs", str(folder), str(mountpoint), str(door), *options]
        with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as server:
            try:
                assert server.stdout is not None
                if server.stdout.readline() != "mounted\n":
                    left_out("the kernel does not mount FUSE here")
                yield SlowMount(mountpoint, door, server)
            finally:
                server.terminate()
                try:
                    server.wait(10)
                except subprocess.TimeoutExpired:
                    server.kill()
                subprocess.run(["umount", "--lazy", str(mountpoint)], check=False, capture_output=True)
