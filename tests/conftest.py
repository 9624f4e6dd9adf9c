"""For all tests: which form to run, and what they counted.

The long forms run with DESGW_SOAK=1 (`make soak`), and their counts then make docs/soak.md.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, settings

from tests.condorpool import condor_pool, pool, pool_folder
from tests.forms import LONG_FORM
from tests.postgres import postgres

__all__ = ["condor_pool", "pool", "pool_folder", "postgres"]

_COUNTED: Final = "counted"
_RESULTS: Final = Path(__file__).parents[1] / "docs" / "soak.md"
_HEAD: Final = """\
# What the long suites counted

Written by `make soak`: each line when its own suite was last run to its end, with the day and the commit. `make test`
runs the same tests in a short form, and says at its end what it counted.

"""

# How long an example takes says more about the machine than about the code.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.fixture(scope="session")
def long_form() -> bool:
    """Whether everything is to be tried, and not a sample of it."""
    return LONG_FORM


@pytest.fixture
def counted(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Say a number that people want to know at the end of the run, in words."""
    return lambda text: record_property(_COUNTED, text)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Who runs which tests."""
    from tests.sharing import ByFile

    return ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones first: at the end there is then something left to do for every worker (with the option
    --no-loadscope-reorder, which keeps this order).
    """
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_terminal_summary(terminalreporter: Any, exitstatus: int) -> None:
    """What was counted, and in the long form docs/soak.md."""
    lines = [
        f"- `{report.nodeid}`: {text}"
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, [])
        for name, text in report.user_properties
        if name == _COUNTED
    ]
    if not lines:
        return
    terminalreporter.section("counted")
    for line in sorted(lines):
        terminalreporter.line(line)
    if LONG_FORM and exitstatus == 0:
        _keep(lines)


def _keep(lines: list[str]) -> None:
    """Into docs/soak.md, each line in the place of an older one of its test: one long suite can be run by itself."""
    command = ("git", "log", "-1", "--format=%h")
    commit = subprocess.run(command, cwd=_RESULTS.parent, capture_output=True, text=True).stdout.strip()
    when = f" ({datetime.now(UTC):%Y-%m-%d}{', ' + commit if commit else ''})"
    old = _RESULTS.read_text().splitlines() if _RESULTS.exists() else []
    kept = {line.partition("`: ")[0]: line for line in old if line.startswith("- `")}
    kept |= {line.partition("`: ")[0]: line + when for line in lines}
    _RESULTS.write_text(_HEAD + "".join(f"{kept[test]}\n" for test in sorted(kept)))
