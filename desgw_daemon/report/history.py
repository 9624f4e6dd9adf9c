"""Telling the log what has changed: each transition once, in the words that stand in the database."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from desgw_daemon.domain.states import CcdState, MakingState, RefreshState, RunState, SubmissionState
from desgw_daemon.report.events import Event
from desgw_daemon.report.logs import Log, bind_exposure
from desgw_daemon.store.looks import LATE
from desgw_daemon.store.runs import NOTED, STOPPING
from desgw_daemon.store.told import Told, transitions_to_tell

_MAKING: Final = {MakingState.RUNNING: Event.DAGMAKER_STARTED}
_SUBMISSION: Final = {
    SubmissionState.QUEUED: Event.DAG_SUBMITTED,
    SubmissionState.REJECTED: Event.SUBMISSION_REJECTED,
    SubmissionState.UNKNOWN: Event.SUBMISSION_UNKNOWN,
    SubmissionState.DONE: Event.DAG_ENDED,
    SubmissionState.FAILED: Event.DAG_ENDED,
    SubmissionState.REMOVED: Event.DAG_ENDED,
    SubmissionState.LOST: Event.DAG_ENDED,
}
#: Rows in between that say nothing to people.
_QUIET: Final = frozenset({SubmissionState.INTENT, SubmissionState.SUBMITTING, SubmissionState.RUNNING})


def log_transitions(connection: Connection, log: Log) -> None:
    """Log every transition that has not been logged, and remember how far that was."""
    for row in transitions_to_tell(connection):
        _tell(log, row)


def _tell(log: Log, row: Told) -> None:
    change = f"{row.before or 'new'} -> {row.after}: {row.why}"
    # The exposure itself stands at the head of the line.
    text = change if row.kind == "exposure" else f"{row.subject}: {change}"
    if row.season is None:
        _write(log, row, text)
        return
    with bind_exposure(expnum=row.expnum, nite=row.nite, season=row.season):
        _write(log, row, text)


def _write(log: Log, row: Told, text: str) -> None:
    match row.kind:
        case "ccd" if row.after == CcdState.COMPLETE:
            log.debug(Event.CCD_DONE, text)
        case "ccd" if row.why.startswith(LATE):
            log.warning(Event.CCD_LATE_FAIL, text)
        case "ccd":
            log.info(Event.CCD_FAILED, text)
        case "dagmaker_run":
            log.info(_MAKING.get(MakingState(row.after), Event.DAGMAKER_ENDED), text)
        case "submission":
            state = SubmissionState(row.after)
            if state in _QUIET:
                log.debug(Event.DAG_SUBMITTED, text)
            elif state in (SubmissionState.REJECTED, SubmissionState.UNKNOWN, SubmissionState.LOST):
                log.warning(_SUBMISSION[state], text)
            elif row.before == SubmissionState.UNKNOWN and state is SubmissionState.QUEUED:
                log.info(Event.SUBMISSION_ADOPTED, text)
            else:
                log.info(_SUBMISSION.get(state, Event.DAG_SUBMITTED), text)
        case "postproc_run":
            _write_run(log, row, text)
        case "refresh":
            _write_refresh(log, row, text)
        case "daemon":
            log.info(Event.PAUSED if row.after == "paused" else Event.RESUMED, text)
        case "alert":
            log.info(Event.ALERT_ANSWERED, text)
        case "season":
            log.info(Event.SEASON_TAKEN, text)
        case _:
            log.info(Event.EXPOSURE_MOVED, text)


def _write_run(log: Log, row: Told, text: str) -> None:
    if row.after.startswith("step "):
        log.info(Event.POSTPROC_STEP, text)
    elif row.after == NOTED:
        log.warning(Event.POSTPROC_NOTED, f"{row.subject}: {row.why}")
    elif row.after == STOPPING:
        log.warning(Event.POSTPROC_STOPPED, text)
    elif row.after in (RunState.FAILED, RunState.LOST):
        log.warning(Event.POSTPROC_ENDED, text)
    elif row.after == RunState.DONE:
        log.info(Event.POSTPROC_ENDED, text)
    else:
        log.info(Event.POSTPROC_STARTED, text)


def _write_refresh(log: Log, row: Told, text: str) -> None:
    if row.after == RefreshState.FAILED:
        log.warning(Event.EXPOSURES_REFRESHED, text)
    else:
        log.info(Event.EXPOSURES_REFRESHED, text)
