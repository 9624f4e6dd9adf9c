"""A plugin of pytest for use inside the box: what tests start by `children` runs in units of systemd."""

from __future__ import annotations

from desgw_daemon.children import run_children


def pytest_configure() -> None:
    """Before anything is started."""
    run_children("unit")
