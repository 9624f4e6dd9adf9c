"""What the queue says of the DAGs that run by themselves: read first, then written down. Part of following."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from desgw_daemon.domain.snapshot import Snapshot
from desgw_daemon.domain.states import ENDED, ExposureState, SubmissionState
from desgw_daemon.domain.submissions import DagNode, ForeignDag, Submission
from desgw_daemon.grid.engine import Absent, Answered, DagStatus, NoAnswer, Nodes, OtherDag
from desgw_daemon.store.submissions import end_try, record_nodes, record_status, set_foreign_dags
from desgw_daemon.wiring import House

#: Submissions of which the queue is asked in each cycle. Of those that are not known to be queued, only a yes counts.
_ASKED = (SubmissionState.QUEUED, SubmissionState.RUNNING, SubmissionState.HELD)
#: Ends after which the queue can say what became of the single jobs.
_WITH_NODES = (SubmissionState.DONE, SubmissionState.FAILED, SubmissionState.REMOVED)
#: DAGs whose jobs are asked for in one cycle: one question each.
_NODES_AT_ONCE = 5
_LOOKED_FOR = (SubmissionState.SUBMITTING, SubmissionState.UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFact:
    """What the engines say of all DAGs that they were asked for.

    problem: what did not answer; unasked: tags of which nothing is known now.
    nodes: jobs of DAGs that have ended, by submission.
    others: None when the engine of new DAGs was not asked, or has not answered.
    """

    asked: tuple[Submission, ...]
    dags: Mapping[str, DagStatus]
    unasked: Collection[str]
    problem: str | None
    others: tuple[OtherDag, ...] | None
    calls: int
    nodes: Mapping[int, tuple[DagNode, ...]]


def follow_queue(house: House, snapshot: Snapshot, *, something_starts: bool) -> QueueFact:
    """Each engine once: where the DAGs are that it has taken. The one of new DAGs also when something is to start."""
    asked = tuple(s for e in snapshot.exposures for s in e.submissions if s.state in (*_ASKED, *_LOOKED_FOR))
    by_engine: dict[str, list[Submission]] = defaultdict(list)
    for submission in asked:
        by_engine[submission.engine].append(submission)
    current = house.engines.current.name
    if something_starts:
        by_engine.setdefault(current, [])
    dags: dict[str, DagStatus] = {}
    unasked: set[str] = set()
    problems: list[str] = []
    others: tuple[OtherDag, ...] | None = None
    calls = 0
    for name, submissions in by_engine.items():
        tags = [submission.tag for submission in submissions]
        match house.engines[name].status(tags):
            case NoAnswer(reason):
                problems.append(reason)
                unasked.update(tags)
            case Answered() as answer:
                dags |= answer.dags
                calls += answer.calls
                unasked |= answer.unasked.keys()
                if answer.problem is not None:
                    problems.append(answer.problem)
                    unasked.update(tag for tag in tags if tag not in answer.dags)
                elif name == current:
                    others = answer.others
    return QueueFact(
        asked=asked,
        dags=dags,
        unasked=unasked,
        problem="; ".join(problems) or None,
        others=others,
        calls=calls,
        nodes=dict(_nodes_of_ended(house, snapshot, asked, dags)),
    )


def queue_unknown(why: str) -> QueueFact:
    """Nothing could be asked: nothing is known of any DAG, and all that is written down stays."""
    return QueueFact(asked=(), dags={}, unasked=frozenset(), problem=why, others=None, calls=0, nodes={})


def _nodes_of_ended(
    house: House, snapshot: Snapshot, asked: tuple[Submission, ...], dags: Mapping[str, DagStatus]
) -> Iterator[tuple[int, tuple[DagNode, ...]]]:
    """What became of the jobs of DAGs that have ended: asked once for each, for the CCDs that have left no sign."""
    ending = [s for s in asked if (dag := dags.get(s.tag)) is not None and dag.state in ENDED]
    since = [
        submission
        for exposure in snapshot.exposures
        if exposure.state is ExposureState.PROCESSING
        and (submission := exposure.own_submission) is not None
        and submission.state in _WITH_NODES
        and submission.nodes_at is None
    ]
    for submission in (*ending, *since)[:_NODES_AT_ONCE]:
        match house.engines[submission.engine].nodes(submission.tag):
            case Nodes(nodes):
                yield submission.id, nodes
            case Absent():
                yield submission.id, ()


def record_queue(connection: Connection, queue: QueueFact, now: datetime) -> None:
    """Write down what the queue says. A tag of which nothing is known now stays as it was."""
    for submission in queue.asked:
        dag = queue.dags.get(submission.tag)
        if dag is not None or (submission.tag not in queue.unasked and submission.state in _ASKED):
            _record_dag(connection, submission, dag, now)
    for submission_id, nodes in queue.nodes.items():
        record_nodes(connection, submission_id, nodes, at=now)
    if queue.others is not None:
        set_foreign_dags(connection, [_foreign(dag, now) for dag in queue.others])


def _record_dag(connection: Connection, submission: Submission, dag: DagStatus | None, now: datetime) -> None:
    if dag is None:
        record_status(
            connection,
            submission,
            SubmissionState.UNKNOWN,
            at=now,
            why=f"the queue no longer knows {submission.job_id}",
            values={},
        )
        return
    if submission.job_id is None:
        end_try(
            connection, submission, at=now, outcome="accepted", cause=None, text=f"the queue has it as {dag.job_id}"
        )
    stuck = dag.state is SubmissionState.HELD or (dag.nodes_held and not dag.nodes_running and not dag.nodes_waiting)
    why = dag.reason or {
        SubmissionState.RUNNING: "its jobs run",
        SubmissionState.DONE: "all its jobs ended with exit code 0; the CCDs are judged by their files",
        SubmissionState.FAILED: "at least one of its jobs failed; the CCDs are judged by their files",
    }.get(dag.state, f"the queue says {dag.state}")
    record_status(
        connection,
        submission,
        dag.state,
        at=now,
        why=why,
        values={
            "nodes_total": dag.nodes_total,
            "nodes_done": dag.nodes_done,
            "nodes_failed": dag.nodes_failed,
            "nodes_running": dag.nodes_running,
            "nodes_waiting": dag.nodes_waiting,
            "nodes_held": dag.nodes_held,
            "hold_reason": dag.hold_reason,
            "held_since": (submission.held_since or now) if stuck else None,
            "job_id": submission.job_id or dag.job_id,
            # The queue's word: it may have had the DAG from another daemon before we came to submit it.
            "submitted_at": dag.submitted_at or submission.submitted_at or now,
            "absent_at": None,
            "exit_code": dag.exit_code,
            "ended_at": (dag.ended_at or now) if dag.state in ENDED else None,
        },
    )


def _foreign(dag: OtherDag, now: datetime) -> ForeignDag:
    return ForeignDag(
        tag=dag.tag,
        job_id=dag.job_id,
        expnum=dag.expnum,
        state=dag.state.value,
        owner=dag.owner,
        first_seen=now,
        as_of=now,
    )
