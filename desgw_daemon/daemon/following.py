"""What became of the things that run by themselves: DAGMakers, DAGs, post-processing, a refresh of exposures.list.

Read first, then written down.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from sqlalchemy import Connection

from desgw_daemon.act.environment import Captured, NotCaptured
from desgw_daemon.children import ChildStatus, look
from desgw_daemon.daemon.parts import Part, Parts
from desgw_daemon.daemon.postproc_following import RunFacts, follow_runs, record_run
from desgw_daemon.daemon.queue_following import QueueFact, follow_queue, queue_unknown, record_queue
from desgw_daemon.daemon.refreshing import RefreshFact, follow_refresh, record_refresh
from desgw_daemon.domain.snapshot import Exposure, Snapshot
from desgw_daemon.domain.states import ExposureState, MakingState
from desgw_daemon.domain.submissions import Making
from desgw_daemon.errors import TreeSilent
from desgw_daemon.observe.credential import VARIABLE, Good, Problem, credential_file, look_at
from desgw_daemon.observe.making import MakingEvidence, read_making
from desgw_daemon.store.journal import move_making
from desgw_daemon.wiring import House

_WANTS_SETUP = (ExposureState.QUEUED, ExposureState.MAKING, ExposureState.SUBMITTING)


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
    queue: QueueFact
    runs: RunFacts
    refresh: RefreshFact | None


def follow(house: House, snapshot: Snapshot, now: datetime, parts: Parts) -> Followed:
    """Read it all. A thing that cannot be read is left out: it is looked at again in the next tick."""
    environment, problem = parts.do(
        Part.SETUP, lambda: _setup(house, snapshot, now), lambda why: (None, f"it cannot be told: {why}")
    )
    credential, environment = parts.do(
        Part.CREDENTIAL,
        lambda: _credential(house, snapshot, environment, now),
        lambda why: (Problem(f"it cannot be told: {why}"), environment),
    )
    starts = _something_starts(snapshot)
    return Followed(
        environment=environment,
        making_problem=problem,
        credential_problem=credential.words if isinstance(credential, Problem) else None,
        credential_until=credential.until if isinstance(credential, Good) else None,
        makings=parts.do(Part.MAKINGS, lambda: _makings(house, snapshot), lambda _: ()),
        queue=parts.do(
            Part.QUEUE,
            lambda: follow_queue(house, snapshot, something_starts=starts),
            lambda why: queue_unknown(f"it cannot be told: {why}"),
        ),
        runs=parts.do(Part.RUNS, lambda: follow_runs(house, snapshot), lambda _: RunFacts()),
        refresh=parts.do(Part.REFRESH, lambda: follow_refresh(house, snapshot), lambda _: None),
    )


def _setup(house: House, snapshot: Snapshot, now: datetime) -> tuple[Mapping[str, str] | None, str | None]:
    """The set-up's environment, asked for only when something is to be made or submitted."""
    if not _something_starts(snapshot):
        return None, None
    workflow = house.config.paths.workflow
    door = house.workflow_door
    try:
        if not door.ask(os.access, workflow, os.W_OK | os.X_OK):
            return None, f"{workflow} is away or cannot be written to"
        match house.setup.get(now):
            case NotCaptured(problem):
                return None, problem
            case Captured(environment):
                listed = house.config.exposures_list
                # DAGMaker would end with an exposure that has no band: one cause, and a person for each exposure.
                missing = not door.ask(os.access, listed, os.R_OK)
                problem = f"{listed} is away or cannot be read" if missing else None
                return environment, problem or house.parameters.problem(_seasons_to_make(snapshot))
    except TreeSilent as silent:
        return None, str(silent)


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
    found = house.way_to(path).ask(look_at, kind, path, now, wanted.min_left)
    return found, None if environment is None else {**environment, VARIABLE[kind]: str(path)}


def _makings(house: House, snapshot: Snapshot) -> tuple[MakingFact, ...]:
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
    return tuple(facts)


def _evidence(house: House, exposure: Exposure, making: Making, child: ChildStatus) -> MakingEvidence:
    assert exposure.nite is not None and exposure.band is not None
    read = partial(
        read_making,
        house.config.paths.workflow,
        exposure.expnum,
        season=exposure.season,
        nite=exposure.nite,
        band=exposure.band,
        started_at=child.started_at or making.intent_at,
    )
    return house.workflow_door.ask(read)


def record_followed(connection: Connection, followed: Followed, now: datetime, parts: Parts) -> str | None:
    """Write it all down, each thing by itself. Returns why what the queue says could not be, if it could not."""

    def record(what: str, work: Callable[[], object]) -> bool:
        return parts.record(connection, Part.RECORDING, what, work)

    for making in followed.makings:
        record(f"DAGMaker {making.making.folder}", partial(_record_making, connection, making, now))
    queue = record("what the queue says", partial(record_queue, connection, followed.queue, now))
    for run in followed.runs.facts:
        record(f"run {run.run.number} of season {run.run.season}", partial(record_run, connection, run, now))
    if followed.refresh is not None:
        record("the refresh", partial(record_refresh, connection, followed.refresh, now))
    return None if queue else "what it says cannot be written down"


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
