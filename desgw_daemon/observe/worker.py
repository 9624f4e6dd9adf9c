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
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final, Literal

from desgw_daemon.domain.facts import CcdSeen, FoldersSeen, ForcefilesSeen, LookRequest, Sighting, Unseen
from desgw_daemon.observe.mount import Mount
from desgw_daemon.observe.sight import root_problem, see_ccd, see_folders, see_forcefiles
from desgw_daemon.observe.wire import Done, Report, RootSeen, decode_order, decode_request, encode_report

#: Seconds for which a thread keeps the interpreter when another, whose call has come back, wants it. The default of
#: 5 ms is longer than a call on /pnfs takes.
_TURN: Final = 0.0005


@dataclass(slots=True, eq=False)
class _Task:
    """One thing to see. told: it was reported as hanging."""

    what: Literal["folders", "forcefiles", "ccd"]
    ccd: int | None
    run: Callable[[], Sighting]
    told: bool = False


class _Lane:
    """One exposure's work. Its forcefiles come before any of its CCDs.

    A CCD copies its tarball, then a FAIL if any, then its forcefiles: a pair of forcefiles that was
    seen before the CCD's folder was listed proves that no FAIL can follow.
    """

    def __init__(self, mount: Mount, root: str, request: LookRequest) -> None:
        self._mount, self._root, self.request = mount, root, request
        self._before_ccds = int(request.forcefiles) + int(request.folders)
        self._ccds = request.ccds or ()
        self.running = 0
        #: A call of it did not come back: nothing more is asked of it in this look.
        self.hung = False
        self.todo: deque[_Task] = deque()
        if request.forcefiles:
            self.todo.append(_Task("forcefiles", None, partial(see_forcefiles, mount, root, request)))
        if request.folders:
            self.todo.append(_Task("folders", None, partial(see_folders, mount, root, request)))
        if not self._before_ccds:
            self._add_ccds()

    def took(self, sighting: Sighting) -> None:
        """A task came to its end."""
        self.running -= 1
        if isinstance(sighting, FoldersSeen):
            wanted = self.request.ccds
            self._ccds = tuple(ccd for ccd in sorted(sighting.ccds) if wanted is None or ccd in wanted)
        if isinstance(sighting, Unseen) and sighting.what == "folders":
            self._ccds = ()
        if isinstance(sighting, CcdSeen) or (isinstance(sighting, Unseen) and sighting.what == "ccd"):
            return
        self._before_ccds -= 1
        if not self._before_ccds:
            self._add_ccds()

    def _add_ccds(self) -> None:
        for ccd in self._ccds:
            self.todo.append(_Task("ccd", ccd, partial(see_ccd, self._mount, self._root, self.request, ccd)))

    @property
    def finished(self) -> bool:
        """Whether all of it has been looked at."""
        return not self.todo and not self.running


