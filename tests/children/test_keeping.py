"""Commands that outlive a call: started at most once, found again, ended whole."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from desgw_daemon.children import NotStartedError, ensure_started, keeper, look, stop
from tests.children.conftest import Starter, until, until_over


def alive(pid: int) -> bool:
    return keeper.process(pid) is not None


def pid_in(path: Path) -> int:
    return int(until(lambda: path.read_text() if path.exists() else "", lambda text: text.endswith("\n")))


class TestAnEndIsWrittenDown:
    """How a command ended can be read later, by anyone: exit code, signal, time-out, times."""

    def test_exit_code(self, starter: Starter) -> None:
        before = datetime.now(UTC)
        status = until_over(starter.bash("echo said; echo wrong >&2; exit 3"))
        assert (status.state, status.exit_code, status.signal, status.error) == ("ended", 3, None, None)
        assert starter.output.read_text() == "said\nwrong\n"
        assert status.started_at is not None and status.ended_at is not None
        assert before <= status.started_at <= status.ended_at <= datetime.now(UTC)
        assert not status.succeeded and status.words == "ended with exit code 3"

    def test_success(self, starter: Starter) -> None:
        assert until_over(starter.bash("true")).succeeded

    def test_signal(self, starter: Starter) -> None:
        status = until_over(starter.bash("kill -SEGV $$"))
        assert (status.exit_code, status.signal) == (None, signal.SIGSEGV)

    def test_running_then_ended(self, starter: Starter) -> None:
        folder = starter.bash("while [ ! -e go ]; do sleep 0.02; done")
        status = look(folder)
        assert status.state == "running" and status.ended_at is None
        (starter.place / "go").touch()
        assert until_over(folder).succeeded

    def test_never_started(self, tmp_path: Path) -> None:
        assert look(tmp_path / "nothing").state == "absent"
        stop(tmp_path / "nothing")

    def test_command_gets_its_environment_and_nothing_else(self, starter: Starter) -> None:
        folder = starter.bash("pwd; cat; env | cut -d= -f1 | tr '\\n' ' '; echo; ls /proc/self/fd")
        until_over(folder)
        lines = starter.output.read_text().splitlines()
        assert lines[0] == str(starter.place)
        assert set(lines[1].split()) == {"PATH", "PWD", "SHLVL", "_"}
        assert lines[2:] == ["0", "1", "2", "3"], "no other file is handed on (3: what ls reads)"

    def test_signals_are_as_usual(self, starter: Starter) -> None:
        """A daemon started with nohup or & ignores some signals; its commands do not."""
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            folder = starter.bash("grep -E 'Sig(Ign|Blk)' /proc/self/status")
        finally:
            signal.signal(signal.SIGINT, before)
        until_over(folder)
        # 32 and 33 belong to the C library, which lets nobody set them: they stay as they were where we were started.
        ours = ~(1 << 31 | 1 << 32)
        masks = [int(line.split()[1], 16) for line in starter.output.read_text().splitlines()]
        assert [mask & ours for mask in masks] == [0, 0]

    def test_pipes_break_as_usual(self, starter: Starter) -> None:
        """Python ignores SIGPIPE; a shell script that inherited that would say 'Broken pipe'."""
        until_over(starter.bash("set -o pipefail; yes | head -1; echo ${PIPESTATUS[0]}"))
        assert starter.output.read_text() == "y\n141\n"


class TestWhatCannotBeStartedIsAnEnd:
    """A missing program or folder is recorded in the error's own words."""

    def test_missing_program(self, starter: Starter) -> None:
        status = until_over(starter.start(["./DAGMaker.sh", "938524"]))
        assert (status.state, status.exit_code) == ("ended", None)
        assert status.error is not None
        assert "./DAGMaker.sh" in status.error and "No such file" in status.error
        assert status.words == status.error

    def test_missing_working_folder(self, starter: Starter) -> None:
        folder = starter.folder()
        ensure_started(folder, ["true"], cwd=starter.place / "away", env={}, output=starter.output, timeout=None)
        status = until_over(folder)
        assert status.error is not None and "away" in status.error

    def test_word_that_no_program_can_have(self, starter: Starter) -> None:
        status = until_over(starter.start(["echo", "a\0b"]))
        assert status.error is not None and "null" in status.error

    def test_unwritable_folder_starts_nothing(self, starter: Starter) -> None:
        blocked = starter.folder() / "keeper.log"
        blocked.mkdir(parents=True)  # the keeper's log cannot be opened, whoever runs this test
        with pytest.raises(NotStartedError, match=r"keeper\.log"):
            starter.bash("echo ran >> ran")
        assert look(starter.folder()).state == "absent"
        blocked.rmdir()
        assert until_over(starter.bash("echo ran >> ran")).succeeded
        assert (starter.place / "ran").read_text() == "ran\n"


