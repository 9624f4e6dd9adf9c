"""A run of post-processing is followed to its end, and told by what it came to; one at a time, whoever starts it."""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import pty
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest

from desgw_daemon.sandbox.scenario import Postproc
from tests.forms import LONG_FORM

from .house import PROGRAM, House, night_of, planned
from .results import put_results
from .test_postproc_again import adopted, ended, newest

#: A run_postproc.py that comes to step 6 and says nothing more.
SAYS_NOTHING: Final = """\
import os
print("Run STEP 6: Make plots")
if os.path.exists("leave-status"):
    open("PostProcStatus2206.txt", "w").write("1 \\n0 \\n1 \\n0 \\n1 \\n1 \\n1 \\n0 \\n0 \\nincomplete")
"""
#: One that waits in step 2.
WAITS: Final = """\
import os, time
print("Run STEP 2: Forcephoto", flush=True)
while not os.path.exists("go"):
    time.sleep(0.05)
"""
#: One that leaves a child behind when it is killed.
LEAVES_A_CHILD: Final = 'echo "Run STEP 2: Forcephoto"; sleep 300 & echo $! > child; wait\n'


def steps(house: House, number: int = 1) -> list[int]:
    rows = house.rows("SELECT step, at FROM v_postproc_step WHERE number = ? ORDER BY step", number)
    assert [row["at"] for row in rows] == sorted(row["at"] for row in rows)
    return [row["step"] for row in rows]


class TestWhatItCameTo:
    """No candidates is a result: the run is done, and its exposures are; no alert, and no other run."""

    @pytest.mark.parametrize(
        ("habits", "result", "step", "words"),
        [
            ({"candidates": 0}, "no_candidates", 5, "there are no candidates"),
            ({"candidates": 7}, "few_candidates", 5, "fewer candidates than it has processes for"),
            ({"none_passes": True}, "none_passes", 6, "none passes the cuts"),
            ({}, "candidates", 7, "it is complete"),
        ],
    )
    def test_result(
        self, make_house: Callable[..., House], habits: dict[str, Any], result: str, step: int, words: str
    ) -> None:
        house = adopted(make_house, postproc=Postproc(**habits))
        house.wait_for("done", 938524)
        run = newest(house)
        assert (run["number"], run["state"], run["result"], run["step"]) == (1, "done", result, step)
        assert words in run["reason"]
        assert run["exit_code"] == (1 if step == 5 else 0) and run["signal"] is None
        assert run["last_words"]
        assert steps(house) == list(range(step + 1))
        (listed,) = house.sandbox.postprocessing.glob("*.list")
        assert run["list_name"] == listed.name
        assert house.alerts("postproc_failed") == []

    @pytest.mark.parametrize(("status", "words"), [(False, "says nothing of this run"), (True, "says `incomplete`")])
    def test_exit_0_is_not_enough(self, make_house: Callable[..., House], status: bool, words: str) -> None:
        house = make_house(night_of(planned(938524)))
        put_results(house.sandbox, 938524)
        folder = house.sandbox.postprocessing
        (folder / "run_postproc.py").write_text(SAYS_NOTHING)
        # Left by an earlier run: it is not believed.
        old = folder / "PostProcStatus2206.txt"
        old.write_text("1 \n" * 9 + "complete")
        os.utime(old, (1.6e9, 1.6e9))
        if status:
            (folder / "leave-status").touch()
        house.ok("queue", "adopt", "--season", "2206", "--yes")
        house.start()
        ended(house, 1, "failed")
        run = newest(house)
        assert "ended with exit code 0 at step 6, but" in run["reason"] and words in run["reason"]
        assert run["result"] is None
        house.wait_for("attention", 938524)


