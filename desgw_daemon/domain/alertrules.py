"""The catalogue of alerts: every rule that may raise one, how grave it is, after how long, and what mutes it.

docs/runbook.md has a section for each, held against this by a test. The conditions themselves are in decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

Severity = Literal["info", "warning", "critical"]

_AT_ONCE: Final = timedelta(0)
#: So long a submission may be tried, or an exposure may wait for others, before somebody should look.
_PATIENCE: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRule:
    """One rule.

    severity: "critical" is worth waking somebody up, "warning" wants somebody in the morning, "info" is good to know.
    after: how long the condition must hold before it is an alert; 0 is the cycle that sees it.
    muted_by: rules that are the cause of this one where both hold: it is not raised while one of them is up.
    fires, clears, todo: for people, each a sentence without its full stop.
    """

    name: str
    severity: Severity
    fires: str
    clears: str
    todo: str
    after: timedelta = _AT_ONCE
    muted_by: tuple[str, ...] = ()

    @property
    def runbook(self) -> str:
        """Where more is said."""
        return f"docs/runbook.md#{self.name}"


#: What keeps people from submitting is told once: while one of these is up, waiting for it is no news.
_NOTHING_SUBMITTED: Final = ("engine_silent", "credential", "making_blocked", "workflow_silent", "paused")

#: Nothing can be done on a ground that is away: what fails because of that is told once.
_NO_GROUND: Final = (
    "pnfs_silent",
    "workflow_silent",
    "postprocessing_silent",
    "making_blocked",
    "database_error",
    "disk_nearly_full",
)
#: Why nothing happens.
_SAYS_WHY: Final = (
    *_NOTHING_SUBMITTED,
    "submit_breaker",
    "submission_waits",
    "submission_unknown",
    "submission_stuck",
    "dag_held",
    "dag_overdue",
    "foreign_dag",
    "no_data",
    "refresh_failed",
    "pnfs_silent",
    "exposure_stalled",
    "action_failed",
    "part_failed",
    "database_error",
    "disk_nearly_full",
)

_RULES: Final = (
    # What does not answer
    AlertRule(
        name="pnfs_silent",
        severity="critical",
        fires="/pnfs as a whole does not answer, or its root is away or empty",
        after=timedelta(minutes=1),
        clears="the root answers again",
        todo="`ls` it from another host; if it hangs there too, tell the storage service. Nothing is lost meanwhile",
    ),
    AlertRule(
        name="exposures_unseen",
        severity="warning",
        fires="folders of some exposures cannot be looked at, or hang",
        after=timedelta(minutes=30),
        muted_by=("pnfs_silent",),
        clears="they can be looked at",
        todo="look at the folder that the alert names; a hanging one is the storage service's",
    ),
    AlertRule(
        name="workflow_silent",
        severity="critical",
        fires="the gw_workflow folder does not answer, or is away",
        after=timedelta(minutes=1),
        clears="it answers again",
        todo="`ls` it; tell those who run the disk server. Nothing is made or submitted meanwhile",
    ),
    AlertRule(
        name="postprocessing_silent",
        severity="critical",
        fires="the Post-Processing folder does not answer or is away, or what a run writes there cannot be read",
        after=timedelta(minutes=1),
        muted_by=("workflow_silent",),
        clears="it answers again",
        todo="`ls` it; tell those who run the disk server. No run starts, none is followed meanwhile",
    ),
    AlertRule(
        name="processes_stuck",
        severity="warning",
        fires="as many processes hang on a tree as are allowed, and none of them can be ended",
        after=timedelta(minutes=10),
        muted_by=("pnfs_silent", "workflow_silent", "postprocessing_silent", "exposures_unseen"),
        clears="one of them has ended",
        todo="mend the mount; a restart of the machine frees them too",
    ),
    AlertRule(
        name="engine_silent",
        severity="critical",
        fires="the queue of the grid does not answer",
        after=timedelta(minutes=1),
        clears="it answers again",
        todo="run `condor_q` by hand; tell those who run the schedd",
    ),
    # Making and submitting
    AlertRule(
        name="making_blocked",
        severity="critical",
        fires="no DAG can be made: the set-up script fails, or a file that DAGMaker needs cannot be read",
        after=timedelta(minutes=1),
        muted_by=("workflow_silent",),
        clears="the cause has gone",
        todo="source the set-up script by hand and read what it says",
    ),
    AlertRule(
        name="credential",
        severity="critical",
        fires="the token or proxy has ended or is no good, and exposures wait for it",
        after=timedelta(minutes=1),
        clears="it is good again, or nothing waits",
        todo="renew it (`htgettoken`, `voms-proxy-init`)",
    ),
    AlertRule(
        name="credential_soon",
        severity="warning",
        fires="the token or proxy ends soon, and exposures wait in line",
        clears="it is renewed, or nothing waits",
        todo="renew it before it ends",
    ),
    AlertRule(
        name="submission_unknown",
        severity="critical",
        fires="nobody knows whether a DAG is in the queue",
        muted_by=("engine_silent", "database_error", "disk_nearly_full"),
        clears="the queue gives a sure answer, or a person resolves it",
        todo="look for its tag in the queue, then `desgw-daemon queue resolve EXPNUM --absent` (or `--adopt JOBID`)",
    ),
    AlertRule(
        name="submission_rejected",
        severity="warning",
        fires="a DAG is refused for good: trying it again would change nothing",
        clears="the exposure is tried again or removed",
        todo="read the reason, mend it, `desgw-daemon queue retry EXPNUM`",
    ),
    AlertRule(
        name="submit_breaker",
        severity="critical",
        fires="submissions fail one after another for the same cause",
        muted_by=_NOTHING_SUBMITTED,
        clears="one is taken",
        todo="mend the cause, or tell those who run the queue",
    ),
    AlertRule(
        name="submission_waits",
        severity="warning",
        fires="a DAG could not be submitted for long, although it is tried again and again",
        after=_PATIENCE,
        muted_by=(*_NOTHING_SUBMITTED, "submit_breaker"),
        clears="it is taken",
        todo="`desgw-daemon explain EXPNUM`",
    ),
    AlertRule(
        name="submission_stuck",
        severity="warning",
        fires="a submit command does not end",
        after=_PATIENCE,
        muted_by=("engine_silent",),
        clears="it ends",
        todo="end the command that hangs; the queue is asked then",
    ),
    AlertRule(
        name="dag_held",
        severity="critical",
        fires="a DAG is held for so long that others have got its place",
        clears="it is released or ended",
        todo="mend the cause of the hold, release the job",
    ),
    AlertRule(
        name="dag_overdue",
        severity="warning",
        fires="a DAG is in flight for much longer than any should be",
        muted_by=("engine_silent",),
        clears="it ends",
        todo="`desgw-daemon queue remove --dag EXPNUM` ends it",
    ),
    AlertRule(
        name="foreign_dag",
        severity="warning",
        fires="somebody else's DAG keeps an exposure back",
        after=_PATIENCE,
        muted_by=("engine_silent",),
        clears="that DAG has left the queue",
        todo="ask its owner",
    ),
    AlertRule(
        name="duplicate_dag",
        severity="critical",
        fires="a DAG is in the queue twice",
        clears="one of them has left",
        todo="end the one that is not followed, by its job id",
    ),
    AlertRule(
        name="disagreement",
        severity="warning",
        fires="the queue and /pnfs do not say the same of an exposure",
        # Longer than readiness.grace_after_dag: CCDs that are lost by then are the cause of it.
        after=timedelta(minutes=45),
        muted_by=("pnfs_silent", "engine_silent", "ccds_lost"),
        clears="they do",
        todo="`desgw-daemon explain EXPNUM`",
    ),
    AlertRule(
        name="no_templates",
        severity="warning",
        fires="DAGMaker found no template for exposures: difference imaging would fail",
        clears="they are tried again or removed",
        todo="look for templates of that field, or `desgw-daemon queue remove EXPNUM`",
    ),
    AlertRule(
        name="no_data",
        severity="warning",
        fires="exposures.list does not know queued exposures",
        after=_PATIENCE,
        muted_by=("workflow_silent", "making_blocked", "refresh_failed"),
        clears="it does, or they are removed",
        todo="`desgw-daemon exposures refresh`",
    ),
    AlertRule(
        name="refresh_failed",
        severity="warning",
        fires="exposures.list could not be refreshed",
        muted_by=("workflow_silent",),
        clears="a refresh ends well",
        todo="`desgw-daemon exposures refresh` says what is wrong",
    ),
    # Processing
    AlertRule(
        name="exposure_attention",
        severity="warning",
        fires="an exposure needs a person",
        clears="somebody has seen to it",
        todo="`desgw-daemon explain EXPNUM`",
    ),
    AlertRule(
        name="exposure_stalled",
        severity="warning",
        fires="no CCD of a running DAG has come to an end for much longer than usual",
        muted_by=("pnfs_silent", "engine_silent"),
        clears="one comes, or the DAG ends",
        todo="look at its jobs in the queue",
    ),
    AlertRule(
        name="ccds_lost",
        severity="warning",
        fires="a DAG has ended, and CCDs of it left no sign",
        clears="the exposure is settled otherwise, tried again or removed, or its season is done",
        todo="`desgw-daemon status EXPNUM` names job, host and exit code; `desgw-daemon queue retry EXPNUM`",
    ),
    AlertRule(
        name="step_failures",
        severity="warning",
        fires="many CCDs of a nite fail at the same step",
        clears="no more come for hours, or the nite is done",
        todo="read one FAIL log of that step: a template, a parameter or a program is wrong",
    ),
    AlertRule(
        name="host_failures",
        severity="warning",
        fires="many CCDs fail on the same host of the grid (a black hole)",
        clears="no more come for hours",
        todo="tell the grid's people the host's name; exclude it in dagmaker.rc",
    ),
    AlertRule(
        name="surplus_files",
        severity="warning",
        fires="forcephoto files that belong to no CCD stay",
        muted_by=("pnfs_silent",),
        clears="they go, or a person has decided",
        todo="`desgw-daemon status EXPNUM` names them",
    ),
    AlertRule(
        name="zero_size_files",
        severity="warning",
        fires="tarballs or forcephoto files of size 0 stay",
        muted_by=("pnfs_silent",),
        clears="they grow, or the exposure is settled without them",
        todo="`desgw-daemon status EXPNUM` names them; a broken transfer: tell the storage service",
    ),
    # Post-processing
    AlertRule(
        name="postproc_failed",
        severity="critical",
        fires="a run of post-processing failed, and is not tried again by itself",
        muted_by=("postprocessing_silent", "workflow_silent"),
        clears="a later run takes its exposures",
        todo="read its last words, mend the cause, `desgw-daemon postproc run --season N`",
    ),
    AlertRule(
        name="postproc_silent",
        severity="warning",
        fires="a run comes to no further step for longer than the step should take",
        muted_by=("postprocessing_silent", "workflow_silent"),
        clears="it goes on or ends",
        todo="look at its output; `desgw-daemon postproc stop --season N` ends it",
    ),
    AlertRule(
        name="postproc_left_out",
        severity="warning",
        fires="post-processing goes on without ready exposures that it would die of",
        clears="they can be taken in",
        todo="`desgw-daemon postproc plan`",
    ),
    AlertRule(
        name="postproc_done",
        severity="info",
        fires="a run of post-processing has ended well",
        clears="after some hours by itself",
        todo="`desgw-daemon postproc report --season N`",
    ),
    AlertRule(
        name="skipto_unsafe",
        severity="warning",
        fires="SKIPTO is chosen as the older automation does",
        clears="postproc.skipto is changed",
        todo='set postproc.skipto = "evidence"',
    ),
    # People
    AlertRule(
        name="paused",
        severity="warning",
        fires="a pause lasts for long",
        after=timedelta(hours=1),
        clears="`desgw-daemon resume`",
        todo="`desgw-daemon resume`, if it was forgotten",
    ),
    AlertRule(
        name="idle_night",
        severity="critical",
        fires="nothing has happened for hours although exposures are queued, and no other alert says why",
        muted_by=_SAYS_WHY,
        after=timedelta(minutes=10),
        clears="something is made, submitted or seen",
        todo="`desgw-daemon plan` says what each exposure waits for",
    ),
    AlertRule(
        name="inbox",
        severity="warning",
        fires="lists in the inbox cannot be taken",
        clears="they can",
        todo="`desgw-daemon queue add FILE` takes a list all the same",
    ),
    AlertRule(
        name="list_refused",
        severity="warning",
        fires="a list in the inbox was refused as a whole: none of its exposures is queued",
        clears="a list of that name is taken, the refused one is taken away, or after a day",
        todo="read the .why beside it, mend the list, drop it again",
    ),
    AlertRule(
        name="inbox_ignored",
        severity="info",
        fires="files in the inbox are no lists",
        clears="they are renamed or taken away",
        todo="rename them to NAME.list",
    ),
    # The daemon itself
    AlertRule(
        name="config_refused",
        severity="warning",
        fires="a changed daemon.toml is wrong; the values before it stay in force",
        # An editor that writes in place is seen half way.
        after=timedelta(minutes=1),
        clears="the file is right again",
        todo="`desgw-daemon config check`",
    ),
    AlertRule(
        name="action_failed",
        severity="critical",
        fires="something could not be done; it is tried again in each cycle",
        after=timedelta(minutes=2),
        muted_by=_NO_GROUND,
        clears="it is done",
        todo="read what the alert says",
    ),
    AlertRule(
        name="part_failed",
        severity="critical",
        fires="a part of the cycle ends with an error that nobody has foreseen; the other parts go on",
        after=timedelta(minutes=1),
        muted_by=("database_error", "disk_nearly_full"),
        clears="the part comes to its end",
        todo="the traceback is in the log: tell those who maintain the daemon",
    ),
    AlertRule(
        name="database_error",
        severity="critical",
        fires="the database cannot be read or written: nothing is done until it can",
        muted_by=("disk_nearly_full",),
        clears="a cycle is written down",
        todo="what the alert says; of a broken database it names the newest good copy: `desgw-daemon db restore COPY`",
    ),
    AlertRule(
        name="disk_nearly_full",
        severity="critical",
        fires="the disk of the state folder has little room left",
        after=timedelta(minutes=2),
        clears="there is room again",
        todo="make room; the daemon stops writing before SQLite does",
    ),
    AlertRule(
        name="poll_overrun",
        severity="warning",
        fires="cycles take longer than poll.interval",
        after=timedelta(minutes=10),
        muted_by=(
            "pnfs_silent",
            "exposures_unseen",
            "workflow_silent",
            "postprocessing_silent",
            "engine_silent",
            "clock_jumped",
        ),
        clears="they are in time again",
        todo="`v_poll` tells what took how long",
    ),
    AlertRule(
        name="clock_jumped",
        severity="warning",
        fires="the clock of this host was set by more than alerts.clock_jump",
        clears="after an hour without another jump",
        todo="look at the time service of the host (`timedatectl`)",
    ),
    AlertRule(
        name="restarts",
        severity="critical",
        fires="the daemon was started again and again without having been stopped",
        clears="an hour without another such start",
        todo="`desgw-daemon logs` and `systemctl status desgw-daemon`",
    ),
    AlertRule(
        name="checkup_failed",
        severity="warning",
        fires="`doctor` finds something that a night needs and is not there",
        # Longer than that of the rules that tell the same thing when something waits for it: they come first.
        after=timedelta(minutes=3),
        muted_by=(*_NO_GROUND, "engine_silent", "credential"),
        clears="a later check finds it",
        todo="`desgw-daemon doctor`",
    ),
    AlertRule(
        name="delivery_failed",
        severity="warning",
        fires="messages cannot be delivered by a channel",
        clears="one is delivered",
        todo="`desgw-daemon alerts test`",
    ),
)

#: Rules about exposures that each need a person, for a reason of its own: a report that names the exposures says
#: nothing more with the alert.
OF_EACH_EXPOSURE: Final = ("exposure_attention", "submission_rejected", "no_templates", "disagreement")

#: By name, in the order of the runbook.
RULES: Final[Mapping[str, AlertRule]] = {rule.name: rule for rule in _RULES}
