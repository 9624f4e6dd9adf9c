"""Sandboxes for the tests of the stand-ins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from desgw_daemon.sandbox.build import Sandbox, build
from desgw_daemon.sandbox.nights import small_scenario
from desgw_daemon.sandbox.scenario import Pace, Postproc

EXPNUM = 938524


@pytest.fixture
def make_sandbox(tmp_path: Path) -> Callable[..., Sandbox]:
    """Builds a sandbox with one exposure, 938524 i, with the given habits."""

    def make(
        *,
        postproc: Postproc | None = None,
        pace: Pace | None = None,
        setup_fails: bool = False,
        **habits: Any,
    ) -> Sandbox:
        small = small_scenario(1)
        scenario = replace(
            small,
            exposures=(replace(small.exposures[0], **habits),),
            postproc=postproc or Postproc(),
            pace=pace or small.pace,
            setup_fails=setup_fails,
        )
        return build(tmp_path / "sandbox", scenario)

    return make