class TestItsOutputCannotBeRead:
    """Its step has an age then: it is told with the file, and the run is not taken for anything else."""

    def test_for_a_while(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(938524)))
        put_results(house.sandbox, 938524)
        folder = house.sandbox.postprocessing
        (folder / "run_postproc.py").write_text(WAITS)
        house.ok("queue", "adopt", "--season", "2206", "--yes")
        house.start()
        house.until(lambda: newest(house).get("step") == 2, "it is in step 2")
        output, away = folder / "postproc_run_2206_1.out", folder / "away"
        output.rename(away)
        output.mkdir()
        problem = "SELECT postprocessing_problem AS said FROM v_poll WHERE look_seconds IS NOT NULL ORDER BY id DESC"
        house.until(lambda: house.rows(problem)[0]["said"], "it is told")
        assert (
            f"run 1 of season 2206 cannot be followed: [Errno 21] Is a directory: '{output}'"
            in house.rows(problem)[0]["said"]
        )
        (silent,) = json.loads(house.ok("status", "--json"))["silent"]
        assert silent["what"] == "postprocessing"
        output.rmdir()
        away.rename(output)
        house.until(lambda: house.rows(problem)[0]["said"] is None, "it is read again")
        assert (newest(house)["state"], newest(house)["step"]) == ("running", 2)
        (folder / "go").touch()
        ended(house, 1, "failed")


class TestWhatTheLogSays:
    """What a person should know of the preparation is a warning in the log, once, and stays with the run."""

    def test_another_event_and_another_ini(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(938524)))
        put_results(house.sandbox, 938524)
        folder = house.sandbox.postprocessing
        mine = "[general]\nseason = 2206 ; mine\n"
        (folder / "postproc_2206.ini").write_text(mine)
        (folder / "postproc_9999.ini").write_text("[general]\nseason = 9999\n")
        checked = folder / "outputs" / "checkoutputs"
        checked.mkdir(parents=True)
        (checked / "goodchecked.list").write_text("938524\n")
        house.ok("queue", "adopt", "--season", "2206", "--yes")
        house.ok("season", "event", "2206", "--propid", "2019B-0353")
        house.start()
        house.wait_for("done", 938524)
        notes = json.loads(newest(house)["notes"])
        for words in (
            "ligoid, triggerid, triggermjd are the template's",
            "somebody's postproc_2206.ini was in the Post-Processing folder: it is postproc_2206.ini.aside",
            "other ini files are in the Post-Processing folder (postproc_9999.ini)",
            "left TOPDIR_SNFORCEPHOTO_IMAGES of season 9999 set",
            "goodchecked.list.before_run_1",
        ):
            assert len([note for note in notes if words in note]) == 1, words
        house.until(lambda: (folder / "postproc_2206.ini").exists(), "theirs comes back")
        house.stop()
        warned = [record["text"] for record in house.log("postproc_noted") if record["level"] == "WARNING"]
        assert len(warned) == len(notes)
        assert (folder / "postproc_2206.ini").read_text() == mine
        assert (folder / "postproc_9999.ini").exists()
        (run,) = house.runs("run_postproc.py")
        assert run.env["TOPDIR_SNFORCEPHOTO_IMAGES"] == str(folder / "forcephoto" / "images" / "dp2206")
        assert run.env["ROOTDIR"] == str(house.sandbox.pnfs)
        assert '"event": "error"' not in house.sandbox.log.read_text()


class TestLinksWhenFilesChanged:
    """The links are made for a new set of files, and not again for the same."""

    def test_once_for_a_set(self, make_house: Callable[..., House]) -> None:
        house = adopted(make_house, postproc=Postproc(dies=(1, "middle")), settings={"postproc.retries": "0"})
        ended(house, 1, "failed")
        house.order_postproc(dies=None)
        house.ok("postproc", "run", "--season", "2206")
        ended(house, 2, "done")
        (links,) = house.runs("update_forcephoto_links.sh")
        assert links.argv == ("-n", "20200304")
        put_results(house.sandbox, 938525, "z")
        house.ok("queue", "adopt", "--season", "2206", "--yes")
        house.wait_for("done", 938525)
        assert len(house.runs("update_forcephoto_links.sh")) == 2