class TestAtMostOnce:
    """For each folder the command runs once, however often and from wherever it is asked for."""

    def test_repeated(self, starter: Starter) -> None:
        for _ in range(3):
            until_over(starter.bash("echo ran >> ran"))
        assert (starter.place / "ran").read_text() == "ran\n"

    def test_racing(self, starter: Starter) -> None:
        racers = [threading.Thread(target=starter.bash, args=["echo ran >> ran; sleep 0.2"]) for _ in range(10)]
        for racer in racers:
            racer.start()
        for racer in racers:
            racer.join()
        until_over(starter.folder())
        assert (starter.place / "ran").read_text() == "ran\n"

    def test_starter_killed_at_any_moment(self, starter: Starter) -> None:
        """Whoever starts it may be killed in the middle, its new keeper too: asking again is safe."""
        program = (
            "import sys; from datetime import timedelta; from pathlib import Path;"
            "from desgw_daemon.children import ensure_started; place = Path(sys.argv[1]); print(flush=True);"
            "ensure_started(place / sys.argv[2], ['bash', '-c', 'echo ran >> ran.' + sys.argv[2]], cwd=place,"
            "env={}, output=place / 'out', timeout=None)"
        )
        chance = random.Random(5)
        cut: set[str] = set()
        # The cuts are spread over twice the time that a start takes here and now, and go on until some came early
        # and some late: a busy machine only needs more of them.
        begun = time.monotonic()
        starter.bash("true", "unhurt")
        whole = time.monotonic() - begun
        number = 0
        while number < 25 or (len(cut) < 2 and number < 100):
            number += 1
            name = f"c{number}"
            victim = subprocess.Popen(
                [sys.executable, "-c", program, str(starter.place), name],
                cwd=Path(__file__).parents[2],
                stdout=subprocess.PIPE,
                start_new_session=True,
            )
            assert victim.stdout is not None
            with victim.stdout:
                victim.stdout.readline()
            time.sleep(chance.random() * 2 * whole)
            os.killpg(victim.pid, signal.SIGKILL)
            victim.wait()
            cut.add(look(starter.folder(name)).state)
            folder = starter.bash(f"echo ran >> ran.{name}", name)
            status = until_over(folder)
            ran = starter.place / f"ran.{name}"
            assert ran.exists() == (status.state == "ended"), status
            assert not ran.exists() or ran.read_text() == "ran\n"
        assert "absent" in cut and len(cut) > 1, "the cuts were all early, or all late"


