"""What became of the things that run by themselves: DAGMakers, DAGs, post-processing, a refresh of exposures.list.

Read first, then written down.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from desgw_daemon.act.environment import Captured, NotCaptured
from desgw_daemon.children import ChildStatus, look
from desgw_daemon.daemon.postproc_following import RunFact, follow_runs, record_run
from desgw_daemon.daemon.refreshing import RefreshFact, follow_refresh, record_refresh
from desgw_daemon.domain.snapshot import (
    DagNode,
    Exposure,
    ForeignDag,
    Making,
    Snapshot,
    Submission,
)
from desgw_daemon.domain.states import ENDED, ExposureState, MakingState, SubmissionState
from desgw_daemon.grid.engine import Absent, Answered, DagStatus, NoAnswer, Nodes, OtherDag
from desgw_daemon.observe.credential import VARIABLE, Good, Problem, credential_file, look_at
from desgw_daemon.observe.making import MakingEvidence, read_making
from desgw_daemon.store.journal import move_making
from desgw_daemon.store.submissions import end_try, record_nodes, record_status, set_foreign_dags
from desgw_daemon.wiring import House

_WANTS_SETUP = (ExposureState.QUEUED, ExposureState.MAKING, ExposureState.SUBMITTING)
#: Submissions of which the queue is asked in each cycle. Of those that are not known to be queued, only a yes counts.
_ASKED = (SubmissionState.QUEUED, SubmissionState.RUNNING, SubmissionState.HELD)
#: Ends after which the queue can say what became of the single jobs.
_WITH_NODES = (SubmissionState.DONE, SubmissionState.FAILED, SubmissionState.REMOVED)
#: DAGs whose jobs are asked for in one cycle: one question each.
_NODES_AT_ONCE = 5
_LOOKED_FOR = (SubmissionState.SUBMITTING, SubmissionState.UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class MakingFact:
    """A DAGMaker that has ended, or is lost: how, and what it left."""

    making: Making
    child: ChildStatus
    evidence: MakingEvidence | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """All of it. making_problem: why no DAG can be made now. environment: what a submission gets, if it is known.

    credential_problem: why nothing may be made or submitted with the credential; credential_until: when a good one
    ends. Both are None when none was looked at.
    """

    environment: Mapping[str, str] | None
    making_problem: str | None
    credential_problem: str | None
    credential_until: datetime | None
    makings: tuple[MakingFact, ...]
    submissions: tuple[Submission, ...]
    queue: QueueFact
    runs: tuple[RunFact, ...]
    refresh: RefreshFact | None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFact:
    """What the engines say of all DAGs. problem: what did not answer; unasked: tags of which nothing is known now.

    nodes: jobs of DAGs that have ended, by submission.
    others: None when the engine of new DAGs was not asked, or has not answered.
    """

    dags: Mapping[str, DagStatus]
    unasked: Collection[str]
    problem: str | None
    others: tuple[OtherDag, ...] | None
    calls: int
    nodes: Mapping[int, tuple[DagNode, ...]]


def follow(house: House, snapshot: Snapshot, now: datetime) -> Followed:
    """Read it all. A thing that cannot be read is left out: it is looked at again in the next tick."""
    environment, problem = _setup(house, snapshot, now)
    credential, environment = _credential(house, snapshot, environment, now)
    asked = tuple(s for e in snapshot.exposures for s in e.submissions if s.state in (*_ASKED, *_LOOKED_FOR))
    return Followed(
        environment=environment,
        making_problem=problem,
        credential_problem=credential.words if isinstance(credential, Problem) else None,
        credential_until=credential.until if isinstance(credential, Good) else None,
        makings=tuple(_makings(house, snapshot)),
        submissions=asked,
        queue=_queue(house, snapshot, asked),
        runs=follow_runs(house, snapshot),
        refresh=follow_refresh(house, snapshot),
    )


def _queue(house: House, snapshot: Snapshot, asked: tuple[Submission, ...]) -> QueueFact:
    """Each engine once: where the DAGs are that it has taken. The one of new DAGs also when something is to start."""
    by_engine: dict[str, list[Submission]] = defaultdict(list)
    for submission in asked:
        by_engine[submission.engine].append(submission)
    current = house.engines.current.name
    if _something_starts(snapshot):
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
        dags=dags,
        unasked=unasked,
        problem="; ".join(problems) or None,
        others=others,
        calls=calls,
        nodes=dict(_nodes_of_ended(house, snapshot, asked, dags)),
    )


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


def _setup(house: House, snapshot: Snapshot, now: datetime) -> tuple[Mapping[str, str] | None, str | None]:
    """The set-up's environment, asked for only when something is to be made or submitted."""
    if not _something_starts(snapshot):
        return None, None
    workflow = house.config.paths.workflow
    if not os.access(workflow, os.W_OK | os.X_OK):
        return None, f"{workflow} is away or cannot be written to"
    match house.setup.get(now):
        case NotCaptured(problem):
            return None, problem
        case Captured(environment):
            listed = house.config.exposures_list
            # DAGMaker would end with an exposure that has no band: one cause, and a person for each exposure.
            missing = not os.access(listed, os.R_OK)
            problem = f"{listed} is away or cannot be read" if missing else None
            return environment, problem or house.parameters.problem(_seasons_to_make(snapshot))


