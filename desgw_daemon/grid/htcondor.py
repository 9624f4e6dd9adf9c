"""The `htcondor` engine: runs DAGs with DAGMan on a plain HTCondor pool, by its command line.

What it keeps of a tag stands in ROOT/TAG/NUMBER, a folder for each time that the tag was submitted:

    dag           the DAG file as it was given
    run.dag       what DAGMan runs; jobs/ the submit descriptions, out/ the output of the jobs
    keeper/       the submit command's evidence of life (children); submit.out what it said
    run.dag.*     DAGMan's own files

A folder is submitted from once, never with -f: a second DAGMan over the same jobs cannot come to be.
"""

from __future__ import annotations

import socket
from collections.abc import Collection, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

from desgw_daemon.errors import TreeSilent
from desgw_daemon.grid import submission
from desgw_daemon.grid.condor_ads import EXPNUM, TAG
from desgw_daemon.grid.condor_dag import DAG_FILE, write_dag
from desgw_daemon.grid.condor_queue import CondorQueue
from desgw_daemon.grid.dagfile import DagError, parse_dag
from desgw_daemon.grid.engine import (
    Accepted,
    Engine,
    FindOutcome,
    NoAnswer,
    NodesOutcome,
    OrderOutcome,
    Pending,
    Rejected,
    StatusOutcome,
    SubmitOutcome,
    SubmitRequest,
    checked,
)
from desgw_daemon.grid.failures import classify
from desgw_daemon.grid.jobs import MissingScriptError
from desgw_daemon.grid.precheck import kept_back

_DROPPED: Final = "dropped"


class HtcondorEngine(Engine):
    """Runs DAGs with DAGMan. root: its own folder, made when missing. schedd: its name, "" for this machine's own.

    prefix: words in front of each of condor's commands. options: more words for condor_submit_dag.
    timeout: for a submission; query_timeout: for a question.
    """

    name = "htcondor"

    def __init__(
        self,
        *,
        root: Path,
        schedd: str,
        prefix: Sequence[str],
        options: Sequence[str],
        timeout: timedelta,
        query_timeout: timedelta,
    ) -> None:
        self._root = root
        self._schedd = schedd
        self._prefix = tuple(prefix)
        self._options = tuple(options)
        self._timeout = timeout
        self._queue = CondorQueue(schedds=[schedd], prefix=prefix, timeout=query_timeout)

    def submit(self, request: SubmitRequest) -> SubmitOutcome:
        """Hand the DAG to condor_submit_dag, once for each number of the tag."""
        folder = self._root / checked(request.tag) / str(request.number)
        try:
            if not submission.was_started(folder):
                if (kept := kept_back(self._queue.alive(request.tag, request.expnum), request)) is not None:
                    return kept
                self._prepare(folder, request)
            ended = submission.hand_over(
                folder, self._command(request), cwd=folder, env=request.env, timeout=self._timeout
            )
        except DagError as error:
            return self._refused(request, Rejected("permanent", str(error), "broken_dag"))
        except (MissingScriptError, FileNotFoundError) as error:
            return self._refused(request, Rejected("permanent", str(error), "missing_file"))
        except TreeSilent:
            raise
        except OSError as error:
            # As far as anybody knows nothing was started: the next call makes sure of it.
            return self._refused(request, Rejected("transient", str(error), "local_disk"))
        if ended is None:
            return Pending("condor_submit_dag runs: what comes of it is read in the next cycle")
        request.tell(ended.text)
        outcome = classify("condor", ended.text, exit_code=ended.exit_code, end=ended.end, schedd=self._schedd)
        if isinstance(outcome, Accepted):
            return Accepted(outcome.job_id, notes=self._dropped(folder))
        return outcome

    def find(self, tag: str) -> FindOutcome:
        """Ask queue and history, when no submission of this tag is under way any more."""
        problem = self.under_way(tag)
        return self._queue.find(tag) if problem is None else NoAnswer(problem)

    def under_way(self, tag: str) -> str | None:
        """Whether condor_submit_dag still runs, by its evidence of life."""
        try:
            return submission.under_way(self._root / checked(tag), self._timeout)
        except OSError as error:
            return str(error)

    def status(self, tags: Collection[str]) -> StatusOutcome:
        """One condor_q for all of them, and one condor_history when some have left the queue."""
        logs = {checked(tag): str(self._root / tag / "*" / f"{DAG_FILE}.dagman.out") for tag in tags}
        return self._queue.status(tags, logs)

    def nodes(self, tag: str) -> NodesOutcome:
        """From the schedd's history."""
        return self._queue.nodes(checked(tag))

    def hold(self, tag: str) -> OrderOutcome:
        """condor_hold of DAGMan: its running jobs go on, no new ones are submitted."""
        return self._queue.order("condor_hold", checked(tag))

    def release(self, tag: str) -> OrderOutcome:
        """condor_release of DAGMan, which finds its jobs again by its log."""
        return self._queue.order("condor_release", checked(tag))

    def remove(self, tag: str) -> OrderOutcome:
        """condor_rm of DAGMan, which takes its jobs with it."""
        return self._queue.order("condor_rm", checked(tag))

    def _prepare(self, folder: Path, request: SubmitRequest) -> None:
        text = request.dag_text
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "dag").write_text(text, encoding="utf-8")
        written = write_dag(
            folder,
            parse_dag(text),
            tag=request.tag,
            expnum=request.expnum,
            workdir=request.workdir,
            env=request.env,
            look=request.look,
            at=self._schedd or socket.getfqdn(),
        )
        if written.dropped:
            (folder / _DROPPED).write_text("\n".join(written.dropped) + "\n")

    def _command(self, request: SubmitRequest) -> list[str]:
        return [
            *self._prefix,
            "condor_submit_dag",
            *(["-remote", self._schedd] if self._schedd else []),
            "-notification",
            "never",
            "-batch-name",
            request.tag,
            "-append",
            f'+{TAG} = "{request.tag}"',
            "-append",
            f"+{EXPNUM} = {request.expnum}",
            *self._options,
            DAG_FILE,
        ]

    def _refused(self, request: SubmitRequest, outcome: Rejected) -> Rejected:
        request.tell(f"Error: {outcome.reason}\n")
        return outcome

    def _dropped(self, folder: Path) -> tuple[str, ...]:
        """What of jobsub's options has no meaning here: said once for each set of them."""
        try:
            said = (folder / _DROPPED).read_text()
            told = self._root / ".told-dropped"
            if told.exists() and told.read_text() == said:
                return ()
            told.write_text(said)
        except OSError:
            return ()
        return (f"without meaning on this pool, and left out: {', '.join(said.splitlines())}",)
