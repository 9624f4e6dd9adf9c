"""What a person says of a submission of which nobody knows whether it is in the queue. Each in one transaction.

Only what is in doubt can be resolved so, and who said it stands in the history.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select

from desgw_daemon.domain.snapshot import Exposure
from desgw_daemon.domain.states import SubmissionState
from desgw_daemon.domain.submissions import Submission
from desgw_daemon.errors import Refused
from desgw_daemon.store.journal import move_submission
from desgw_daemon.store.submissions import end_try
from desgw_daemon.store.tables import ExposureRow, SubmissionRow, table

_OPEN: Final = (SubmissionState.UNKNOWN, SubmissionState.SUBMITTING)


def submission_in_doubt(exposure: Exposure) -> Submission:
    """The submission that can be resolved. Raises Refused when there is none."""
    submission = exposure.submission
    if submission is None:
        raise Refused(f"{exposure.label}: nothing is to be resolved: it is {exposure.state}, and was never submitted")
    if submission.state not in _OPEN:
        known = f" as {submission.job_id}" if submission.job_id else ""
        raise Refused(
            f"{exposure.label}: nothing is to be resolved: its DAG {submission.tag} is {submission.state}{known};"
            f" `desgw-daemon explain {exposure.expnum}` tells more"
        )
    return submission


def adopt_job(
    connection: Connection, exposure: Exposure, job_id: str, *, who: str, why: str | None, at: datetime
) -> None:
    """The DAG is in the queue under this id. Raises Refused: it is not in doubt any more, or the id is another's."""
    submission = submission_in_doubt(exposure)
    if taken := _owner_of(connection, submission, job_id):
        raise Refused(f"{exposure.label}: {job_id} is the DAG of {taken}; `desgw-daemon status` shows both")
    words = _said(f"it is in the queue as {job_id}", why)
    end_try(connection, submission, at=at, outcome="accepted", cause=None, text=words)
    move_submission(
        connection,
        submission,
        SubmissionState.QUEUED,
        at=at,
        why=words,
        who=who,
        values={"job_id": job_id, "absent_at": None, "submitted_at": submission.submitted_at or submission.intent_at},
    )


def declare_absent(connection: Connection, exposure: Exposure, *, who: str, why: str | None, at: datetime) -> str:
    """The DAG is in no queue; what follows, in words. Raises Refused when it is not in doubt any more.

    One that was never known to be taken is submitted again under the same tag; one that was is lost.
    """
    submission = submission_in_doubt(exposure)
    if submission.job_id is not None:
        words = _said(f"the queue had it as {submission.job_id}, and it is there no more", why)
        values = {"ended_at": at, "absent_at": None}
        move_submission(connection, submission, SubmissionState.LOST, at=at, why=words, who=who, values=values)
        return "taken for lost: its CCDs are judged by what is on /pnfs"
    words = _said("it was never submitted", why)
    end_try(connection, submission, at=at, outcome="transient", cause="said_absent", text=words)
    move_submission(
        connection, submission, SubmissionState.INTENT, at=at, why=words, who=who, values={"absent_at": None}
    )
    return "taken for never submitted: it is submitted in the next cycle that may" + (
        f" (it is held: `desgw-daemon queue release {exposure.expnum}`)" if exposure.held else ""
    )


def _said(what: str, why: str | None) -> str:
    return f"said by hand: {what}" + (f" ({why})" if why else "")


def _owner_of(connection: Connection, mine: Submission, job_id: str) -> str | None:
    """Whose DAG has this id already, in words. Another engine's ids are another engine's."""
    rows, exposures = table(SubmissionRow), table(ExposureRow)
    query = (
        select(exposures.c.expnum, exposures.c.season, rows.c.attempt)
        .select_from(rows.join(exposures, exposures.c.id == rows.c.exposure_id))
        .where(rows.c.job_id == job_id, rows.c.engine == mine.engine, rows.c.id != mine.id)
    )
    found = connection.execute(query.limit(1)).first()
    return None if found is None else f"{found.expnum} (season {found.season}), attempt {found.attempt}"
