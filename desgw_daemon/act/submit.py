"""Submitting DAGs, and finding out what became of a submission that a crash or an unclear answer left open.

Never twice: the intent is committed first; after anything but a clear answer, only the engine's own word about the tag
leads on. Never lost: a submission that nobody knows of stays open until the answer is sure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine as Database

from desgw_daemon.act.dagmaker import tag_of
from desgw_daemon.domain.actions import Reconcile, SubmitDag
from desgw_daemon.domain.snapshot import Exposure, Submission
from desgw_daemon.domain.states import SubmissionState
from desgw_daemon.grid.engine import Absent, Accepted, Engine, Found, NoAnswer, Rejected, SubmitRequest, Unclear
from desgw_daemon.observe.plainfile import NotAFileError, open_plain
from desgw_daemon.store.claims import claim_submission
from desgw_daemon.store.database import writing
from desgw_daemon.store.journal import move_submission
from desgw_daemon.store.submissions import note_absent, submission_of


class Submitter:
    """Carries out `SubmitDag` and `Reconcile`."""

    def __init__(
        self,
        *,
        database: Database,
        engine: Engine,
        workflow: Path,
        confirm_absent: timedelta,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._engine = engine
        self._workflow = workflow
        self._confirm_absent = confirm_absent
        self._clock = clock

    def submit(self, action: SubmitDag, exposure: Exposure, environment: Mapping[str, str], now: datetime) -> None:
        """Claim the DAG that DAGMaker has made, then submit it. Nothing happens when the exposure has changed."""
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
                at=now,
            )
        if submission is not None:
            self._perform(submission, exposure, environment, now)

    def reconcile(
        self, action: Reconcile, exposure: Exposure, environment: Mapping[str, str] | None, now: datetime
    ) -> str:
        """Ask the engine for the tag of an open submission, and act on what it says; what was found, in words.

        environment: None while the set-up is not there; then nothing is submitted.
        """
        with writing(self._database) as connection:
            submission = submission_of(connection, action.submission_id)
        answer = self._engine.find(submission.tag)
        match answer:
            case Found():
                return self._adopt(submission, answer, now)
            case NoAnswer():
                why = f"the queue gives no answer: {answer.reason}"
                # Nothing had been sent of an intent: it stays one.
                sent = submission.state is not SubmissionState.INTENT
                after = SubmissionState.UNKNOWN if sent else SubmissionState.INTENT
                self._move(submission, after, why, now, absent_at=None)
                return answer.reason
            case Absent():
                return self._absent(submission, exposure, environment, now)

    def _adopt(self, submission: Submission, answer: Found, now: datetime) -> str:
        why = f"the queue knows it as {answer.job_ids[0]}"
        if len(answer.job_ids) > 1:
            why += f"; there are {len(answer.job_ids)} of it, the others are {', '.join(answer.job_ids[1:])}"
        self._move(
            submission,
            SubmissionState.QUEUED,
            why,
            now,
            job_id=answer.job_ids[0],
            absent_at=None,
            as_of=now,
            submitted_at=submission.submitted_at or now,
        )
        return why

    def _absent(
        self, submission: Submission, exposure: Exposure, environment: Mapping[str, str] | None, now: datetime
    ) -> str:
        """Not known to the queue. One answer is no proof, unless nothing had been sent yet."""
        sent = submission.state is not SubmissionState.INTENT
        if sent and (submission.absent_at is None or now - submission.absent_at < self._confirm_absent):
            with writing(self._database) as connection:
                note_absent(connection, submission, at=now)
            return "the queue does not know it; it is asked once more"
        if submission.job_id is not None:
            why = f"the queue had it as {submission.job_id} and knows it no more"
            self._move(submission, SubmissionState.LOST, why, now, ended_at=now)
            return why
        if sent:
            # Whether it is to be submitted now is the next plan's to say: it may be held meanwhile.
            why = "twice unknown to the queue: it was never submitted"
            self._move(submission, SubmissionState.INTENT, why, now, absent_at=None)
            return why
        if environment is None:
            return "it was never submitted; it will be when the set-up script works"
        self._perform(submission, exposure, environment, now)
        return "it was never submitted: it is now"

    def _perform(
        self, submission: Submission, exposure: Exposure, environment: Mapping[str, str], now: datetime
    ) -> None:
        dag = Path(submission.dag_path)
        try:
            with open_plain(dag) as file:
                digest = hashlib.sha256(file.read()).hexdigest()
        except (FileNotFoundError, NotAFileError):
            digest = None
        if digest != submission.dag_sha256:
            why = f"{dag} was {'removed' if digest is None else 'changed'} since its submission was decided"
            self._move(submission, SubmissionState.REJECTED, why, now, ended_at=now)
            return
        self._move(submission, SubmissionState.SUBMITTING, f"handed to {self._engine.name}", now)
        with writing(self._database) as connection:
            submission = submission_of(connection, submission.id)
        outcome = self._engine.submit(
            SubmitRequest(
                tag=submission.tag,
                dag_path=dag,
                workdir=self._workflow,
                env=environment,
                output=self._workflow / f"dag_submission_{exposure.expnum}.out",
            )
        )
        after = self._clock()
        match outcome:
            case Accepted():
                self._move(
                    submission,
                    SubmissionState.QUEUED,
                    f"accepted as {outcome.job_id}",
                    after,
                    job_id=outcome.job_id,
                    submitted_at=after,
                    as_of=after,
                )
            case Rejected(kind="permanent"):
                self._move(submission, SubmissionState.REJECTED, outcome.reason, after, ended_at=after)
            case Rejected():
                self._move(
                    submission, SubmissionState.INTENT, f"not taken yet ({outcome.kind}): {outcome.reason}", after
                )
            case Unclear():
                self._move(submission, SubmissionState.UNKNOWN, f"unclear answer: {outcome.reason}", after)

    def _move(self, submission: Submission, after: SubmissionState, why: str, at: datetime, **values: object) -> None:
        with writing(self._database) as connection:
            move_submission(connection, submission, after, at=at, why=why, values=values)