class TestOneAtATime:
    """Nothing starts while somebody else has the folder, and it starts by itself afterwards."""

    def test_another_daemon(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(938524)))
        put_results(house.sandbox, 938524)
        house.ok("queue", "adopt", "--season", "2206", "--yes")
        lock = house.sandbox.postprocessing / ".desgw-postproc.lock"
        with lock.open("w") as file:
            file.write("run 4 of season 2208, process 1 on another\n")
            file.flush()
            fcntl.flock(file, fcntl.LOCK_EX)
            house.start()
            (alert,) = house.until(lambda: house.alerts("action_failed"), "an alert")
            assert "in use for post-processing by run 4 of season 2208, process 1 on another" in alert["text"]
            house.cycles(2)
            assert newest(house) == {} and house.exposure(938524)["state"] == "ready"
        house.wait_for("done", 938524)

    def test_somebody_by_hand(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(938524)))
        put_results(house.sandbox, 938524)
        house.ok("queue", "adopt", "--season", "2206", "--yes")
        with subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(300)", "./run_postproc.py", "--season", "2206"],
            cwd=house.sandbox.postprocessing,
        ) as process:
            house.start()
            (alert,) = house.until(lambda: house.alerts("action_failed"), "an alert")
            assert f"process {process.pid} runs run_postproc.py" in alert["text"]
            assert newest(house) == {}
            process.kill()
        house.wait_for("done", 938524)

    def test_what_a_killed_run_has_left(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(938524)), {"postproc.python": '"bash"'})
        put_results(house.sandbox, 938524)
        folder = house.sandbox.postprocessing
        (folder / "run_postproc.py").write_text(LEAVES_A_CHILD)
        house.ok("queue", "adopt", "--season", "2206", "--yes")
        house.start()
        house.until(lambda: newest(house).get("step") == 2, "it is at step 2")
        house.kill_child(house.state / "runs" / "S2206_1")
        house.cycles(2)
        assert newest(house)["state"] == "running", "something of it goes on"
        os.kill(int((folder / "child").read_text()), signal.SIGKILL)
        ended(house, 1, "lost")
        assert "at step 2" in newest(house)["reason"]


