"""Running a program without root's way past permissions: in CI the tests are root."""

from __future__ import annotations

import os
import shutil

import pytest


def bound_by_permissions() -> tuple[str, ...]:
    """What stands before a command so that file permissions count for it; nothing for an ordinary user."""
    if os.geteuid() != 0:
        return ()
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.fail("root may go everywhere, and setpriv (util-linux), which takes that from a command, is missing")
    return (setpriv, "--bounding-set", "-dac_override,-dac_read_search", "--")
