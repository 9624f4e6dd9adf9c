"""For tests in a real systemd: one for all of them, and what they start in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.systemdbox import Box, box
from tests.units.inbox import WebInBox, web_in
from tests.units.servicenight import Night

__all__ = ["box"]


@pytest.fixture
def night(box: Box) -> Iterator[Night]:
    """The service, installed, in a sandbox of two exposures whose DAGs come to no end while a test lasts."""
    night = Night(box, job=60)
    night.begin()
    yield night
    night.end()


@pytest.fixture
def quick_night(box: Box) -> Iterator[Night]:
    """The same, with DAGs that end."""
    night = Night(box, job=0.7)
    night.begin()
    yield night
    night.end()


@pytest.fixture
def web(box: Box) -> Iterator[WebInBox]:
    """A web server in the box."""
    with web_in(box) as server:
        yield server
