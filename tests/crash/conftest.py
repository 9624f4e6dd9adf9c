"""The process that forks the nights' processes, for the tests of crashes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.crash.nights import Launcher


@pytest.fixture
def launcher() -> Iterator[Launcher]:
    with Launcher() as process:
        yield process
