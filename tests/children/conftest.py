"""Helpers of these tests: a starter of commands in a folder, and a wait with a deadline."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from desgw_daemon.children import ChildStatus, ensure_started, look, stop

T = TypeVar("T")


class Starter:
    """Starts commands in folders below one place, and ends at the end whatever still runs."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.output = place / "out"

    def folder(self, name: str = "child") -> Path:
        return self.place / name

    def start(self, argv: Sequence[str], name: str = "child", timeout: timedelta | None = None) -> Path:
        ensure_started(
            self.folder(name),
            argv,
            cwd=self.place,
            env={"PATH": os.environ["PATH"]},
            output=self.output,
            timeout=timeout,
        )
        return self.folder(name)

    def bash(self, script: str, name: str = "child", timeout: timedelta | None = None) -> Path:
        return self.start(["bash", "-c", script], name, timeout)


@pytest.fixture
def starter(tmp_path: Path) -> Iterator[Starter]:
    made = Starter(tmp_path)
    yield made
    for record in tmp_path.glob("**/started"):
        stop(record.parent)


def until(ask: Callable[[], T], wanted: Callable[[T], bool], seconds: float = 20) -> T:
    """Ask until the answer is the wanted one; fail with the last answer."""
    deadline = time.monotonic() + seconds
    while True:
        answer = ask()
        if wanted(answer):
            return answer
        assert time.monotonic() < deadline, f"still {answer} after {seconds} s"
        time.sleep(0.01)


def until_over(folder: Path, seconds: float = 20) -> ChildStatus:
    return until(lambda: look(folder), lambda status: status.state in ("ended", "lost"), seconds)
