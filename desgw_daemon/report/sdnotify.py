"""Telling systemd how the daemon is: the protocol of sd_notify(3).

Must not matter to anything else: without systemd, or when its socket is gone, nothing is told and nobody notices.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

#: systemd reads its socket at once; a manager that hangs must not hold up a cycle.
_SEND_WITHIN: Final = timedelta(seconds=1)


class Notifier:
    """Speaks to the manager that has started this process, if one has."""

    def __init__(self, *, address: str | None, watchdog: timedelta | None = None) -> None:
        """address: of its socket; one that begins with @ is in the abstract name space. watchdog: it wants to hear a
        ping at least this often; None: it does not watch.
        """
        self._address = address
        self.watchdog = watchdog

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Notifier:
        """What this process's environment says. A watchdog that is meant for another process is not ours."""
        address = environ.get("NOTIFY_SOCKET")
        usec, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", str(os.getpid()))
        ours = usec.isdigit() and int(usec) > 0 and pid == str(os.getpid())
        return cls(address=address or None, watchdog=timedelta(microseconds=int(usec)) if ours else None)

    @property
    def is_heard(self) -> bool:
        """Whether anybody wants to know."""
        return self._address is not None

    def tell(self, **fields: str | int) -> bool:
        """Send fields such as READY=1; whether the manager has them. Never raises."""
        if self._address is None:
            return False
        lines = "\n".join(f"{name}={_one_line(value)}" for name, value in fields.items())
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.settimeout(_SEND_WITHIN.total_seconds())
                sock.sendto(lines.encode(errors="replace"), address)
        except (OSError, ValueError):  # ValueError: a NUL in the path
            return False
        return True


def _one_line(value: str | int) -> str:
    return str(value).replace("\n", " ")
