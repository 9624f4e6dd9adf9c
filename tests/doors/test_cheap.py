"""What a process behind a door loads: it starts with the daemon, and anew after each hang."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

PACKAGE: Final = Path(__file__).parents[2] / "desgw_daemon"
#: What takes most of a second of CPU, and 50 MB, to load.
HEAVY: Final = {"sqlalchemy", "sqlmodel", "pydantic", "structlog", "rich", "asyncio", "apscheduler"}


def handed_over() -> Iterator[str]:
    """The modules of the functions that are given to a door by their names, wherever that is done."""
    for path in PACKAGE.rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(call, ast.Call)
                and isinstance(call.func, ast.Attribute)
                and call.func.attr in ("ask", "change")
                and call.args
                and isinstance(call.args[0], ast.Name)
                and call.args[0].id not in ("function", "read", "seen")
            ):
                name = ".".join(("desgw_daemon", *path.relative_to(PACKAGE).with_suffix("").parts))
                yield str(getattr(importlib.import_module(name), call.args[0].id).__module__)
    # What they bind first.
    yield "desgw_daemon.observe.making"
    yield "desgw_daemon.observe.postproc_evidence"
    yield "desgw_daemon.observe.paths"
    yield "desgw_daemon.act.iniplace"


class TestCheap:
    """A process behind a door loads nothing heavy with the function that it is handed."""

    def test_nothing_heavy(self) -> None:
        modules = sorted(set(handed_over()))
        assert len(modules) > 10
        program = f"import sys, {', '.join(modules)}; print(*sys.modules)"
        loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
        assert HEAVY & set(loaded.split()) == set()
