"""The process that looks at /pnfs: requests on its standard input, reports on its standard output.

It is a process so that it can be abandoned: a call on a dead door may block in a way that nothing can
kill. It starts quickly because it imports only the standard library and the domain's vocabulary.
Must not remember anything: every look starts a new one.
"""

from __future__ import annotations

import math
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

from desgw_daemon.domain.facts import CcdSeen, FoldersSeen, ForcefilesSeen, LookRequest, Sighting, Unseen
from desgw_daemon.observe.mount import Mount
from desgw_daemon.observe.sight import root_problem, see_ccd, see_folders, see_forcefiles
from desgw_daemon.observe.wire import Done, Report, RootSeen, decode_order, decode_request, encode_report

Task = Callable[[], Sighting]


class _Lane:
    """One exposure's work. Its forcefiles come before any of its CCDs.

    A CCD copies its tarball, then a FAIL if any, then its forcefiles: a pair of forcefiles that was
    seen before the CCD's folder was listed proves that no FAIL can follow.
    """

    def __init__(self, mount: Mount, root: str, request: LookRequest) -> None:
        self._mount, self._root, self._request = mount, root, request
        self._before_ccds = int(request.forcefiles) + int(request.folders)
        self._ccds = request.ccds or ()
        self.running = 0
        self.todo: deque[Task] = deque()
        if request.forcefiles:
            self.todo.append(partial(see_forcefiles, mount, root, request))
        if request.folders:
            self.todo.append(partial(see_folders, mount, root, request))
        if not self._before_ccds:
            self._add_ccds()

    def took(self, sighting: Sighting) -> None:
        """A task came to its end."""
        self.running -= 1
        if isinstance(sighting, FoldersSeen):
            wanted = self._request.ccds
            self._ccds = tuple(ccd for ccd in sorted(sighting.ccds) if wanted is None or ccd in wanted)
        if isinstance(sighting, Unseen) and sighting.what == "folders":
            self._ccds = ()
        if isinstance(sighting, CcdSeen) or (isinstance(sighting, Unseen) and sighting.what == "ccd"):
            return
        self._before_ccds -= 1
        if not self._before_ccds:
            self._add_ccds()

    def _add_ccds(self) -> None:
        self.todo.extend(partial(see_ccd, self._mount, self._root, self._request, ccd) for ccd in self._ccds)

    @property
    def finished(self) -> bool:
        """Whether all of it has been looked at."""
        return not self.todo and not self.running


class Worker:
    """Carries out one order."""

    def __init__(self, *, mount: Mount, root: str, requests: Sequence[LookRequest], calls_at_once: int) -> None:
        self._mount, self._root = mount, root
        lanes = [_Lane(mount, root, request) for request in requests]
        self._lanes = [lane for lane in lanes if not lane.finished]
        self._threads = calls_at_once
        #: One exposure whose folders hang must not take all the threads with it.
        self._most_per_lane = max(1, calls_at_once // 4)
        self._changed = threading.Condition()
        self._writing = threading.Lock()
        self._absent: list[Sighting] = []

    def run(self) -> None:
        """Look at everything, reporting as it goes.

        What is absent is reported last, after the root has answered once more: a mount that goes away in
        the middle makes everything look absent.
        """
        problem = root_problem(self._mount, self._root)
        self._report(RootSeen(problem))
        if problem is not None:
            return
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(self._threads)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._absent:
            problem = root_problem(self._mount, self._root)
        for sighting in self._absent:
            self._report(sighting if problem is None else _unseen(sighting, problem))
        self._report(Done())

    def _work(self) -> None:
        while (taken := self._next()) is not None:
            lane, task = taken
            sighting = task()
            if isinstance(sighting, Unseen) or sighting.there:
                self._report(sighting)
            else:
                self._absent.append(sighting)
            with self._changed:
                lane.took(sighting)
                if lane.finished:
                    self._lanes.remove(lane)
                # No more than these tasks can have become possible, and this thread takes one itself.
                self._changed.notify(self._most_per_lane if self._lanes else self._threads)

    def _next(self) -> tuple[_Lane, Task] | None:
        with self._changed:
            while self._lanes:
                for lane in self._lanes:
                    if lane.todo and lane.running < self._most_per_lane:
                        lane.running += 1
                        return lane, lane.todo.popleft()
                self._changed.wait()
        return None

    def _report(self, report: Report) -> None:
        with self._writing:
            sys.stdout.buffer.write((encode_report(report, self._mount.calls) + "\n").encode())
            sys.stdout.buffer.flush()


def _unseen(sighting: Sighting, problem: str) -> Unseen:
    match sighting:
        case FoldersSeen():
            return Unseen(sighting.exposure_id, "folders", None, problem, sighting.at)
        case ForcefilesSeen():
            return Unseen(sighting.exposure_id, "forcefiles", None, problem, sighting.at)
        case CcdSeen():
            return Unseen(sighting.exposure_id, "ccd", sighting.ccd, problem, sighting.at)
        case Unseen():
            return sighting


def _end_all(failure: threading.ExceptHookArgs) -> None:
    """An error that nobody expected ends the process: the looker says so, and what was reported counts."""
    sys.stderr.write(f"{failure.exc_type.__name__}: {failure.exc_value}\n")
    os._exit(1)


def main() -> None:
    """Read the order and the requests to the end, then look."""
    first, *rest = sys.stdin.buffer.read().splitlines()
    order = decode_order(first)
    threading.excepthook = _end_all
    # Should the daemon die and this process hang, nobody would be left to kill it.
    signal.alarm(math.ceil(order.deadline) + 60)
    worker = Worker(
        mount=Mount(calls_per_second=order.calls_per_second),
        root=order.root,
        requests=[decode_request(line) for line in rest],
        calls_at_once=order.calls_at_once,
    )
    worker.run()
    os._exit(0)


if __name__ == "__main__":
    main()
