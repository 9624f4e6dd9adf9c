"""What a run of post-processing rests on and shows of itself, written down."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects.sqlite import insert

from desgw_daemon.domain.runs import PostprocRun
from desgw_daemon.domain.states import RUN_LIVE
from desgw_daemon.domain.times import utc
from desgw_daemon.errors import Refused
from desgw_daemon.store.journal import note
from desgw_daemon.store.load_runs import load_runs
from desgw_daemon.store.tables import ExposureRow, ForcefileRow, PostprocRunRow, PostprocStepRow, table

#: Forcephoto files in memory at the same time: a season of 3,600 exposures has 370,000.
_AT_ONCE: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkWanted:
    """A forcephoto file that holds something, and to which there must be a link. size: bytes."""

    nite: str
    expnum: int
    name: str
    size: int

    @property
    def line(self) -> str:
        """For the script that looks whether the link is there."""
        return f"{self.nite}\t{self.expnum}\t{self.name}\n"


def forcefiles_of(connection: Connection, exposure_ids: Collection[int]) -> Iterator[LinkWanted]:
    """The forcephoto images and PSFs of these exposures, as they were last seen on /pnfs; none that is empty.

    In the order of nite, expnum and name.
    """
    files, exposures = table(ForcefileRow), table(ExposureRow)
    # One variable: SQLite takes 32,766.
    ids = func.json_each(json.dumps(sorted(exposure_ids))).table_valued("value")
    rows = connection.execute(
        select(exposures.c.nite, exposures.c.expnum, files.c.name, files.c.size)
        .join(exposures, exposures.c.id == files.c.exposure_id)
        .where(exposures.c.id.in_(select(ids.c.value)), files.c.size > 0, files.c.kind.is_not(None))
        .order_by(exposures.c.nite, exposures.c.expnum, files.c.name),
        execution_options={"yield_per": _AT_ONCE},
    )
    for nite, expnum, name, size in rows:
        if name.isprintable():  # another name than the pipeline's cannot stand in a line
            yield LinkWanted(nite=nite, expnum=expnum, name=name, size=size)


def files_fingerprint(connection: Connection, exposure_ids: Collection[int]) -> str:
    """Tells whether the forcephoto files of two runs are the same, by name and size."""
    fingerprint = hashlib.sha256()
    for file in forcefiles_of(connection, exposure_ids):
        fingerprint.update(f"{file.size} {file.line}".encode())
    return fingerprint.hexdigest()[:16]


def record_steps(connection: Connection, run: PostprocRun, steps: Iterable[int], *, at: datetime) -> None:
    """The run has come to these steps; those that are written down already say nothing new."""
    rows = table(PostprocStepRow)
    before = run.step
    for step in sorted(steps):
        done = connection.execute(
            insert(rows).values(run_id=run.id, step=step, at=at).on_conflict_do_nothing()
        ).rowcount
        if done and (before is None or step > before):
            _record_step(connection, run, step, before=before, at=at)
            before = step


def _record_step(connection: Connection, run: PostprocRun, step: int, *, before: int | None, at: datetime) -> None:
    rows = table(PostprocRunRow)
    connection.execute(update(rows).where(rows.c.id == run.id).values(step=step, step_at=at))
    note(
        connection,
        at=at,
        kind="postproc_run",
        subject=_subject(run),
        before=None if before is None else f"step {before}",
        after=f"step {step}",
        why=f"it has come to step {step}",
        season=run.season,
    )


def record_skipto(connection: Connection, run: PostprocRun, skipto: int, reason: str) -> None:
    """The run began at another step than was computed, and why."""
    rows = table(PostprocRunRow)
    connection.execute(update(rows).where(rows.c.id == run.id).values(skipto=skipto, skipto_reason=reason))


def record_notes(connection: Connection, run: PostprocRun, notes: Collection[str], *, at: datetime) -> None:
    """What a person should know of a run's preparation: each once."""
    new = [text for text in notes if text not in run.notes]
    if not new:
        return
    rows = table(PostprocRunRow)
    connection.execute(update(rows).where(rows.c.id == run.id).values(notes=[*run.notes, *new]))
    for text in new:
        note(
            connection,
            at=at,
            kind="postproc_run",
            subject=_subject(run),
            before=run.state.value,
            after=NOTED,
            why=text,
            season=run.season,
        )


#: In the history, in place of a state: something to know of a run.
NOTED = "noted"
#: ... and that its end was ordered.
STOPPING = "to be stopped"


def live_run(connection: Connection, season: int) -> PostprocRun:
    """The season's run that goes on. Raises Refused when there is none."""
    live = next((run for run in load_runs(connection) if run.season == season and run.state in RUN_LIVE), None)
    if live is None:
        raise Refused(f"no run of season {season} goes on; `desgw-daemon postproc status` shows those that did")
    return live


def order_stop(connection: Connection, season: int, *, run_id: int, who: str, why: str, at: datetime) -> PostprocRun:
    """Write down that a person wants this run of the season to be ended; the first word counts.

    Raises Refused when it does not go on any more.
    """
    live = live_run(connection, season)
    if live.id != run_id:
        raise Refused(f"the run has ended meanwhile, and run {live.number} of season {season} has begun: ask again")
    if live.stopped_by is None:
        rows = table(PostprocRunRow)
        connection.execute(
            update(rows).where(rows.c.id == live.id).values(stopped_by=who, stopped_at=at, stop_reason=why)
        )
        note(
            connection,
            at=at,
            kind="postproc_run",
            subject=_subject(live),
            before=live.state.value,
            after=STOPPING,
            why=why,
            who=who,
            season=season,
        )
    return live


def stop_words(run: PostprocRun) -> str:
    """By whom a run was stopped, when, and why."""
    when = "" if run.stopped_at is None else f" at {utc(run.stopped_at)}"
    return f"stopped by {run.stopped_by}{when} ({run.stop_reason})"


def _subject(run: PostprocRun) -> str:
    return f"season {run.season} run {run.number}"
