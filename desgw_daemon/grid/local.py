"""The `local` engine: runs DAGs on this machine, each in a process of its own that outlives the daemon.

What it knows of a tag stands in ROOT/TAG:

    dag          the DAG file as it was submitted
    plan.json    the commands of its nodes, its job id, the slots
    keeper/      the runner's evidence of life (children)
    wish         what was ordered last: hold, run or remove
    status.json  where the DAG is, written by the runner
    runner.out   normally empty
    out/         the output of each process of each node

A DAG is submitted when its runner's keeper has claimed keeper/, which can happen once only.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from filelock import FileLock

from desgw_daemon import children
from desgw_daemon.domain.states import SubmissionState
from desgw_daemon.domain.submissions import DagNode
from desgw_daemon.errors import TreeSilent
from desgw_daemon.grid import local_runner
from desgw_daemon.grid.dagfile import DagError, parse_dag
from desgw_daemon.grid.engine import (
    Absent,
    Accepted,
    Answered,
    Asked,
    DagStatus,
    Engine,
    FindOutcome,
    Found,
    NoAnswer,
    Nodes,
    NodesOutcome,
    OrderOutcome,
    Rejected,
    StatusOutcome,
    SubmitOutcome,
    SubmitRequest,
    Unclear,
    checked,
)
from desgw_daemon.grid.jobs import MissingScriptError, ccd_of
from desgw_daemon.grid.local_plan import plan_of

#: Another process that submits holds the lock for as long as a keeper takes to start.
_LOCK_SECONDS: Final = 60.0


#: What reading a tag's files may raise: the disk's errors, and records that a power cut or a person has damaged.
_UNREADABLE: Final = (OSError, ValueError, LookupError, TypeError, AttributeError)


class LocalEngine(Engine):
    """Runs DAGs here. root: its own folder, made when missing. slots: jobs at the same time for one DAG."""

    name = "local"

    def __init__(self, *, root: Path, slots: int) -> None:
        self._root = root
        self._slots = slots

    def submit(self, request: SubmitRequest) -> SubmitOutcome:
        """Start the DAG's runner, unless the tag has one."""
        outcome = self._submit(self._root / checked(request.tag), request)
        if isinstance(outcome, Accepted):
            said = f"Use job id {outcome.job_id} to retrieve output"
        else:
            said = f"Error: {outcome.reason}"
        request.tell(said + "\n")
        return outcome

    def find(self, tag: str) -> FindOutcome:
        """Whether the tag's runner was ever started."""
        folder = self._root / checked(tag)
        try:
            if children.look(folder / "keeper").state == "absent":
                return Absent()
            return Found((_job_id(folder),))
        except _UNREADABLE as error:
            return NoAnswer(_words(folder, error))

    def status(self, tags: Collection[str]) -> StatusOutcome:
        """What the runners have written, and whether they live. One that cannot be read keeps no other back."""
        found = {}
        problems = []
        for tag in tags:
            folder = self._root / checked(tag)
            try:
                child = children.look(folder / "keeper")
                if child.state != "absent":
                    found[tag] = _dag_status(folder, child)
            except _UNREADABLE as error:
                problems.append(_words(folder, error))
        if problems and not found:  # not one tag's own trouble
            return NoAnswer(problems[0])
        return Answered(found)

    def nodes(self, tag: str) -> NodesOutcome:
        """What the runner has written of each node."""
        folder = self._root / checked(tag)
        try:
            if children.look(folder / "keeper").state == "absent":
                return Absent()
            return Nodes(tuple(_dag_nodes(_status_record(folder))))
        except _UNREADABLE as error:
            return NoAnswer(_words(folder, error))

    def hold(self, tag: str) -> OrderOutcome:
        """The runner starts no new jobs."""
        return self._order(tag, "hold")

    def release(self, tag: str) -> OrderOutcome:
        """The runner goes on."""
        return self._order(tag, "run")

    def remove(self, tag: str) -> OrderOutcome:
        """The runner ends all jobs and itself."""
        return self._order(tag, "remove")

    def _submit(self, folder: Path, request: SubmitRequest) -> SubmitOutcome:
        try:
            text = request.dag_text
            self._root.mkdir(parents=True, exist_ok=True)
            with self._lock():
                match self.find(request.tag):
                    case Found((job_id, *_)):
                        return Accepted(job_id)
                    case NoAnswer(reason):
                        return Unclear(reason, "no_answer")
                plan = plan_of(parse_dag(text), request.workdir, request.env, request.look)
                job_id = f"{self._next_cluster()}.0@local"
                folder.mkdir(exist_ok=True)
                (folder / "dag").write_text(text, encoding="utf-8")
                record = {"job_id": job_id, "slots": self._slots, "stages": plan}
                _replace(folder / "plan.json", json.dumps(record))
                self._start_runner(folder, request)
                return Accepted(job_id)
        except (DagError, MissingScriptError, FileNotFoundError) as error:
            return Rejected("permanent", str(error), "broken_dag" if isinstance(error, DagError) else "missing_file")
        except children.NotStartedError as error:
            return Unclear(str(error), "not_started")
        except TreeSilent:
            raise
        except OSError as error:
            return Rejected("transient", str(error), "local_disk")

    def _start_runner(self, folder: Path, request: SubmitRequest) -> None:
        children.ensure_started(
            folder / "keeper",
            [sys.executable, "-I", "-S", local_runner.__file__, str(folder.absolute())],
            cwd=request.workdir,
            env=request.env,
            output=folder / "runner.out",
            timeout=None,
            end_leftovers=True,
        )

    @contextmanager
    def _lock(self) -> Iterator[None]:
        # the mode lets the others of the group in, too
        with FileLock(self._root / ".lock", timeout=_LOCK_SECONDS, mode=0o664):
            yield

    def _next_cluster(self) -> int:
        """A number for the job ids, like a schedd's. Called under the lock."""
        path = self._root / ".cluster"
        number = int(path.read_text()) + 1 if path.exists() else 1
        _replace(path, str(number))
        return number

    def _order(self, tag: str, wish: Literal["hold", "run", "remove"]) -> OrderOutcome:
        folder = self._root / checked(tag)
        try:
            if children.look(folder / "keeper").state == "absent":
                return Absent()
            with self._lock():
                path = folder / "wish"
                if not (path.exists() and path.read_text() == "remove"):  # the end stays the end
                    _replace(path, wish)
        except OSError as error:
            return NoAnswer(str(error))
        return Asked()