class TestStop:
    """A person may end a run: asked first, recorded with who and why, with everything that it has started."""

    def on_terminal(self, house: House, answer: str) -> int:
        """`postproc stop` at a terminal, with this answer; its exit code."""
        ours, theirs = pty.openpty()
        with subprocess.Popen(
            [*PROGRAM, "postproc", "stop", "--season", "2206", "--why", "wrong season"],
            cwd=house.root,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        ) as process:
            os.close(theirs)
            said = b""
            while b"(yes or no)" not in said:
                said += os.read(ours, 4096)
            os.write(ours, f"{answer}\n".encode())
            code = process.wait(60)
            os.close(ours)
        assert b"goes on since" in said and b"at step 0" in said
        return code

    def test_asked_first(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(938524), postproc=Postproc(stops=(0, "before"))))
        put_results(house.sandbox, 938524)
        house.ok("queue", "adopt", "--season", "2206", "--yes")
        assert "no run of season 2206 goes on" in house.refused("postproc", "stop", "--season", "2206", code=1)
        house.start()
        house.until(lambda: newest(house).get("step") == 0, "it is at step 0")
        (seen,) = house.runs("run_postproc.py")
        assert "--yes says that it is meant" in house.refused("postproc", "stop", "--season", "2206", code=2)
        assert self.on_terminal(house, "no") == 1
        house.cycles(2)
        assert newest(house)["state"] == "running" and newest(house)["stopped_by"] is None
        assert self.on_terminal(house, "yes") == 0
        ended(house, 1, "failed")
        run = newest(house)
        assert (run["stopped_by"], run["stop_reason"]) == (getpass.getuser(), "wrong season")
        assert run["reason"] == f"stopped by {getpass.getuser()} at {run['stopped_at']} (wrong season), at step 0"
        assert not Path(f"/proc/{seen.events[0]['pid']}").exists()
        house.wait_for("attention", 938524)
        assert "stopped by" in str(house.exposure(938524)["reason"])
        house.cycles(2)
        assert newest(house)["number"] == 1
        assert len(house.log("postproc_stopped")) == 1

    def test_the_daemon_does_what_the_command_could_not(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(938524), postproc=Postproc(stops=(0, "before"))))
        put_results(house.sandbox, 938524)
        house.ok("queue", "adopt", "--season", "2206", "--yes")
        house.start()
        house.until(lambda: newest(house).get("step") == 0, "it is at step 0")
        # As by a command that was killed just after it had written down what it was to do.
        with closing(sqlite3.connect(house.state / "desgw.db", timeout=60)) as database, database:
            database.execute(
                "UPDATE postproc_run SET stopped_by = 'observer', stopped_at = ?, stop_reason = 'wrong season'",
                ("2026-11-22 02:14:05.000000",),
            )
        ended(house, 1, "failed")
        assert newest(house)["reason"] == "stopped by observer at 2026-11-22T02:14:05Z (wrong season), at step 0"

    def test_before_it_has_begun(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(938524)))
        put_results(house.sandbox, 938524)
        house.ok("queue", "adopt", "--season", "2206", "--yes")
        in_the_way = house.state / "runs"
        in_the_way.write_text("no folder\n")
        house.until(lambda: house.command("tick").returncode == 1, "it is written down, and cannot be started")
        assert newest(house)["state"] == "intent"
        said = house.ok("postproc", "stop", "--season", "2206", "--yes")
        assert "the daemon does it in its next cycle" in said and "no daemon works" in said
        in_the_way.unlink()
        house.tick()
        run = newest(house)
        assert (run["state"], run["list_name"]) == ("failed", None)
        assert run["reason"].endswith("(no reason given), before it had begun")
        assert house.runs("run_postproc.py") == []


class TestKilled:
    """run_postproc.py killed in the middle of a step: the run has failed there, with the signal and its last words."""

    @pytest.mark.slow
    @pytest.mark.soak
    @pytest.mark.parametrize("step", range(8) if LONG_FORM else (0, 5))
    def test_in_each_step(self, make_house: Callable[..., House], step: int) -> None:
        house = adopted(make_house, postproc=Postproc(stops=(step, "middle")), settings={"postproc.retries": "0"})
        house.until(lambda: newest(house).get("step") == step, f"it is at step {step}")
        (seen,) = house.runs("run_postproc.py")
        os.kill(seen.events[0]["pid"], signal.SIGKILL)
        ended(house, 1, "failed")
        run = newest(house)
        assert (run["signal"], run["exit_code"], run["step"]) == (9, None, step)
        assert f"run_postproc.py ended with signal 9 at step {step}; its last words: " in run["reason"]
        assert f"Run STEP {step}:" in run["last_words"]
        assert steps(house) == list(range(step + 1))


class TestTheDaemonGoesAndComes:
    """Killed and started again while a run goes on: the run is not touched, and followed to its end."""

    def test_in_the_middle(self, make_house: Callable[..., House]) -> None:
        house = adopted(make_house, postproc=Postproc(stops=(3, "middle")))
        house.until(lambda: newest(house).get("step") == 3, "it is at step 3")
        for number in (signal.SIGKILL, signal.SIGTERM):
            house.stop(number)
            house.start()
            house.cycles(1)
        assert newest(house)["state"] == "running"
        house.order_postproc(stops=None)
        house.wait_for("done", 938524)
        (run,) = house.runs("run_postproc.py")
        assert run.rc == 0
        assert (newest(house)["number"], newest(house)["state"], newest(house)["result"]) == (1, "done", "candidates")
        assert steps(house) == list(range(8))
