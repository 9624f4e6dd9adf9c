"""The one way to a tree that may hang: a process of its own answers questions, and is left behind when it hangs.

A question is a function of this program with its arguments, both handed over by name and value. While the tree is
silent every question fails at once with TreeSilent, which says nothing of what is on the tree: that is unknown.
Must not touch the tree from this process, and never waits for a process that does not die, not even at exit.
"""

from __future__ import annotations

import os
import pickle
import selectors
import stat
import subprocess
import sys
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any, Final, Protocol, TypeVar

from desgw_daemon.domain.times import utc
from desgw_daemon.errors import TreeSilent
from desgw_daemon.observe.abandoned import Abandoned
from desgw_daemon.observe.door_worker import LENGTH

T = TypeVar("T")

_WORKER: Final = (sys.executable, "-P", "-m", "desgw_daemon.observe.door_worker")
#: A killed process that is not in the middle of a hanging call is gone after this long.
_DEATH: Final = timedelta(seconds=1)
#: A process that has not understood a question by then cannot be used. On a busy machine its start takes a while, and
#: no tree has anything to do with that.
_START: Final = timedelta(seconds=30)
#: A tree that was silent in the cycle before gets this part of the usual time: not every cycle must be late.
_KNOWN_SILENT: Final = 0.25
#: What a process that was left behind in the middle of a change hangs on begins with this.
_CHANGING: Final = "changing: "


class Way(Protocol):
    """How to come to a tree: through its door, or directly."""

    def ask(self, function: Callable[..., T], *args: Any, patience: float = 1.0) -> T:
        """What the function returns or raises; it changes nothing. Raises TreeSilent. patience: times the usual."""

    def change(self, function: Callable[..., T], *args: Any) -> T:
        """The same for one that changes something, and may be repeated in a later cycle."""


class Direct:
    """For a person's command: it waits with the person, who sees what it waits for."""

    def ask(self, function: Callable[..., T], *args: Any, patience: float = 1.0) -> T:
        """Call it here."""
        return function(*args)

    def change(self, function: Callable[..., T], *args: Any) -> T:
        """Call it here."""
        return function(*args)


DIRECT: Final = Direct()


class _Died(Exception):
    """The process ended before it answered."""


