"""The catalogue of events: every name that may stand in the log, and what it means.

A log call takes a member of this, so a name that is not here cannot be logged.
"""

from __future__ import annotations

from enum import StrEnum, unique


@unique
class Event(StrEnum):
    """Name of an event; `meaning` says in one line when it is logged."""

    meaning: str

    def __new__(cls, name: str, meaning: str) -> Event:
        event = str.__new__(cls, name)
        event._value_ = name
        event.meaning = meaning
        return event

    # The daemon
    DAEMON_STARTED = "daemon_started", "The daemon has started; its cycles follow."
    DAEMON_STOPPED = "daemon_stopped", "The daemon has come to its end, and why."
    CYCLE_DONE = "cycle_done", "One cycle came to its end: what it saw, did and cost."
    ACTION_FAILED = "action_failed", "One action of a cycle failed; the others were carried out."
    CYCLE_FAILED = "cycle_failed", "A cycle ended with an error that nobody has foreseen; the next one tries again."
    PART_FAILED = "part_failed", "A part of a cycle ended with an error that nobody has foreseen; the others go on."
    CLOCK_JUMPED = "clock_jumped", "The clock of the host was set between two cycles."
    CYCLE_OVERRUN = "cycle_overrun", "A cycle took longer than poll.interval; the next one comes later."
    AFTER_CYCLE_FAILED = "after_cycle_failed", "Something that is done after each cycle failed; the cycle stands."
    WATCHDOG_WIDENED = "watchdog_widened", "systemd's watchdog was shorter than a healthy cycle may take."
    CHECKUP_DONE = "checkup_done", "The daemon has had itself looked at: what `doctor` found."
    PAUSED = "paused", "A person has paused the daemon: nothing new is made, submitted or started."
    RESUMED = "resumed", "A person has ended the pause."
    DATABASE_ERROR = "database_error", "The database could not be read or written; the cycle was given up."
    DATABASE_BACK = "database_back", "The database can be used again."
    LIBRARY_WARNING = "library_warning", "A library of ours has logged a warning or an error of its own."
    LOG_LINES_LOST = "log_lines_lost", "Lines could not be written to the log file (a full disk, a folder away)."

    # The configuration
    CONFIG_TAKEN = "config_taken", "A changed daemon.toml was taken up."
    CONFIG_REFUSED = "config_refused", "A changed daemon.toml is wrong; the values in force stay."
    CONFIG_NEEDS_RESTART = "config_needs_restart", "A changed key takes effect at the next start only."
    CONFIG_NOT_WATCHED = "config_not_watched", "Changes of local files are not noticed at once, but at each cycle."

    # The queue
    LIST_TAKEN = "list_taken", "A list of exposures was taken into the queue."
    LIST_REFUSED = "list_refused", "A list of exposures was refused as a whole; a .why file lies beside it."
    SEASON_TAKEN = "season_taken", "A season was taken, taken again, or got its event."
    EXPOSURES_REFRESHED = "exposures_refreshed", "A refresh of exposures.list began, or ended, well or not."
    EXPOSURE_MOVED = "exposure_moved", "An exposure has changed its state."

    # Making and submitting
    DAGMAKER_STARTED = "dagmaker_started", "DAGMaker was started for an exposure."
    DAGMAKER_ENDED = "dagmaker_ended", "DAGMaker has ended for an exposure, well or not."
    DAG_SUBMITTED = "dag_submitted", "A DAG is in the queue of the engine."
    SUBMISSION_REJECTED = "submission_rejected", "The engine has refused a DAG; nothing runs."
    SUBMISSION_UNKNOWN = "submission_unknown", "It is not known whether a DAG was submitted; the engine is asked."
    SUBMISSION_ADOPTED = "submission_adopted", "A submission that was in doubt was found in the engine."
    DAG_ENDED = "dag_ended", "A DAG has come to its end, well or not."
    ENGINE_SILENT = "engine_silent", "The engine does not answer; the state of the DAGs is unknown."
    ENGINE_BACK = "engine_back", "The engine answers again."

    # Watching
    CCD_DONE = "ccd_done", "A CCD has left its tarball, and no FAIL."
    CCD_FAILED = "ccd_failed", "A CCD has left a FAIL file."
    CCD_LATE_FAIL = "ccd_late_fail", "A CCD that was settled as complete has left a FAIL file afterwards."
    PNFS_SILENT = "pnfs_silent", "/pnfs does not answer, or its root is away; what is there is unknown."
    PNFS_BACK = "pnfs_back", "/pnfs answers again."

    # Post-processing
    POSTPROC_STARTED = "postproc_started", "Post-processing of a season was started."
    POSTPROC_STEP = "postproc_step", "Post-processing has come to its next step."
    POSTPROC_NOTED = "postproc_noted", "Something of a run's preparation that a person should know."
    POSTPROC_STOPPED = "postproc_stopped", "A person has ordered the end of a run of post-processing."
    POSTPROC_ENDED = "postproc_ended", "Post-processing of a season has ended, well or not."

    # People
    ALERT_RAISED = "alert_raised", "An alert is up: a person is wanted."
    ALERT_ANSWERED = "alert_answered", "A person has acknowledged an alert, or silenced some."
    ALERT_CLEARED = "alert_cleared", "The cause of an alert has gone."
    MESSAGE_SENT = "message_sent", "A message to people was delivered by a channel."
    MESSAGE_FAILED = "message_failed", "A message could not be delivered; it is tried again."
    MESSAGE_GIVEN_UP = "message_given_up", "A message could not be delivered in time, and is tried no longer."
    NIGHT_REPORTED = "night_reported", "The report of a night was written."