def _replace(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.part")
    with part.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)


def _words(folder: Path, error: Exception) -> str:
    if isinstance(error, OSError):
        return str(error)
    return f"{folder}: a record is damaged ({type(error).__name__}: {error})"


def _job_id(folder: Path) -> str:
    return str(json.loads((folder / "plan.json").read_text())["job_id"])


def _dag_status(folder: Path, child: children.ChildStatus) -> DagStatus:
    # after `child`: a runner that has ended has written its last word before
    record = _status_record(folder)
    nodes = record.get("nodes", [])
    counts = {state: sum(node["state"] == state for node in nodes) for state in ("done", "failed", "running")}
    state = SubmissionState(record.get("state", "queued"))
    reason = _reason(state, nodes)
    if record.get("ended_at") is None:
        if child.state in ("ended", "lost"):
            state, reason = SubmissionState.LOST, f"the local runner {child.words}"
        elif state is SubmissionState.REMOVED:
            state, reason = SubmissionState.RUNNING, "it is being removed: its jobs are ending"
    return DagStatus(
        state=state,
        job_id=_job_id(folder),
        nodes_total=len(nodes) or None,
        nodes_done=counts["done"] if nodes else None,
        nodes_failed=counts["failed"] if nodes else None,
        nodes_running=counts["running"] if nodes else None,
        nodes_waiting=sum(node["state"] == "waiting" for node in nodes) if nodes else None,
        nodes_held=0 if nodes else None,
        hold_reason=reason if state is SubmissionState.HELD else None,
        exit_code=record.get("exit_code"),
        submitted_at=child.started_at,
        ended_at=_time(record.get("ended_at")) or child.ended_at,
        reason=reason,
    )


def _dag_nodes(record: dict[str, Any]) -> Iterator[DagNode]:
    """One for each process. A node's state says how it ended; a process without an exit code never ran, or runs."""
    for node in record.get("nodes", []):
        for process in range(node["total"]):
            code = node["failed"].get(str(process), 0 if node["state"] == "done" else None)
            yield DagNode(
                name=node["name"],
                process=process,
                ccd=ccd_of(node["name"]),
                state={"futile": "removed"}.get(node["state"], node["state"]),
                exit_code=code if code is None or code >= 0 else None,
                signal=-code if code is not None and code < 0 else None,
                host=socket.gethostname() if node["started_at"] else None,
            )


def _status_record(folder: Path) -> dict[str, Any]:
    try:
        record = json.loads((folder / "status.json").read_text())
    except (FileNotFoundError, ValueError):  # not written yet, or cut by a power failure
        return {}
    return record if isinstance(record, dict) else {}


def _reason(state: SubmissionState, nodes: list[dict[str, Any]]) -> str | None:
    if state is SubmissionState.HELD:
        return "held: no new jobs are started"
    if state is SubmissionState.REMOVED:
        return "removed: its jobs were ended"
    failed = [node for node in nodes if node["failed"]]
    if not failed:
        return None
    process, code = next(iter(failed[0]["failed"].items()))
    how = f"exit code {code}" if code >= 0 else f"signal {-code}"
    futile = sum(node["state"] == "futile" for node in nodes)
    after = f"; {futile} could not run because of it" if futile else ""
    return f"{len(failed)} of {len(nodes)} nodes failed, first {failed[0]['name']}.{process} ({how}){after}"


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
