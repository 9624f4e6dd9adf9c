"""One look at /pnfs, by a worker process that is abandoned when it hangs.

The worker tells by itself which folders hang, and goes on with the others. The looker hands the requests over, takes
the reports as they come, and kills the worker at the deadline. It never waits for a process that does not die, not
even when the daemon ends.
Must not touch the mount itself.
"""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import IO, Final

from desgw_daemon.domain.facts import (
    CallCounts,
    Look,
    LookRequest,
    Sighting,
    Unseen,
)
from desgw_daemon.observe.abandoned import Abandoned
from desgw_daemon.observe.answers import unanswered
from desgw_daemon.observe.text import last_lines, plain_text
from desgw_daemon.observe.wire import Done, Order, RootSeen, decode_report, encode_order, encode_request

#: Its name among the trees that processes may hang on.
TREE: Final = "pnfs"
#: -P: a `json.py` in the folder where the daemon was started must not be taken for the library's.
WORKER: Final = (sys.executable, "-P", "-m", "desgw_daemon.observe.worker")
#: A killed process that is not in the middle of a hanging call is gone after this long.
_DEATH: Final = timedelta(seconds=1)


@dataclass(slots=True)
class _Heard:
    """What a worker has said so far."""

    sightings: list[Sighting] = field(default_factory=list)
    calls: CallCounts = field(default_factory=CallCounts)
    root: RootSeen | None = None
    finished: bool = False
    garbled: str | None = None

    def take(self, line: bytes) -> None:
        """Understand one line. One that cannot be understood is remembered, not raised."""
        try:
            report, self.calls = decode_report(line)
        except (ValueError, KeyError, TypeError):
            self.garbled = plain_text(line[:200])
            return
        match report:
            case RootSeen():
                self.root = report
                self.finished = report.problem is not None
            case Done():
                self.finished = True
            case _:
                self.sightings.append(report)


class Looker:
    """Looks at one mount. Of its workers that hang on it no more than a few are left behind."""

    def __init__(self, *, root: Path, abandoned: Abandoned | None = None, worker: Sequence[str] = WORKER) -> None:
        """abandoned: who keeps count of processes that hang. worker: the command line of the worker."""
        self._root = str(root.absolute())
        self._worker = tuple(worker)
        self.abandoned = Abandoned() if abandoned is None else abandoned

    def look(
        self,
        requests: Sequence[LookRequest],
        *,
        deadline: timedelta,
        answer_within: timedelta,
        calls_at_once: int,
        calls_per_second: float,
        max_stuck: int,
    ) -> Look:
        """One look, in the order of the requests (one for each exposure); 0 calls a second is no limit.

        It takes no longer than the deadline and a second. A call that takes longer than answer_within hangs, and the
        exposure that it is about is given up for this look. Never raises for what is on the mount, nor
        for a worker that fails: what was asked for and is not among the sightings is Unseen, with the
        reason. While max_stuck abandoned workers are alive no other is started.
        """
        begin = time.monotonic()
        if not requests:
            return Look((), CallCounts(), 0.0)
        stuck = self.abandoned.living(TREE)
        if len(stuck) >= max_stuck:
            pids = ", ".join(str(each.pid) for each in stuck)
            problem = (
                f"{self._root} has not answered since {stuck[0].since:%Y-%m-%dT%H:%M:%SZ}: {len(stuck)} processes that"
                f" looked at it (pid {pids}) hang and cannot be killed; no other is started until one of them ends"
            )
            return _outcome(_Heard(), requests, problem, begin, in_time=True)
        order = Order(
            self._root, calls_at_once, calls_per_second, deadline.total_seconds(), answer_within.total_seconds()
        )
        lines = [encode_order(order), *(encode_request(request) for request in requests)]
        heard = _Heard()
        with _memory() as asked, _memory() as errors:
            asked.write("\n".join(lines).encode())
            asked.seek(0)
            try:
                process = self._start(asked, errors)
            except OSError as error:
                problem = f"no process could be started to look at {self._root}: {error}"
                return _outcome(heard, requests, problem, begin, in_time=True)
            in_time = self._follow(process, heard, requests, until=begin + deadline.total_seconds())
            if in_time:
                unfinished = _why_unfinished(process, heard, errors)
            else:
                unfinished = f"{self._root} did not answer within {deadline.total_seconds():g} s"
        return _outcome(heard, requests, unfinished, begin, in_time=in_time)

    def _start(self, asked: IO[bytes], errors: IO[bytes]) -> subprocess.Popen[bytes]:
        """The worker, in a session of its own: Ctrl-C at the terminal is for the daemon."""
        return subprocess.Popen(
            self._worker,
            stdin=asked,
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd="/",
            start_new_session=True,
        )

    def _follow(
        self, process: subprocess.Popen[bytes], heard: _Heard, requests: Sequence[LookRequest], *, until: float
    ) -> bool:
        """Take reports until the worker has no more (True) or its time is over (False: it is killed)."""
        assert process.stdout is not None
        with process.stdout as output:
            pipe = _Pipe(output)
            try:
                for line in pipe.lines(until):
                    heard.take(line)
                    if heard.finished:
                        # Its last word: it ends now, or hangs in a call that did not come back.
                        until = min(until, time.monotonic() + _DEATH.total_seconds())
                        for _ in pipe.lines(until):
                            pass
                        return True
                return pipe.ended
            finally:
                if not pipe.ended:
                    process.kill()
                    for line in pipe.lines(None):
                        heard.take(line)
                self._bury(process, heard, requests)

    def _bury(self, process: subprocess.Popen[bytes], heard: _Heard, requests: Sequence[LookRequest]) -> None:
        """Reap a worker that has ended or is about to; one that cannot die is abandoned."""
        try:
            process.wait(_DEATH.total_seconds())
        except subprocess.TimeoutExpired:
            process.kill()
            self.abandoned.add(process, tree=TREE, what=_hung_on(self._root, heard, requests))


