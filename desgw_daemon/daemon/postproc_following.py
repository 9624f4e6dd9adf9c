"""What became of runs of post-processing: their process, the step they have come to, their end.

Read first, then written down.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from desgw_daemon.act.postproc import PREPARED, output_name
from desgw_daemon.act.startscript import NOTES, SKIPTO, STAGE, STAGES
from desgw_daemon.children import ChildStatus, look
from desgw_daemon.decide.postproc_end import judge_end
from desgw_daemon.domain.runs import PostprocRun
from desgw_daemon.domain.snapshot import Snapshot
from desgw_daemon.domain.states import RunState
from desgw_daemon.errors import TreeSilent
from desgw_daemon.observe.door import Door
from desgw_daemon.observe.folderlock import FOLDER_LOCK, holder
from desgw_daemon.observe.progress import Progress, StatusFile, read_progress, read_status, tail
from desgw_daemon.observe.text import last_lines, plain_text
from desgw_daemon.store.journal import move_run
from desgw_daemon.store.runs import record_notes, record_skipto, record_steps, stop_words
from desgw_daemon.wiring import House


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFact:
    """A run of post-processing: where its process is, how far it has come, its last words.

    status: what PostProcStatus says of it; None when that says nothing. notes: of its preparation.
    """

    run: PostprocRun
    child: ChildStatus
    stage: str | None
    skipto: int | None
    progress: Progress
    status: StatusFile | None
    notes: tuple[str, ...]
    words: str

    @property
    def steps(self) -> frozenset[int]:
        """The steps that it is known to have come to."""
        behind = None if self.status is None else self.status.step
        return frozenset(self.progress.steps) | ({behind} if behind is not None else set())

    @property
    def step(self) -> int | None:
        """The highest of them, as far as anybody ever saw."""
        return max((step for step in (*self.steps, self.run.step) if step is not None), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """Of each run that goes on. problem: why one of them could not be read, though its tree answers."""

    facts: tuple[RunFact, ...] = ()
    problem: str | None = None


def follow_runs(house: House, snapshot: Snapshot) -> RunFacts:
    """Read it. One that cannot be read is left out: it is looked at again in the next cycle."""
    facts, problems = [], []
    for run in snapshot.runs:
        if run.state is not RunState.RUNNING:
            continue
        try:
            facts.append(_fact(house, run))
        except TreeSilent:
            continue  # the door tells
        except OSError as error:
            problems.append(f"run {run.number} of season {run.season} cannot be followed: {error}")
    return RunFacts(facts=tuple(facts), problem="; ".join(problems) or None)


def _fact(house: House, run: PostprocRun) -> RunFact:
    folder, postprocessing, door = Path(run.folder), house.config.paths.postprocessing, house.postprocessing_door
    output = postprocessing / output_name(run.season, run.number)
    # Its process first: what has ended has written all that it will.
    child = _living(look(folder), postprocessing, folder, door)
    stage = _word(folder / STAGE)
    began = stage == STAGES[-1]
    skipto = _word(folder / SKIPTO)
    started = child.started_at or run.started_at or run.intent_at
    return RunFact(
        run=run,
        child=child,
        stage=stage,
        skipto=int(skipto) if skipto and skipto.isdigit() else None,
        progress=door.ask(read_progress, output) if began else Progress(),
        status=door.ask(read_status, postprocessing, run.season, started) if began else None,
        notes=tuple((_word(folder / NOTES) or "").splitlines()),
        words=" / ".join(last_lines(plain_text(door.ask(tail, output) if began else tail(folder / PREPARED)), 3)),
    )


def _living(child: ChildStatus, postprocessing: Path, folder: Path, door: Door) -> ChildStatus:
    """One that seems lost goes on as long as something of it holds the lock of the Post-Processing folder."""
    if child.state == "lost" and str(folder) in (door.ask(holder, postprocessing / FOLDER_LOCK) or ""):
        return ChildStatus(state="running", pid=child.pid, started_at=child.started_at)
    return child


def _word(path: Path) -> str | None:
    try:
        return path.read_text("utf-8", "replace").strip()
    except FileNotFoundError:
        return None


def record_run(connection: Connection, fact: RunFact, now: datetime) -> None:
    """Write it down."""
    run, child = fact.run, fact.child
    record_notes(connection, run, fact.notes, at=now)
    if fact.skipto is not None and fact.skipto != run.skipto:
        record_skipto(
            connection, run, fact.skipto, "the trial read of the FITS table failed (trial.out in the run's folder)"
        )
    # What is first seen when it has ended was come to before.
    record_steps(connection, run, fact.steps, at=min(now, child.ended_at or now))
    if child.state == "running":
        return
    columns = {
        "ended_at": child.ended_at or now,
        "exit_code": child.exit_code,
        "signal": child.signal,
        "stage": fact.stage,
        "last_words": fact.words or None,
    }
    state, why, result = _end(fact)
    move_run(connection, run, state, at=now, why=why, result=result, **columns)


def _end(fact: RunFact) -> tuple[RunState, str, str | None]:
    """The state, the reason and the result of a run that has ended."""
    run, child = fact.run, fact.child
    said = f"; its last words: {fact.words}" if fact.words else ""
    where = f"at step {fact.step}" if fact.step is not None else "before its first step"
    if child.state == "ended" and fact.stage == STAGES[-1]:
        end = judge_end(
            ended=child.words,
            exit_code=child.exit_code,
            step=fact.step,
            complete=None if fact.status is None else fact.status.complete,
            last_step=fact.progress.last_step,
        )
        if end.result is not None:
            return end.state, end.reason, end.result.value
        if run.stopped_by is None:
            return end.state, end.reason + said, None
    if run.stopped_by is not None:
        return RunState.FAILED, f"{stop_words(run)}, {where}", None
    if child.state != "ended":
        return RunState.LOST, f"it {child.words} ({where}){said}", None
    why = f"it was not started: its preparation ({fact.stage or 'nothing'}) {child.words}{said}"
    return RunState.FAILED, why, None
