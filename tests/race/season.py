"""The real daemon on a sandbox, while it runs."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any, Final

from desgw_daemon.sandbox.build import Sandbox
from tests.crash.nights import CHECKOUT, OUTPUT, environment, told_by

#: A machine that is busy with others is slow; nothing here depends on how slow.
WITHIN: Final = 300.0


def program(sandbox: Sandbox, *words: str, code: int = 0) -> str:
    """Run a command to its end, which must be this exit code; what it said to stderr."""
    done = subprocess.run(
        [sys.executable, "-m", "desgw_daemon", "--config", str(sandbox.config), *words],
        cwd=CHECKOUT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done.stderr


@contextmanager
def running(sandbox: Sandbox) -> Iterator[None]:
    """The daemon works on it; at the end it is stopped as systemd does it."""
    with (sandbox.root / OUTPUT).open("ab") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "desgw_daemon", "--config", str(sandbox.config), "run"],
            cwd=CHECKOUT,
            env=environment(),
            stdout=said,
            stderr=said,
        )
        try:
            yield
            process.terminate()
            assert process.wait(60) == 0, told_by(sandbox)
        finally:
            process.kill()
            process.wait()


def rows(sandbox: Sandbox, query: str, *values: object) -> list[Any]:
    """What the database says, without disturbing the daemon."""
    path = sandbox.state / "desgw.db"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as connection:
        return connection.execute(query, values).fetchall()


def states(sandbox: Sandbox) -> dict[int, str]:
    """The state of each exposure."""
    return dict(rows(sandbox, "SELECT expnum, state FROM exposure"))


def until(sandbox: Sandbox, condition: Callable[[], object], pause: float = 0.05) -> None:
    """Wait for what must come."""
    end = time.monotonic() + WITHIN
    while not condition():
        assert time.monotonic() < end, f"it never came to that: {states(sandbox)}\n{told_by(sandbox)}"
        time.sleep(pause)