class Door:
    """Asks one tree, with at most one process at a time; those that hang are handed to `abandoned`."""

    def __init__(
        self, *, tree: str, root: Path, abandoned: Abandoned, answer_within: timedelta, max_stuck: int
    ) -> None:
        """tree: its name among those that processes may hang on. answer_within, max_stuck: may be set anew."""
        self._tree, self._root, self._abandoned = tree, root, abandoned
        self.answer_within = answer_within
        self.max_stuck = max_stuck
        self._process: subprocess.Popen[bytes] | None = None
        self._end: weakref.finalize[[subprocess.Popen[bytes]], Door] | None = None
        self._greeted = False
        self._hangs: str | None = None
        self._since: datetime | None = None
        #: Why the tree as a whole is of no use in this cycle; None when it answers, or was not asked.
        self.problem: str | None = None

    def begin(self) -> None:
        """A new cycle: the tree is asked anew. One that was silent is asked at once, so that its end is seen."""
        self._greeted, self._hangs, self.problem = False, None, None
        if self._since is not None:
            with suppress(TreeSilent):  # it is in `problem`
                self._greet()

    def ask(self, function: Callable[..., T], *args: Any, patience: float = 1.0) -> T:
        """What the function returns or raises. It changes nothing: asked twice when the process is killed meanwhile."""
        self._greet()
        try:
            answer: T = self._answer(function, args, patience)
        except _Died:
            answer = self._once(function, args, patience)
        return answer

    def change(self, function: Callable[..., T], *args: Any) -> T:
        """The same for one that changes something: when nobody knows whether it was done, TreeSilent is raised."""
        self._greet()
        # One that was killed in the middle of a change may still carry it out when the tree comes back.
        late = [stuck for stuck in self._abandoned.living(self._tree) if stuck.what.startswith(_CHANGING)]
        if late:
            raise TreeSilent(
                f"nothing is changed below {self._root}: process {late[0].pid} hangs since {utc(late[0].since)}"
                f" ({late[0].what}), cannot be killed, and may still do it"
            )
        answer: T = self._once(function, args, 1.0, changing=True)
        return answer

    def _greet(self) -> None:
        """The first question of a cycle: whether the root is there."""
        if self._hangs is not None:
            raise TreeSilent(self._hangs)
        if self._greeted:
            return
        self._greeted = True
        patience = 1.0 if self._since is None else _KNOWN_SILENT
        for again in (False, True):
            try:
                mode = self._answer(_mode, (str(self._root),), patience)
            except _Died as died:
                if again:
                    raise self._silent(f"the process that asks it is ended again and again ({died})") from None
            except TreeSilent:
                raise
            except OSError as error:
                # Its own questions tell what is missing, and go on.
                self.problem = f"{self._root} is away: {error.strerror or error}"
                return
            else:
                if not stat.S_ISDIR(mode):
                    self.problem = f"{self._root} is no folder"
                self._since = None
                return

    def _once(
        self, function: Callable[..., T], args: tuple[Any, ...], patience: float, *, changing: bool = False
    ) -> Any:
        try:
            return self._answer(function, args, patience, changing=changing)
        except _Died as died:
            # Nothing is known of the tree: the next question is asked as ever.
            raise TreeSilent(f"the process that asks {self._root} was ended before it answered ({died})") from None

    def _answer(
        self, function: Callable[..., T], args: tuple[Any, ...], patience: float, *, changing: bool = False
    ) -> Any:
        process = self._living()
        data = pickle.dumps((function, args))
        seconds = _START.total_seconds()
        assert process.stdin is not None and process.stdout is not None
        try:
            until = time.monotonic() + seconds
            _write(process.stdin, LENGTH.pack(len(data)) + data, until)
            if not (said := _message(process.stdout, until)):  # it has understood
                seconds = patience * self.answer_within.total_seconds()
                said = _message(process.stdout, time.monotonic() + seconds)
            ok, answer = pickle.loads(said)
        except TimeoutError:
            name = getattr(getattr(function, "func", function), "__name__", "question").strip("_").replace("_", " ")
            self._leave(process, f"{_CHANGING if changing else ''}{name} {_names(args)}".strip())
            raise self._silent(f"no answer within {seconds:g} s") from None
        except (BrokenPipeError, EOFError):
            self._forget()
            _bury(process)
            raise _Died(f"exit code {process.returncode}") from None
        if ok:
            return answer
        raise answer

    def _living(self) -> subprocess.Popen[bytes]:
        """The process, started when there is none."""
        if self._process is None:
            stuck = self._abandoned.living(self._tree)
            if len(stuck) >= self.max_stuck:
                pids = ", ".join(str(each.pid) for each in stuck)
                raise self._silent(
                    f"{len(stuck)} processes that asked it (pid {pids}) hang and cannot be killed; no other is started"
                    " until one of them ends",
                    since=stuck[0].since,
                )
            # In a session of its own: Ctrl-C at the terminal is for the daemon.
            self._process = subprocess.Popen(
                _WORKER,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                cwd="/",
                start_new_session=True,
            )
            for pipe in (self._process.stdin, self._process.stdout):
                assert pipe is not None
                os.set_blocking(pipe.fileno(), False)
            # With the door, or at exit.
            self._end = weakref.finalize(self, _dismiss, self._process)
        return self._process

    def _silent(self, why: str, *, since: datetime | None = None) -> TreeSilent:
        """The tree hangs: it is asked nothing more in this cycle."""
        self._since = min(at for at in (self._since, since, datetime.now(UTC)) if at is not None)
        self._hangs = self.problem = (
            f"{self._root} does not answer since {utc(self._since)}: {why}; it is asked again in each cycle"
        )
        return TreeSilent(self._hangs)

    def _leave(self, process: subprocess.Popen[bytes], what: str) -> None:
        """Kill it; one that does not die is left behind."""
        self._forget()
        process.kill()
        if not _bury(process):
            self._abandoned.add(process, tree=self._tree, what=what)

    def _forget(self) -> None:
        self._process = None
        if self._end is not None:
            self._end.detach()


def _bury(process: subprocess.Popen[bytes]) -> bool:
    """Whether it has ended. Its pipes are closed."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    try:
        process.wait(_DEATH.total_seconds())
    except subprocess.TimeoutExpired:
        return False
    return True


def _dismiss(process: subprocess.Popen[bytes]) -> None:
    """There are no more questions: it ends by itself, unless it hangs."""
    if not _bury(process):
        process.kill()


def _mode(root: str) -> int:
    return Path(root).stat().st_mode


def _names(args: tuple[Any, ...]) -> str:
    return next((str(arg) for arg in args if isinstance(arg, Path | str)), "")


def _write(pipe: IO[bytes], data: bytes, until: float) -> None:
    """Raises TimeoutError, BrokenPipeError."""
    left = memoryview(data)
    while left:
        _wait(pipe, selectors.EVENT_WRITE, until)
        left = left[os.write(pipe.fileno(), left[:65536]) :]


def _read(pipe: IO[bytes], size: int, until: float) -> bytes:
    """Raises TimeoutError, EOFError."""
    data = bytearray()
    while len(data) < size:
        _wait(pipe, selectors.EVENT_READ, until)
        piece = os.read(pipe.fileno(), min(size - len(data), 1 << 20))
        if not piece:
            raise EOFError
        data += piece
    return bytes(data)


def _message(pipe: IO[bytes], until: float) -> bytes:
    """The next one. Raises TimeoutError, EOFError."""
    return _read(pipe, LENGTH.unpack(_read(pipe, LENGTH.size, until))[0], until)


def _wait(pipe: IO[bytes], event: int, until: float) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, event)
        if not selector.select(max(0.0, until - time.monotonic())):
            raise TimeoutError