class TestItOutlivesItsStarter:
    """The starter's end and its terminal's signals do not reach the command."""

    def test_session_of_its_own_and_no_zombie(self, starter: Starter) -> None:
        folder = starter.bash("while [ ! -e go ]; do sleep 0.02; done")
        status = until(lambda: look(folder), lambda status: status.pid is not None)
        assert status.pid is not None
        assert os.getsid(status.pid) == status.pid != os.getsid(0)
        record = json.loads((folder / "started").read_text())
        parent = int(Path(f"/proc/{record['pid']}/stat").read_text().rpartition(")")[2].split()[1])
        assert parent != os.getpid(), "the keeper is nobody's child here: nobody has to wait for it"
        (starter.place / "go").touch()
        until_over(folder)

    @pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGKILL])
    def test_starter_is_ended(self, starter: Starter, number: signal.Signals) -> None:
        """Signals to the starter's process group, such as a terminal's, end the starter alone."""
        program = (
            "import sys, time; from pathlib import Path; from desgw_daemon.children import ensure_started;"
            "place = Path(sys.argv[1]); ensure_started(place / 'child', ['bash', '-c', 'while [ ! -e go ]; do"
            " sleep 0.02; done'], cwd=place, env={'PATH': sys.argv[2]}, output=place / 'out', timeout=None);"
            "print(flush=True); time.sleep(60)"
        )
        victim = subprocess.Popen(
            [sys.executable, "-c", program, str(starter.place), os.environ["PATH"]],
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert victim.stdout is not None
        with victim.stdout:
            victim.stdout.readline()
        os.killpg(victim.pid, number)
        victim.wait()
        assert look(starter.folder()).state == "running"
        (starter.place / "go").touch()
        assert until_over(starter.folder()).succeeded


class TestLost:
    """What began, has no recorded end and is gone is lost; what still lives is not."""

    def test_keeper_and_command_killed(self, starter: Starter) -> None:
        folder = starter.bash("sleep 60")
        command = until(lambda: look(folder).pid, lambda pid: pid is not None)
        assert command is not None
        os.kill(json.loads((folder / "started").read_text())["pid"], signal.SIGKILL)
        time.sleep(0.1)
        assert look(folder).state == "running", "the command lives although its keeper is dead"
        os.kill(command, signal.SIGKILL)
        status = until_over(folder)
        assert status.state == "lost" and "lost" in status.words

    @pytest.mark.parametrize("change", [{"start": 1}, {"boot_id": "another"}])
    def test_a_pid_alone_proves_nothing(self, starter: Starter, change: dict[str, object]) -> None:
        """The same pid with another start time, or of another boot, is somebody else."""
        folder = starter.bash("sleep 60")
        until(lambda: look(folder).pid, lambda pid: pid is not None)
        record = json.loads((folder / "started").read_text())
        command = json.loads((folder / "command").read_text())
        lies = starter.folder("lies")
        lies.mkdir()
        (lies / "started").write_text(json.dumps({**record, **change}))
        (lies / "command").write_text(json.dumps({**command, **change}))
        assert look(lies).state == "lost"
        stop(lies)
        assert alive(record["pid"]) and alive(command["pid"])

    def test_damaged_record(self, starter: Starter) -> None:
        folder = starter.folder()
        folder.mkdir()
        (folder / "started").write_text("{")
        assert look(folder).state == "lost"
        (folder / "exit").write_text("[]")
        status = look(folder)
        assert status.state == "ended" and not status.succeeded and "damaged" in status.words


class TestEndedWhole:
    """A time-out or a stop ends the command with everything in its session, politely first."""

    def test_time_out(self, starter: Starter) -> None:
        script = "trap 'echo told; exit 7' TERM; sleep 60 & echo $! > pid; wait"
        status = until_over(starter.bash(script, timeout=timedelta(seconds=0.5)))
        assert (status.state, status.timed_out, status.exit_code) == ("ended", True, 7)
        assert "time-out" in status.words
        assert starter.output.read_text() == "told\n"
        assert not alive(pid_in(starter.place / "pid"))

    def test_stop(self, starter: Starter) -> None:
        # set -m gives the background job a process group of its own
        folder = starter.bash("set -m; sleep 60 & echo $! > pid; wait")
        pid = pid_in(starter.place / "pid")
        stop(folder)
        status = until_over(folder)
        assert (status.state, status.signal, status.timed_out) == ("ended", signal.SIGTERM, False)
        assert not alive(pid)

    def test_stop_without_keeper(self, starter: Starter) -> None:
        folder = starter.bash("trap '' TERM; sleep 60 & echo $! > pid; wait")
        pid = pid_in(starter.place / "pid")
        os.kill(json.loads((folder / "started").read_text())["pid"], signal.SIGKILL)
        until(lambda: alive(json.loads((folder / "started").read_text())["pid"]), lambda lives: not lives)
        stop(folder)
        assert until_over(folder).state == "lost"
        until(lambda: alive(pid), lambda lives: not lives)

    def test_stop_comes_late(self, starter: Starter) -> None:
        folder = starter.bash("true")
        until_over(folder)
        stop(folder)
        assert look(folder).succeeded

    def test_stop_while_it_ends(self, starter: Starter, monkeypatch: pytest.MonkeyPatch) -> None:
        """The keeper ends between the look at it and the signal to it: nothing is left to be done."""
        folder = starter.bash("while [ ! -e go ]; do sleep 0.02; done")
        kill = os.kill

        def after_its_end(pid: int, number: int) -> None:
            (starter.place / "go").touch()
            until(Path(f"/proc/{pid}").exists, lambda there: not there)  # not even a zombie is left to be signalled
            kill(pid, number)

        with monkeypatch.context() as patched:
            patched.setattr(os, "kill", after_its_end)
            stop(folder)
        assert until_over(folder).succeeded

    def test_leftovers_stay_unless_asked(self, starter: Starter) -> None:
        assert until_over(starter.bash("sleep 60 & echo $! > pid")).succeeded
        pid = pid_in(starter.place / "pid")
        assert alive(pid)
        os.kill(pid, signal.SIGKILL)


class TestSecrets:
    """What the environment holds stands in no file that stays."""

    def test_no_file_tells(self, starter: Starter, tmp_path: Path) -> None:
        ensure_started(
            starter.folder(), ["true"], cwd=tmp_path, env={"K": "s3cret"}, output=starter.output, timeout=None
        )
        until_over(starter.folder())
        names = {path.name for path in starter.folder().iterdir()}
        assert names == {"started", "command", "exit", "keeper.log"}
        assert all("s3cret" not in path.read_text() for path in starter.folder().iterdir())
        assert (starter.folder() / "keeper.log").read_text() == ""
