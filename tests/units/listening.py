"""A socket that listens as systemd's does."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

_CREDENTIALS: Final = struct.Struct("3i")


class Heard(NamedTuple):
    """One datagram: who sent it, and its fields."""

    pid: int
    fields: dict[str, str]


class Manager:
    """What systemd would have heard."""

    def __init__(self, sock: socket.socket, address: str) -> None:
        self._socket = sock
        self.address = address
        self.heard: list[Heard] = []

    def until(self, wanted: Callable[[Heard], bool], seconds: float = 30) -> Heard:
        """Listen until a datagram is as wanted; fail with all that came."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                data, extra, *_ = self._socket.recvmsg(65536, socket.CMSG_SPACE(_CREDENTIALS.size))
            except TimeoutError:
                continue
            fields = dict(line.split("=", 1) for line in data.decode().split("\n"))
            self.heard.append(Heard(_CREDENTIALS.unpack(extra[0][2])[0], fields))
            if wanted(self.heard[-1]):
                return self.heard[-1]
        raise AssertionError(f"not heard within {seconds} s; but: {self.heard}")

    def until_field(self, name: str, seconds: float = 30) -> str:
        """The value of the next field of this name."""
        return self.until(lambda heard: name in heard.fields, seconds).fields[name]


@contextmanager
def listening(address: str) -> Iterator[Manager]:
    """A manager at this address; one that begins with @ is in the abstract name space."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        sock.settimeout(0.1)
        sock.bind("\0" + address[1:] if address.startswith("@") else address)
        yield Manager(sock, address)
