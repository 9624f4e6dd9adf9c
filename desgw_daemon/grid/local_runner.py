"""Runs one DAG on this machine to its end: the process behind the `local` engine.

Run as a script (`python -I -S local_runner.py FOLDER`) under a keeper, with the submission's environment. It
reads FOLDER/plan.json, follows FOLDER/wish (hold, run or remove), and keeps FOLDER/status.json. It must import
nothing of the rest of the project: it goes on running while the daemon is upgraded.

What fails, and what that means for the rest, is as DAGMan has it: one failed process ends its siblings of the
same node; the other nodes of a <parallel> go on; later stages are futile; the exit code is then 1.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

#: How soon a wish is followed. Waking up this often costs no noticeable CPU time.
WISH_SECONDS = 0.5
#: Between SIGTERM and SIGKILL for jobs that are to end.
GRACE_SECONDS = 10.0
#: A full disk must not lose the end of a DAG: it is written again this often.
RETRY_SECONDS = 5.0


class Process:
    """One running process of a node, in a process group and a scratch folder of its own."""

    def __init__(self, number: int, popen: subprocess.Popen[bytes], scratch: Path) -> None:
        self.number = number
        self.popen = popen
        self.scratch = scratch
        self.kill_at: float | None = None

    def end(self) -> None:
        """Ask the group to end, once."""
        if self.kill_at is None:
            self._signal(signal.SIGTERM)
            self.kill_at = time.monotonic() + GRACE_SECONDS

    def kill_if_late(self) -> None:
        """End the group for certain, if it was asked to and its grace is over."""
        if self.kill_at is not None and time.monotonic() > self.kill_at:
            self._signal(signal.SIGKILL)

    def ended(self) -> int | None:
        """Exit code (negative: a signal) once it has ended, with nothing left behind; as on the grid."""
        code = self.popen.poll()
        if code is not None:
            self._signal(signal.SIGKILL)
            shutil.rmtree(self.scratch, ignore_errors=True)
        return code

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError):  # nobody is left in the group
            os.killpg(self.popen.pid, number)


class Node:
    """One line of the DAG file: `total` processes of one command."""

    def __init__(self, plan: dict[str, Any], first_id: int) -> None:
        self.name: str = plan["name"]
        self.argv: list[str] = plan["argv"]
        self.total: int = plan["count"]
        self.first_id = first_id
        self.state = "waiting"
        self.next = 0
        self.done = 0
        self.failed: dict[int, int] = {}
        self.running: list[Process] = []
        self.started_at: float | None = None
        self.ended_at: float | None = None

    def end(self) -> None:
        """Ask all its processes to end."""
        for process in self.running:
            process.end()

    def record(self, number: int, code: int, *, asked: bool) -> None:
        """A process has ended, by itself or because it was asked to: one failure ends its siblings."""
        if code == 0:
            self.done += 1
        elif not asked:
            self.failed[number] = code
            self.end()
        if not self.running and (self.failed or self.done == self.total):
            self.state, self.ended_at = "failed" if self.failed else "done", time.time()

    def status(self) -> dict[str, Any]:
        """What status.json says of it; failed: exit codes by process."""
        names = ("name", "state", "total", "done", "failed", "started_at", "ended_at")
        return {**{name: getattr(self, name) for name in names}, "running": len(self.running)}


class Runner:
    """The DAG: its stages, what runs, what is wished."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        plan = json.loads((folder / "plan.json").read_text())
        self.job_id: str = plan["job_id"]
        self.slots: int = plan["slots"]
        # not os.environ: Python may have added a locale of its own
        words = [word.partition("=") for word in os.fsdecode(Path("/proc/self/environ").read_bytes()).split("\0")]
        self.env = {name: value for name, found, value in words if found}
        self.stages: list[tuple[str, list[Node]]] = []
        self.nodes: list[Node] = []
        for stage in plan["stages"]:
            nodes = []
            for node in stage["nodes"]:
                nodes.append(Node(node, 1 + sum(earlier.total for earlier in self.nodes)))
                self.nodes.append(nodes[-1])
            self.stages.append((stage["kind"], nodes))
        self.state = "running"
        self.ended_at: float | None = None
        self.exit_code: int | None = None
        self.dirty = True

    def run(self) -> int:
        """Run it to its end; the exit code."""
        woken, waker = os.pipe()
        os.set_blocking(waker, False)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._write_status()  # before the first job: what runs is never "queued"
        while True:
            self._reap()
            self._follow_wish()
            while self.state == "running" and self._busy() < self.slots and (node := self._ready()):
                self._start(node)
            if not self._busy() and (self.state == "removed" or self._ready() is None):
                return self._finish()
            self._write_status()
            if select.select([woken], [], [], WISH_SECONDS)[0]:
                os.read(woken, 4096)

    def _busy(self) -> int:
        return sum(len(node.running) for node in self.nodes)

    def _ready(self) -> Node | None:
        """The next node with a process to start, by the order of the stages; None if there is none now."""
        for kind, nodes in self.stages:
            if all(node.state == "done" for node in nodes):
                continue
            if kind == "serial":
                nodes = [node for node in nodes if node.state != "done"][:1]
            return next((node for node in nodes if not node.failed and node.next < node.total), None)
        return None

    def _follow_wish(self) -> None:
        try:
            wish = (self.folder / "wish").read_text()
        except FileNotFoundError:
            wish = "run"
        state = {"hold": "held", "remove": "removed"}.get(wish, "running")
        if state != self.state and self.state != "removed":
            self.state, self.dirty = state, True
        if self.state == "removed":
            for node in self.nodes:
                node.end()

    def _start(self, node: Node) -> None:
        number, node.next = node.next, node.next + 1
        node.state, self.dirty = "running", True
        node.started_at = node.started_at or time.time()
        scratch = self.folder / "scratch" / f"{node.name}.{number}"
        cluster, at = self.job_id.split(".0@", 1)
        env = {
            **self.env,
            "PROCESS": str(number),
            "JOBSUBJOBID": f"{cluster}.{node.first_id + number}@{at}",
            "JOBSUBPARENTJOBID": self.job_id,
            "_CONDOR_SCRATCH_DIR": str(scratch),
        }
        try:
            scratch.mkdir(parents=True, exist_ok=True)
            (self.folder / "out").mkdir(exist_ok=True)
            with (self.folder / "out" / f"{node.name}.{number}.out").open("wb") as output:
                popen = subprocess.Popen(
                    node.argv,
                    cwd=scratch,
                    env=env,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    process_group=0,
                )
        except (OSError, ValueError) as error:
            print(f"{node.name}.{number}: {error}", file=sys.stderr, flush=True)
            node.record(number, 127, asked=False)
        else:
            node.running.append(Process(number, popen, scratch))

    def _reap(self) -> None:
        for node in self.nodes:
            for process in list(node.running):
                code = process.ended()
                if code is None:
                    process.kill_if_late()
                    continue
                node.running.remove(process)
                node.record(process.number, code, asked=process.kill_at is not None)
                self.dirty = True

    def _finish(self) -> int:
        if self.state != "removed":
            self.state = "done" if all(node.state == "done" for node in self.nodes) else "failed"
        for node in self.nodes:
            if node.ended_at is None:  # it can never run: removed, or an earlier node has failed
                node.state = "removed" if self.state == "removed" else "futile"
        self.ended_at, self.exit_code = time.time(), 0 if self.state == "done" else 1
        shutil.rmtree(self.folder / "scratch", ignore_errors=True)
        self.dirty = True
        self._write_status()
        while self.dirty:
            time.sleep(RETRY_SECONDS)
            self._write_status()
        return self.exit_code

    def _write_status(self) -> None:
        """Write status.json, whole or not at all, if it has changed; what fails is tried again later."""
        if not self.dirty:
            return
        record = {
            "state": self.state,
            "ended_at": self.ended_at,
            "exit_code": self.exit_code,
            "nodes": [node.status() for node in self.nodes],
        }
        part = self.folder / ".status.json.part"
        try:
            with part.open("w") as file:
                json.dump(record, file)
                if self.ended_at is not None:
                    file.flush()
                    os.fsync(file.fileno())
            part.rename(self.folder / "status.json")
        except FileNotFoundError:
            raise  # the whole folder has been removed: nobody will ask any more
        except OSError as error:
            print(f"status: {error}", file=sys.stderr, flush=True)
        else:
            self.dirty = False


if __name__ == "__main__":
    sys.exit(Runner(Path(sys.argv[1])).run())
