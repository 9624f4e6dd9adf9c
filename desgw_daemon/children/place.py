"""Where keepers are started: beside this process, or in units of the user's systemd. Said once, at the start."""

from __future__ import annotations

import os
from typing import Literal

Place = Literal["process", "unit"]

_place: Place = "process"


def run_children(where: Literal["auto", "process", "unit"]) -> None:
    """What [service] children says. "auto": in units when this process is a service that systemd listens to."""
    global _place
    _place = ("unit" if os.environ.get("NOTIFY_SOCKET") else "process") if where == "auto" else where


def place() -> Place:
    """Where they are started."""
    return _place
