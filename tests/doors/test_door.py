"""The door itself: a tree that hangs for good in a system call, and a process that is killed."""

from __future__ import annotations

import errno
import os
import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from desgw_daemon.domain.facts import Stuck
from desgw_daemon.errors import TreeSilent
from desgw_daemon.observe.abandoned import Abandoned
from desgw_daemon.observe.door import Door

WITHIN = timedelta(seconds=2)


@pytest.fixture
def door(tmp_path: Path) -> Door:
    (tmp_path / "file").write_text("words")
    return Door(tree="workflow", root=tmp_path, abandoned=Abandoned(), answer_within=WITHIN, max_stuck=2)


def hang(tmp_path: Path) -> Path:
    """A file whose opening waits for ever, as on a mount that does not answer."""
    os.mkfifo(fifo := tmp_path / "hangs")
    return fifo


class Unkillable(Abandoned):
    """Processes that hang where not even SIGKILL ends them; no test can make one without a mount of its own."""

    def __init__(self, what: str = "exists /somewhere") -> None:
        super().__init__()
        self.pids: list[int] = []
        self._what = what

    def living(self, tree: str | None = None) -> tuple[Stuck, ...]:
        at = datetime.now(UTC)
        return tuple(
            Stuck(pid=pid, start=1, boot_id="", tree=tree or "workflow", what=self._what, since=at) for pid in self.pids
        )


def pid_of(door: Door) -> int:
    return door.ask(os.getpid)


class TestAnswers:
    """What a function returns or raises in the other process is returned or raised here."""

    def test_values_and_errors(self, door: Door, tmp_path: Path) -> None:
        assert door.ask(Path.read_text, tmp_path / "file") == "words"
        with pytest.raises(FileNotFoundError) as error:
            door.ask(Path.read_text, tmp_path / "none")
        assert error.value.filename == str(tmp_path / "none")
        assert pid_of(door) == pid_of(door) != os.getpid()
        assert door.problem is None

    def test_a_root_that_is_away(self, tmp_path: Path) -> None:
        door = Door(tree="workflow", root=tmp_path / "away", abandoned=Abandoned(), answer_within=WITHIN, max_stuck=1)
        assert door.ask(Path.exists, tmp_path / "away" / "file") is False
        assert door.problem == f"{tmp_path}/away is away: No such file or directory"

    def test_it_ends_with_the_daemon(self, door: Door) -> None:
        pid = pid_of(door)
        assert door._process is not None and door._process.stdin is not None
        door._process.stdin.close()
        assert door._process.wait(10) == 0 and door._process.pid == pid


class TestHangs:
    """A question that gets no answer puts the tree aside for the cycle; the next cycle finds it again."""

    def test_unknown_at_once_and_back_in_the_next_cycle(self, door: Door, tmp_path: Path) -> None:
        fifo = hang(tmp_path)
        with pytest.raises(TreeSilent, match=r"does not answer since .*: no answer within 2 s"):
            door.ask(Path.read_bytes, fifo)
        assert door.problem is not None
        begun = time.monotonic()
        for _ in range(20):
            with pytest.raises(TreeSilent):
                door.ask(Path.exists, tmp_path / "file")
            with pytest.raises(TreeSilent):
                door.change(Path.unlink, tmp_path / "file")
        assert time.monotonic() - begun < WITHIN.total_seconds()
        assert (tmp_path / "file").exists()
        door.begin()
        assert door.problem is None
        assert door.ask(Path.read_text, tmp_path / "file") == "words"

    def test_it_is_no_sign_that_a_file_is_missing(self, door: Door, tmp_path: Path) -> None:
        with pytest.raises(TreeSilent) as silent:
            door.ask(Path.read_bytes, hang(tmp_path))
        assert not isinstance(silent.value, FileNotFoundError)
        assert silent.value.errno == errno.ETIMEDOUT


class TestKilled:
    """A process that is killed is started again: what only reads is asked again, what changes something is not."""

    def test_a_question_is_asked_again(self, door: Door) -> None:
        pid = pid_of(door)
        # It ends itself; asked once more, the next one says that there is no such process.
        with pytest.raises(ProcessLookupError):
            door.ask(os.kill, pid, signal.SIGKILL)
        assert door.problem is None

    def test_a_change_is_left_to_a_later_cycle(self, door: Door, tmp_path: Path) -> None:
        with pytest.raises(TreeSilent, match="was ended before it answered"):
            door.change(os.kill, pid_of(door), signal.SIGKILL)
        assert door.problem is None
        door.change(Path.unlink, tmp_path / "file")
        assert not (tmp_path / "file").exists()

    def test_between_two_questions(self, door: Door, tmp_path: Path) -> None:
        os.kill(pid_of(door), signal.SIGKILL)
        assert door.ask(Path.read_text, tmp_path / "file") == "words"


class TestStuck:
    """No more processes than allowed are left behind on a tree; when one of them ends, the tree is asked again."""

    def test_the_most_that_are_allowed(self, tmp_path: Path) -> None:
        stuck = Unkillable()
        door = Door(tree="workflow", root=tmp_path, abandoned=stuck, answer_within=WITHIN, max_stuck=2)
        stuck.pids = [11, 12]
        with pytest.raises(TreeSilent, match=r"2 processes that asked it \(pid 11, 12\) hang and cannot be killed"):
            door.ask(Path.exists, tmp_path)
        assert door._process is None, "none was started"
        stuck.pids = [11]
        door.begin()
        assert door.problem is None and door.ask(Path.exists, tmp_path) is True

    def test_nothing_is_changed_while_a_change_may_still_happen(self, tmp_path: Path) -> None:
        stuck = Unkillable(what="changing: unlink /somewhere")
        door = Door(tree="workflow", root=tmp_path, abandoned=stuck, answer_within=WITHIN, max_stuck=2)
        stuck.pids = [11]
        with pytest.raises(TreeSilent, match="may still do it"):
            door.change(Path.mkdir, tmp_path / "folder")
        assert door.ask(Path.exists, tmp_path / "folder") is False
        stuck.pids = []
        door.change(Path.mkdir, tmp_path / "folder")
        assert (tmp_path / "folder").is_dir()
