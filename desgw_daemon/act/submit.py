"""Submitting DAGs, and finding out what became of a submission that a crash or an unclear answer left open.

Never twice: the intent is committed first, and each time that the DAG is handed over; after anything but a clear
answer, only the engine's own word about the tag leads on. Never lost: a submission that nobody knows of stays open
until the answer is sure.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from sqlalchemy import Engine as Database

from desgw_daemon.act.dagmaker import tag_of
from desgw_daemon.domain.actions import Reconcile, SubmitDag
from desgw_daemon.domain.snapshot import Exposure
from desgw_daemon.domain.states import SubmissionState
from desgw_daemon.domain.submissions import Submission
from desgw_daemon.grid.engine import (
    Absent,
    Accepted,
    Engine,
    Found,
    NoAnswer,
    Pending,
    Rejected,
    SubmitOutcome,
    SubmitRequest,
    Unclear,
)
from desgw_daemon.grid.jobs import look_at_script
from desgw_daemon.observe.door import Way
from desgw_daemon.observe.plainfile import content
from desgw_daemon.store.claims import claim_submission
from desgw_daemon.store.database import writing
from desgw_daemon.store.journal import move_submission
from desgw_daemon.store.submissions import begin_try, end_try, note_absent, refused_alone, submission_of


class Submitter:
    """Carries out `SubmitDag` and `Reconcile`."""

    def __init__(
        self,
        *,
        database: Database,
        engine: Engine,
        engine_named: Callable[[str], Engine],
        workflow: Path,
        way: Way,
        confirm_absent: timedelta,
        exclusive: bool,
        max_tries: int,
        clock: Callable[[], datetime],
    ) -> None:
        """engine: of new DAGs; engine_named: of those that another one has taken. way: to the workflow folder."""
        self._database = database
        self._engine = engine
        self._engine_named = engine_named
        self._workflow = workflow
        self._way = way
        self._confirm_absent = confirm_absent
        self._exclusive = exclusive
        self._max_tries = max_tries
        self._clock = clock

    def submit(self, action: SubmitDag, exposure: Exposure, environment: Mapping[str, str], now: datetime) -> None:
        """Claim the DAG that DAGMaker has made, then submit it; or submit one that is claimed and was never taken.

        Nothing happens when the exposure has changed.
        """
        submission = exposure.own_submission
        if submission is None:
            making = exposure.making
            if making is None or making.dag_sha256 is None:
                raise ValueError(f"{exposure.label} has no DAG")
            dag = self._workflow / f"desgw_pipeline_{exposure.expnum}.dag"
            with writing(self._database) as connection:
                submission = claim_submission(
                    connection,
                    exposure.id,
                    attempt=action.attempt,
                    tag=tag_of(exposure, action.attempt),
                    engine=self._engine.name,
                    dag_path=str(dag),
                    dag_sha256=making.dag_sha256,
                    templates=making.templates,
                    exclusive=self._exclusive,
                    at=now,
                )
        if submission is not None:
            self._perform(submission, exposure, environment, now)

    def reconcile(
        self, action: Reconcile, exposure: Exposure, environment: Mapping[str, str] | None, now: datetime
    ) -> str:
        """Find out what became of an open submission, and act on it; what was found, in words.

        environment: None while the set-up is not there; then nothing is handed over.
        """
        with writing(self._database) as connection:
            submission = submission_of(connection, action.submission_id)
        if submission.state is SubmissionState.SUBMITTING and environment is not None:
            return self._perform(submission, exposure, environment, now)
        answer = self._engine_named(submission.engine).find(submission.tag)
        match answer:
            case Found():
                return self._adopt(submission, answer, now)
            case NoAnswer():
                why = f"the queue gives no answer: {answer.reason}"
                self._move(submission, SubmissionState.UNKNOWN, why, now, absent_at=None)
                return answer.reason
            case Absent():
                return self._absent(submission, now)

    def _adopt(self, submission: Submission, answer: Found, now: datetime) -> str:
        why = f"the queue knows it as {answer.job_ids[0]}"
        if len(answer.job_ids) > 1:
            why += f"; there are {len(answer.job_ids)} of it, the others are {', '.join(answer.job_ids[1:])}"
        self._move(
            submission,
            SubmissionState.QUEUED,
            why,
            now,
            tried=("accepted", None),
            job_id=answer.job_ids[0],
            absent_at=None,
            as_of=now,
            submitted_at=submission.submitted_at or now,
        )
        return why

    def _absent(self, submission: Submission, now: datetime) -> str:
        """Not known to the queue. One answer is no proof."""
        if submission.absent_at is None or now - submission.absent_at < self._confirm_absent:
            with writing(self._database) as connection:
                note_absent(connection, submission, at=now)
            return "the queue does not know it; it is asked once more"
        if submission.job_id is not None:
            why = f"the queue had it as {submission.job_id} and knows it no more"
            self._move(submission, SubmissionState.LOST, why, now, ended_at=now)
            return why
        # Whether it is to be submitted now is the next plan's to say: it may be held meanwhile.
        why = "twice unknown to the queue: it was never submitted"
        self._move(submission, SubmissionState.INTENT, why, now, tried=("transient", "never_arrived"), absent_at=None)
        return why

    def _perform(
        self, submission: Submission, exposure: Exposure, environment: Mapping[str, str], now: datetime
    ) -> str:
        """Hand the DAG over, or ask what came of a hand-over that goes on; what came of it, in words."""
        dag = Path(submission.dag_path)
        anew = submission.state is SubmissionState.INTENT
        # Read first: while its disk is silent nothing is written down, and nothing is handed over.
        data, failed = self._way.ask(content, dag)
        if anew and failed is not None:
            raise failed
        if anew and (problem := _differs(dag, data, submission.dag_sha256)):
            self._move(submission, SubmissionState.REJECTED, problem, now, ended_at=now)
            return problem
        with writing(self._database) as connection:
            if anew:
                why = f"handed to {submission.engine}"
                move_submission(connection, submission, SubmissionState.SUBMITTING, at=now, why=why)
            submission = submission_of(connection, submission.id)
            if submission.state is not SubmissionState.SUBMITTING:
                return f"it is {submission.state} meanwhile"  # a person was faster
            number = begin_try(connection, submission, at=now)
        outcome = self._engine_named(submission.engine).submit(
            SubmitRequest(
                tag=submission.tag,
                number=number,
                expnum=exposure.expnum,
                dag_path=dag,
                workdir=self._workflow,
                env=environment,
                output=self._workflow / f"dag_submission_{exposure.expnum}.out",
                read=partial(_given, data, failed),
                write=partial(self._way.change, Path.write_text),
                look=partial(self._way.ask, look_at_script),
            )
        )
        return self._settle(submission, outcome, self._clock())

    def _settle(self, submission: Submission, outcome: SubmitOutcome, at: datetime) -> str:
        """Write down what came of a hand-over; in words."""
        values: dict[str, object] = {}
        match outcome:
            case Pending(reason):
                self._move(submission, SubmissionState.SUBMITTING, reason, at)
                return reason
            case Accepted(job_id, notes):
                state, why = SubmissionState.QUEUED, "; ".join([f"accepted as {job_id}", *notes])
                kind, cause = "accepted", None
                values = {"job_id": job_id, "submitted_at": at, "as_of": at}
            case Rejected(kind, reason, cause):
                with writing(self._database) as connection:
                    often = refused_alone(connection, submission)
                if kind == "permanent":
                    state, why, values = SubmissionState.REJECTED, reason, {"ended_at": at}
                elif kind == "transient" and often + 1 >= self._max_tries:
                    state, values = SubmissionState.REJECTED, {"ended_at": at}
                    why = f"refused {often + 1} times while others were taken, at last: {reason}"
                else:
                    state, why = SubmissionState.INTENT, f"not taken yet ({kind}): {reason}"
            case Unclear(reason, cause):
                kind, state, why = "unclear", SubmissionState.UNKNOWN, f"unclear answer: {reason}"
                values = {"absent_at": None}
        self._move(submission, state, why, at, tried=(kind, cause), **values)
        return why

    def _move(
        self,
        submission: Submission,
        after: SubmissionState,
        why: str,
        at: datetime,
        *,
        tried: tuple[str, str | None] | None = None,
        **values: object,
    ) -> None:
        """tried: the outcome of its hand-over and the cause, if that has come to its end.

        In one transaction: a submission that is `submitting` without an open hand-over would be handed over anew.
        """
        with writing(self._database) as connection:
            if tried is not None:
                end_try(connection, submission, at=at, outcome=tried[0], cause=tried[1], text=why)
            move_submission(connection, submission, after, at=at, why=why, values=values)


def _given(data: bytes | None, failed: OSError | None, dag: Path) -> bytes:
    """What was read of it already. Raises OSError."""
    if failed is not None:
        raise failed
    if data is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(dag))
    return data


def _differs(dag: Path, data: bytes | None, wanted: str) -> str | None:
    """Why the DAG file is not the one that was meant; None when it is."""
    digest = None if data is None else hashlib.sha256(data).hexdigest()
    if digest == wanted:
        return None
    return f"{dag} was {'removed' if digest is None else 'changed'} since its submission was decided"
