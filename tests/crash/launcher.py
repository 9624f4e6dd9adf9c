"""Runs a night of a sandbox, cycle by cycle, and ends the process at a side effect if so ordered.

`python -m tests.crash.launcher` reads orders (JSON lines) and carries out each in a process of its own, forked from
this one: that saves the import. With an order as its argument it is that process itself. An order is either to put the
sandbox's lists into the queue, or to make cycles, each the program's own `tick`, until every exposure has come to its
end. Between two cycles it waits until whatever was started has ended, so that the same night always has the same side
effects; or, in a hurry, it does not.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

# Not used here: what the program imports late is imported once for all forked processes.
import alembic.command  # noqa: F401 - as said above

import desgw_daemon.daemon.loop
import desgw_daemon.wiring
from desgw_daemon import children
from desgw_daemon.cli.main import main as program
from desgw_daemon.observe.door import Direct
from desgw_daemon.store.readonly import reading_uri
from tests.crash.nights import OUTPUT
from tests.crash.points import Point, Points

#: A night lasts seconds; on a machine that is busy with others, a minute.
_WITHIN: Final = 300.0
_HURRIED_PAUSE: Final = 0.05
_ENDS: Final = {"done", "attention"}


class OpenDoor(Direct):
    """What the process behind a door does is done in this one: its side effects are points, too."""

    problem = None

    def __init__(self, **_: object) -> None:
        pass

    def begin(self) -> None:
        pass


vars(desgw_daemon.wiring)["Door"] = OpenDoor


def main() -> int:
    if sys.argv[1:]:
        return carry_out(json.loads(sys.argv[1]))
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            os._exit(carry_out(json.loads(line)))
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
    return 0


def carry_out(order: dict[str, Any]) -> int:
    """One process of a night; its exit code.

    order: sandbox (its folder); do (queue or cycles); log (a file for the points); hurry; seconds (killed with -9 after
    these, wherever it is); and where it is to end: at (number of the side effect) or once (a file of places: at the
    first one that is not in it yet; around: only those with one of these modules on the way; every: one in so many of
    these), and after (just after it, instead of just before).
    """
    sandbox = Path(order["sandbox"])
    out = os.open(sandbox / OUTPUT, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(out, 1)
    os.dup2(out, 2)
    log = Log(order.get("log"))
    points = Points(cut=_cut(order), after=order.get("after", False), told=log.point)

    def command(*words: str) -> int:
        with points.counting(), log.counting():
            return program(["--config", str(sandbox / "daemon.toml"), *words])

    if order["do"] == "queue":
        season = json.loads((sandbox / "scenario.json").read_text())["season"]
        return command("queue", "add", *map(str, sorted((sandbox / "lists").glob("*.list"))), "--season", str(season))
    if "seconds" in order:
        end = threading.Timer(order["seconds"], os.kill, (os.getpid(), signal.SIGKILL))
        end.daemon = True
        end.start()
    deadline = time.monotonic() + _WITHIN
    while time.monotonic() < deadline:
        if code := command("tick"):
            return code
        if is_over(sandbox):
            return 0
        if order.get("hurry"):
            time.sleep(_HURRIED_PAUSE)
        else:
            wait_until_still(sandbox / "state", deadline)
    print("the night is not over", file=sys.stderr)
    return 70


def _cut(order: dict[str, Any]) -> Callable[[int, Point], bool]:
    if (once := order.get("once")) is None:
        at = order.get("at")
        return lambda number, point: number == at
    known = set(Path(once).read_text().splitlines())
    around, every = tuple(order.get("around", [""])), order.get("every", 1)

    def first_time_here(_: int, point: Point) -> bool:
        if point.place in known or not any(line.startswith(around) for line in point.chain):
            return False
        if zlib.crc32(point.place.encode()) % every:
            return False
        with Path(once).open("a") as file:
            file.write(point.place + "\n")
        return True

    return first_time_here


class Log:
    """The points, one line each, in a single write, so that a tracer sees them between the system calls."""

    def __init__(self, path: str | None) -> None:
        self._fd = None if path is None else os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def point(self, point: Point) -> None:
        self._write(asdict(point))

    @contextmanager
    def counting(self) -> Iterator[None]:
        """What is written after it is not the program's any more."""
        yield
        self._write({"kind": "", "what": "", "chain": ()})

    def _write(self, record: dict[str, Any]) -> None:
        if self._fd is not None:
            os.write(self._fd, (json.dumps(record) + "\n").encode())


def wait_until_still(state: Path, deadline: float) -> None:
    """Until every command that was ever started under a keeper has ended."""
    folders = [Path(folder) for folder, _, files in os.walk(state) if "started" in files]
    while any(children.look(folder).state == "running" for folder in folders) and time.monotonic() < deadline:
        time.sleep(0.01)


def is_over(sandbox: Path) -> bool:
    """Whether every exposure of the scenario is done or left to a person."""
    planned = {exposure["expnum"] for exposure in json.loads((sandbox / "scenario.json").read_text())["exposures"]}
    with closing(sqlite3.connect(reading_uri(sandbox / "state" / "desgw.db"), uri=True)) as connection:
        states = dict(connection.execute("SELECT expnum, state FROM exposure"))
    return planned <= states.keys() and set(states.values()) <= _ENDS


if __name__ == "__main__":
    sys.exit(main())
