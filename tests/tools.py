"""Programs that some tests drive and that python3, make and git do not bring along."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest


def needed(program: str, package: str, why: str) -> str:
    """The program's path.

    Where it is missing, `make test` leaves the test out and prints the reason; in CI, which installs what the tests
    drive, the test fails: what is not tried must not pass for tried.
    """
    found = shutil.which(program)
    if found is None:
        left_out(f"{program} is missing ({why}): apt-get install {package}")
    return found


def left_out(said: str) -> NoReturn:
    """The test cannot be tried here, and this is why; in CI it fails."""
    if os.environ.get("CI"):
        pytest.fail(said)
    pytest.skip(said)
