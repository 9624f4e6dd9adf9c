"""The log as the journal of systemd takes it: a message, its priority, and fields that `journalctl FIELD=VALUE` finds.

EVENT, EXPNUM, NITE and SEASON are fields of their own; all others begin with DESGW_. Never raises: a line that the
journal's socket does not take goes to stderr with its priority in front, which the journal understands, too.
"""

from __future__ import annotations

import array
import errno
import fcntl
import json
import logging
import os
import re
import socket
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Final

_SOCKET: Final = "/run/systemd/journal/socket"
IDENTIFIER: Final = "desgw-daemon"
#: Numbers of syslog(3).
_PRIORITIES: Final = {"DEBUG": 7, "INFO": 6, "WARNING": 4, "ERROR": 3, "CRITICAL": 2}
#: Fields under their own names: what people look for.
_OWN: Final = {"event": "EVENT", "expnum": "EXPNUM", "nite": "NITE", "season": "SEASON"}
_PREFIX: Final = "DESGW_"
#: The journal has its own.
_LEFT_OUT: Final = frozenset({"time", "level", "text", *_OWN})
_NOT_IN_NAMES: Final = re.compile(r"[^A-Z0-9_]")
#: systemd takes what does not fit into a datagram as a sealed file in memory.
_SEALS: Final = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL


def is_for_journal(environ: Mapping[str, str], stream: int = 2) -> bool:
    """Whether what this process writes to stderr goes to the journal (systemd.exec(5), $JOURNAL_STREAM)."""
    try:
        info = os.fstat(stream)
    except OSError:
        return False
    return environ.get("JOURNAL_STREAM") == f"{info.st_dev}:{info.st_ino}"


class Journal(logging.Handler):
    """Sends each record to the journal. Its formatter gives JSON."""

    def __init__(self, address: str = _SOCKET) -> None:
        super().__init__()
        self._address = address

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record."""
        told: dict[str, Any] = json.loads(self.format(record))
        priority = _PRIORITIES.get(told["level"], 6)
        message = f"{told['expnum']} {told['text']}" if "expnum" in told else str(told["text"])
        try:
            self._send(b"".join(_encoded(_fields(told, message, priority))))
        except OSError:
            _to_stderr(f"<{priority}>{message} [{told['event']}]".replace("\n", " "))

    def _send(self, data: bytes) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            # A journal that hangs must not hold up a cycle.
            sock.settimeout(1)
            try:
                sock.sendto(data, self._address)
            except OSError as error:
                if error.errno not in (errno.EMSGSIZE, errno.ENOBUFS):
                    raise
                self._send_file(sock, data)

    def _send_file(self, sock: socket.socket, data: bytes) -> None:
        descriptor = os.memfd_create("desgw-journal", os.MFD_ALLOW_SEALING | os.MFD_CLOEXEC)
        try:
            with os.fdopen(os.dup(descriptor), "wb") as file:
                file.write(data)
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))
            sock.sendmsg([], [rights], 0, self._address)
        finally:
            os.close(descriptor)


def _fields(told: Mapping[str, Any], message: str, priority: int) -> Iterable[tuple[str, str]]:
    yield "MESSAGE", message
    yield "PRIORITY", str(priority)
    yield "SYSLOG_IDENTIFIER", IDENTIFIER
    for name, field in _OWN.items():
        if name in told:
            yield field, str(told[name])
    for name, value in told.items():
        if name not in _LEFT_OUT:
            yield _PREFIX + _NOT_IN_NAMES.sub("_", name.upper()), value if isinstance(value, str) else json.dumps(value)


def _encoded(fields: Iterable[tuple[str, str]]) -> Iterable[bytes]:
    """Values of several lines go with their length in front."""
    for name, value in fields:
        data = value.encode(errors="backslashreplace")
        if b"\n" in data:
            yield name.encode() + b"\n" + len(data).to_bytes(8, "little") + data + b"\n"
        else:
            yield name.encode() + b"=" + data + b"\n"


def _to_stderr(line: str) -> None:
    try:
        print(line, file=sys.stderr, flush=True)
    except (OSError, ValueError):
        return  # nobody is left to tell