class Worker:
    """Carries out one order."""

    def __init__(
        self,
        *,
        mount: Mount,
        root: str,
        requests: Sequence[LookRequest],
        calls_at_once: int,
        answer_within: float,
    ) -> None:
        """answer_within: seconds; a call that takes longer hangs."""
        self._mount, self._root, self._answer_within = mount, root, answer_within
        lanes = [_Lane(mount, root, request) for request in requests]
        self._lanes = [lane for lane in lanes if not lane.finished]
        self._threads = calls_at_once
        lock = threading.Lock()
        #: For threads that wait for something to do.
        self._changed = threading.Condition(lock)
        #: For the one that waits for the end: a look has thousands of tasks, and does not wake it for each.
        self._over = threading.Condition(lock)
        self._writing = threading.Lock()
        #: The thread that asks the root: whoever waits for it must not hang with it.
        self._asker = ThreadPoolExecutor(1)
        self._absent: list[Sighting] = []
        #: What is under way: the thread that does it, and since when.
        self._under_way: dict[_Task, tuple[_Lane, int, float]] = {}

    def run(self) -> None:
        """Look at everything, reporting as it goes.

        What is absent is reported last, after the root has answered once more: a mount that goes away in
        the middle makes everything look absent.
        """
        problem = self._root_problem()
        self._report(RootSeen(problem))
        if problem is not None:
            return
        for _ in range(self._threads):
            self._start_thread()
        problem = self._wait()
        if problem is None and (self._absent or self._under_way):
            problem = self._root_problem()
        for sighting in self._absent:
            self._report(sighting if problem is None else _unseen(sighting, problem))
        self._report(Done() if problem is None else RootSeen(problem))

    def _start_thread(self) -> None:
        threading.Thread(target=self._work, daemon=True).start()

    def _root_problem(self) -> str | None:
        """What the root answers; one that does not answer is a problem as well."""
        try:
            return self._asker.submit(root_problem, self._mount, self._root).result(self._answer_within)
        except TimeoutError:
            return f"{self._root} has not answered for {self._answer_within:g} s"

    def _wait(self) -> str | None:
        """Until every lane is finished or hangs. Why the mount as a whole is silent, or None.

        A lane whose call hangs is given up, and a fresh thread takes the place of the one that it holds. When the root
        hangs as well, it is the mount.
        """
        silent: list[str | None] = []
        probing = False

        def probe() -> None:
            problem = self._root_problem()
            with self._over:
                silent.append(problem)
                self._over.notify()

        with self._over:
            while self._lanes:
                self._over.wait(self._until_next_hang())
                for lane in self._give_up_hanging():
                    self._lanes.remove(lane)
                    self._changed.notify_all()  # the others' share of the threads has grown
                    if not probing:
                        probing = True
                        threading.Thread(target=probe, daemon=True).start()
                if silent and silent[0] is not None:
                    return silent[0]
        return None

    def _until_next_hang(self) -> float:
        """Seconds until the oldest call under way hangs, of those that are not known to."""
        begun = [self._call_since(task) for task in self._under_way if not task.told]
        return max(0.0, min(begun, default=time.monotonic()) + self._answer_within - time.monotonic())

    def _call_since(self, task: _Task) -> float:
        """Since when the task's call is under way. It may be one of a hundred: a mount that is slow does not hang."""
        _, thread, since = self._under_way[task]
        return max(since, self._mount.newest_call(thread))

    def _give_up_hanging(self) -> list[_Lane]:
        """The lanes with a call that hangs since now: told, and each call's thread replaced."""
        now = time.monotonic()
        given_up = []
        for task, (lane, _, _) in self._under_way.items():
            if task.told or now - self._call_since(task) < self._answer_within:
                continue
            if not lane.hung:
                lane.hung = True
                given_up.append(lane)
            task.told = True
            problem = f"{_folder(lane.request, task)} hangs: no answer for {self._answer_within:g} s"
            self._report(Unseen(lane.request.exposure_id, task.what, task.ccd, problem, datetime.now(UTC), True))
            self._start_thread()
        return given_up

    def _work(self) -> None:
        while (taken := self._next()) is not None:
            lane, task = taken
            sighting = task.run()
            with self._changed:
                del self._under_way[task]
                if task.told:
                    # It came after all, too late to be believed; another thread has taken this one's place.
                    self._changed.notify_all()
                    return
            if isinstance(sighting, Unseen) or sighting.there:
                self._report(sighting)
            else:
                self._absent.append(sighting)
            with self._changed:
                lane.took(sighting)
                if lane.finished and not lane.hung:
                    self._lanes.remove(lane)
                self._changed.notify_all()
                if not self._lanes:
                    self._over.notify()

    def _next(self) -> tuple[_Lane, _Task] | None:
        with self._changed:
            while self._lanes:
                most = self._share()
                for lane in self._lanes:
                    if lane.todo and not lane.hung and lane.running < most:
                        lane.running += 1
                        task = lane.todo.popleft()
                        self._under_way[task] = (lane, threading.get_ident(), time.monotonic())
                        return lane, task
                self._changed.wait()
        return None

    def _share(self) -> int:
        """How many threads one exposure may have: if its folders hang, it must not take those of the others with it.

        A quarter of them, or more when fewer than four exposures are left: at the end of a look, or in a look at one.
        """
        return max(1, self._threads // min(4, len(self._lanes)))

    def _report(self, report: Report) -> None:
        with self._writing:
            sys.stdout.buffer.write((encode_report(report, self._mount.calls) + "\n").encode())
            sys.stdout.buffer.flush()


def _folder(request: LookRequest, task: _Task) -> str:
    """What is looked at, as people know it."""
    if task.what == "forcefiles":
        return request.key.forcephoto_folder()
    return request.key.exp_folder() if task.ccd is None else request.key.ccd_folder(task.ccd)


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
        answer_within=order.answer_within,
    )
    sys.setswitchinterval(_TURN)
    worker.run()
    os._exit(0)


if __name__ == "__main__":
    main()