def _hung_on(root: str, heard: _Heard, requests: Sequence[LookRequest]) -> str:
    """The folders of the exposures whose calls did not come back; the root when it is the mount, or nobody knows."""
    if heard.root is None or heard.root.problem is not None:
        return root
    hung = {sight.exposure_id for sight in heard.sightings if isinstance(sight, Unseen) and sight.hung}
    return ", ".join(request.key.exp_folder() for request in requests if request.exposure_id in hung) or root


class _Pipe:
    """Whole lines from a worker, as they come."""

    def __init__(self, output: IO[bytes]) -> None:
        self._output = output
        self._rest = b""
        self.ended = False

    def lines(self, until: float | None) -> Iterator[bytes]:
        """Lines until the pipe ends or until that time; None: those that are there already."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._output, selectors.EVENT_READ)
            while not self.ended:
                left = 0.0 if until is None else until - time.monotonic()
                if left < 0 or not selector.select(left):
                    return
                chunk = os.read(self._output.fileno(), 1 << 16)
                self.ended = not chunk
                *lines, self._rest = (self._rest + chunk).split(b"\n")
                yield from lines


def _memory() -> IO[bytes]:
    """A file that needs no disk: what is written to the worker must not depend on one with room."""
    return os.fdopen(os.memfd_create("look"), "w+b")


def _why_unfinished(process: subprocess.Popen[bytes], heard: _Heard, errors: IO[bytes]) -> str | None:
    if heard.garbled is not None:
        return (
            f"the process that looks at /pnfs wrote what this daemon does not understand ({heard.garbled!r}): "
            "was the program replaced while it ran? Restart the daemon"
        )
    if heard.finished:
        return None
    errors.seek(0)
    words = last_lines(plain_text(errors.read(1 << 16)), 1)
    return f"the process that looks at /pnfs ended with {process.returncode}: {''.join(words) or 'no words'}"


def _outcome(
    heard: _Heard, requests: Sequence[LookRequest], problem: str | None, begin: float, *, in_time: bool
) -> Look:
    """The look as a value; what was asked for and not answered is Unseen."""
    root_problem = heard.root.problem if heard.root else problem
    unseen = tuple(unanswered(heard.sightings, requests, root_problem or problem))
    return Look(
        sightings=(*heard.sightings, *unseen),
        calls=heard.calls,
        seconds=time.monotonic() - begin,
        stuck=not in_time,
        silent=root_problem,
    )