def _seasons_to_make(snapshot: Snapshot) -> set[int]:
    """The seasons of which DAGMaker is to be told next."""
    return {
        e.season
        for e in snapshot.exposures
        if not (e.watch_only or e.held)
        and (
            (e.state is ExposureState.QUEUED and e.key is not None)
            or (e.making is not None and e.making.state is MakingState.INTENT)
        )
    }


def _something_starts(snapshot: Snapshot) -> bool:
    """Whether something is to be made or submitted."""
    return any(e.state in _WANTS_SETUP and not e.watch_only for e in snapshot.exposures)


def _credential(
    house: House, snapshot: Snapshot, environment: Mapping[str, str] | None, now: datetime
) -> tuple[Good | Problem | None, Mapping[str, str] | None]:
    """The credential, and the environment that leads a submission to the very file that was looked at.

    Looked at only when something is to be made or submitted. None: none is needed now, or nobody knows where it is
    before the set-up is captured.
    """
    wanted, kind = house.config.credential, house.config.credential.kind
    if kind == "none" or not _something_starts(snapshot) or (environment is None and wanted.path is None):
        return None, environment
    path = credential_file(kind, wanted.path, environment or {})
    found = look_at(kind, path, now, wanted.min_left)
    return found, None if environment is None else {**environment, VARIABLE[kind]: str(path)}


def _makings(house: House, snapshot: Snapshot) -> list[MakingFact]:
    facts = []
    for exposure in snapshot.exposures:
        making = exposure.making
        if making is None or making.state is not MakingState.RUNNING:
            continue
        try:
            child = look(Path(making.folder))
            if child.state == "running":
                continue
            evidence = _evidence(house, exposure, making, child) if child.state == "ended" else None
        except OSError:
            continue
        facts.append(MakingFact(making=making, child=child, evidence=evidence))
    return facts


def _evidence(house: House, exposure: Exposure, making: Making, child: ChildStatus) -> MakingEvidence:
    assert exposure.nite is not None and exposure.band is not None
    return read_making(
        house.config.paths.workflow,
        exposure.expnum,
        season=exposure.season,
        nite=exposure.nite,
        band=exposure.band,
        started_at=child.started_at or making.intent_at,
    )


def record_followed(connection: Connection, followed: Followed, now: datetime) -> None:
    """Write it all down."""
    for making in followed.makings:
        _record_making(connection, making, now)
    queue = followed.queue
    for submission in followed.submissions:
        dag = queue.dags.get(submission.tag)
        if dag is not None or (submission.tag not in queue.unasked and submission.state in _ASKED):
            _record_dag(connection, submission, dag, now)
    for submission_id, nodes in queue.nodes.items():
        record_nodes(connection, submission_id, nodes, at=now)
    if queue.others is not None:
        set_foreign_dags(connection, [_foreign(dag, now) for dag in queue.others])
    for run in followed.runs:
        record_run(connection, run, now)
    if followed.refresh is not None:
        record_refresh(connection, followed.refresh, now)


def _record_making(connection: Connection, fact: MakingFact, now: datetime) -> None:
    child, evidence = fact.child, fact.evidence
    ended = child.ended_at or now
    if evidence is None:
        move_making(connection, fact.making, MakingState.LOST, at=now, why=f"DAGMaker {child.words}", ended_at=ended)
        return
    problems = list(evidence.problems)
    if not child.succeeded:
        problems.insert(0, f"it {child.words}" if child.error is None else child.words)
    if problems:
        state, why = MakingState.FAILED, "; ".join(problems)
    else:
        state, why = MakingState.MADE, "DONE is fresh, and the DAG is of this exposure and season"
    move_making(
        connection,
        fact.making,
        state,
        at=now,
        why=why,
        ended_at=ended,
        exit_code=child.exit_code,
        dag_sha256=evidence.dag_sha256,
        templates=list(evidence.templates),
        last_words=" / ".join(evidence.last_lines) or None,
    )


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
