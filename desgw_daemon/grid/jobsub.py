"""The `jobsub` engine: runs DAGs through Fermilab's jobsub_submit_dag.

What it keeps of a tag stands in ROOT/TAG/NUMBER, a folder for each time that the tag was submitted:

    dag        the DAG file as it was given: this copy is what is submitted
    recorder   the script that jobsub runs with the id of the job, before it says anything itself
    job        that id, on the disk before jobsub goes on
    known      the id was told to whoever asked
    keeper/    the submit command's evidence of life (children); submit.out what it said

A folder is submitted from once. What jobsub says is read by the failure table (`failures`), never by its exit code.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Final, Literal

from desgw_daemon.grid import submission
from desgw_daemon.grid.condor_ads import EXPNUM, TAG
from desgw_daemon.grid.condor_queue import CondorQueue
from desgw_daemon.grid.dagfile import DagError, parse_dag
from desgw_daemon.grid.engine import (
    Accepted,
    Engine,
    FindOutcome,
    Found,
    NoAnswer,
    Nodes,
    NodesOutcome,
    OrderOutcome,
    Pending,
    Rejected,
    StatusOutcome,
    SubmitOutcome,
    SubmitRequest,
    Unclear,
    checked,
)
from desgw_daemon.grid.failures import classify
from desgw_daemon.grid.jobs import ccd_of, node_name
from desgw_daemon.grid.jobsub_queue import JobsubQueue
from desgw_daemon.grid.precheck import kept_back

#: dd is on every machine, and fsyncs; the words of jobsub's own command line, which come second, are not wanted.
_RECORDER: Final = """\
#!/bin/sh
# Written by desgw-daemon. jobsub_submit_dag runs it with the id of the job that it has submitted.
printf '%s\\n' "$1" | dd of="${0%/*}/job" oflag=append conv=notrunc,fsync >/dev/null 2>&1
"""
#: jobsub hands the script's path to a shell, after it has taken off a layer of quotes and backslashes.
_PLAIN: Final = re.compile(r"[A-Za-z0-9_@%+=:,./-]+", re.ASCII)
_JOB_ID: Final = re.compile(r"^(\d+(?:\.\d+)?@([\w.-]+))\n", re.ASCII | re.MULTILINE)
#: jobsub's name for the job of the n-th line of a DAG.
_STAGE: Final = re.compile(r"stage_(\d+)", re.ASCII)
_NO_SCHEDDS: Final = (
    "[jobsub] schedds is empty in daemon.toml, so that nobody can be asked: name every schedd there that jobsub may"
    ' choose (what follows the @ in its job ids), or set query = "jobsub"'
)


class JobsubEngine(Engine):
    """Runs DAGs through jobsub. root: its own folder, made when missing.

    command: jobsub_submit_dag, and what stands in front of it. group, role, storage, options: for its command line.
    query: who is asked what became of a DAG; "condor" asks condor_q and condor_history of all `schedds`, with `prefix`
    in front. timeout: for a submission; query_timeout: for a question.
    """

    name = "jobsub"

    def __init__(
        self,
        *,
        root: Path,
        command: Sequence[str],
        group: str,
        role: str,
        storage: Sequence[str],
        options: Sequence[str],
        query: Literal["condor", "jobsub"],
        prefix: Sequence[str],
        schedds: Sequence[str],
        timeout: timedelta,
        query_timeout: timedelta,
    ) -> None:
        self._root = root
        self._command = tuple(command)
        self._group = group
        self._role = role
        self._storage = tuple(storage)
        self._options = tuple(options)
        self._query = query
        self._prefix = tuple(prefix)
        self._schedds = tuple(schedds)
        self._timeout = timeout
        self._query_timeout = query_timeout

    def submit(self, request: SubmitRequest) -> SubmitOutcome:
        """Hand the DAG to jobsub_submit_dag, once for each number of the tag."""
        folder = self._root / checked(request.tag) / str(request.number)
        try:
            if not submission.was_started(folder):
                queue = self._queue([request.tag])
                found = queue if isinstance(queue, NoAnswer) else queue.alive(request.tag, request.expnum)
                if (kept := kept_back(found, request)) is not None:
                    return kept
                _prepare(folder, request.dag_text)
            ended = submission.hand_over(
                folder, self._words(folder, request), cwd=request.workdir, env=request.env, timeout=self._timeout
            )
            recorded = _recorded(folder) if ended is not None else []
        except DagError as error:
            return _refused(request, Rejected("permanent", str(error), "broken_dag"))
        except FileNotFoundError as error:
            return _refused(request, Rejected("permanent", str(error), "missing_file"))
        except OSError as error:
            # As far as anybody knows nothing was started: the next call makes sure of it.
            return _refused(request, Rejected("transient", str(error), "local_disk"))
        if ended is None:
            return Pending("jobsub_submit_dag runs: what comes of it is read in the next cycle")
        outcome = classify("jobsub", ended.text, exit_code=ended.exit_code, end=ended.end)
        if len(recorded) == 1 and not isinstance(outcome, Accepted):
            # It was told the id, and cut off before its own words were written.
            outcome = Accepted(recorded[0])
        _show(request, ended.text, outcome)
        if isinstance(outcome, Accepted):
            _mark_known(folder)
        return outcome

    def find(self, tag: str) -> FindOutcome:
        """Ask everybody, when no submission of this tag is under way any more; and what the recorder has written."""
        if problem := self.under_way(tag):
            return NoAnswer(problem)
        try:
            recorded = {folder: ids for folder in self._tries(tag) if (ids := _recorded(folder))}
        except OSError as error:
            return NoAnswer(str(error))
        queue = self._queue([tag])
        answer = queue if isinstance(queue, NoAnswer) else queue.find(tag)
        if isinstance(answer, Found) or not recorded:
            return answer
        if isinstance(answer, NoAnswer) or not all((folder / "known").exists() for folder in recorded):
            for folder in recorded:
                _mark_known(folder)
            return Found(tuple(dict.fromkeys(job_id for ids in recorded.values() for job_id in ids)))
        # Whoever asks knows the id, and no schedd does any more: it is gone.
        return answer

    def under_way(self, tag: str) -> str | None:
        """Whether jobsub_submit_dag still runs, by its evidence of life."""
        try:
            return submission.under_way(self._root / checked(tag), self._timeout)
        except OSError as error:
            return str(error)

    def status(self, tags: Collection[str]) -> StatusOutcome:
        """One question of each schedd for all of them, and one of its history when some have left the queue."""
        queue = self._queue([checked(tag) for tag in tags])
        return queue if isinstance(queue, NoAnswer) else queue.status(tags, {})

    def nodes(self, tag: str) -> NodesOutcome:
        """From the schedd's history, by the names that the DAG file gives them."""
        queue = self._queue([checked(tag)])
        answer = queue if isinstance(queue, NoAnswer) else queue.nodes(tag)
        if not isinstance(answer, Nodes):
            return answer
        names = self._names(tag)
        nodes = (replace(node, name=names.get(node.name, node.name)) for node in answer.nodes)
        named = (replace(node, ccd=ccd_of(node.name)) for node in nodes)
        return Nodes(tuple(sorted(named, key=lambda node: (node.name, node.process))))

    def hold(self, tag: str) -> OrderOutcome:
        """Of DAGMan: its running jobs go on, no new ones are submitted."""
        return self._order("condor_hold", tag)

    def release(self, tag: str) -> OrderOutcome:
        """Of DAGMan, which finds its jobs again by its log."""
        return self._order("condor_release", tag)

    def remove(self, tag: str) -> OrderOutcome:
        """Of DAGMan, which takes its jobs with it."""
        return self._order("condor_rm", tag)

    def _order(self, command: Literal["condor_hold", "condor_release", "condor_rm"], tag: str) -> OrderOutcome:
        queue = self._queue([checked(tag)])
        return queue if isinstance(queue, NoAnswer) else queue.order(command, tag)

    def _queue(self, tags: Iterable[str]) -> CondorQueue | JobsubQueue | NoAnswer:
        """Whom to ask for these tags: also schedds that took one of them, and that daemon.toml does not name."""
        if self._query == "jobsub":
            return JobsubQueue(command=self._command, group=self._group, role=self._role, timeout=self._query_timeout)
        if not self._schedds:
            return NoAnswer(_NO_SCHEDDS)
        try:
            taken = [job_id for tag in tags for folder in self._tries(tag) for job_id in _recorded(folder)]
        except OSError as error:
            return NoAnswer(str(error))
        schedds = dict.fromkeys((*self._schedds, *(job_id.partition("@")[2] for job_id in taken)))
        return CondorQueue(schedds=list(schedds), prefix=self._prefix, timeout=self._query_timeout)

    def _tries(self, tag: str) -> list[Path]:
        """The folders of a tag, one for each time that it was submitted.

        :raises OSError: they cannot be listed.
        """
        folder = self._root / tag
        return (
            sorted((each for each in folder.iterdir() if each.name.isdigit()), key=_number) if folder.is_dir() else []
        )

    def _words(self, folder: Path, request: SubmitRequest) -> list[str]:
        """The command line."""
        words = [*self._command, "-G", self._group, "--role", self._role]
        for path in self._storage:
            words += ["--need-storage-modify", path]
        words += ["-l", f'+{TAG}="{request.tag}"', "-l", f"+{EXPNUM}={request.expnum}"]
        recorder = str((folder / "recorder").absolute())
        if _PLAIN.fullmatch(recorder):
            words += ["--job-info", recorder]
        return [*words, *self._options, f"file://{(folder / 'dag').absolute()}"]

    def _names(self, tag: str) -> dict[str, str]:
        """jobsub's names of the jobs, and ours. None where the file cannot be read any more."""
        for folder in reversed(self._tries(tag)):
            with suppress(OSError, DagError):
                jobs = parse_dag((folder / "dag").read_text(encoding="utf-8", errors="replace")).jobs
                return {f"stage_{number}": node_name(number, job) for number, job in enumerate(jobs, 1)}
        return {}


def _prepare(folder: Path, text: str) -> None:
    # jobsub passes over what it does not understand, and submits the rest.
    parse_dag(text)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dag").write_text(text, encoding="utf-8")
    (folder / "recorder").write_text(_RECORDER)
    (folder / "recorder").chmod(0o755)


def _recorded(folder: Path) -> list[str]:
    """The ids that jobsub gave to the recorder: one, or none.

    :raises OSError: the file cannot be read.
    """
    try:
        text = (folder / "job").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    return list(dict.fromkeys(found[1] for found in _JOB_ID.finditer(text)))


def _mark_known(folder: Path) -> None:
    with suppress(OSError):
        (folder / "known").touch()


def _number(folder: Path) -> int:
    return int(folder.name)


def _show(request: SubmitRequest, text: str, outcome: Accepted | Rejected | Unclear) -> None:
    """For people: what jobsub has said, and how it was understood."""
    read = "" if isinstance(outcome, Accepted) else f"\ndesgw-daemon: {outcome.reason}\n"
    request.tell(text + read)


def _refused(request: SubmitRequest, outcome: Rejected) -> Rejected:
    _show(request, "", outcome)
    return outcome
