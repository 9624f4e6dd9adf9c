"""The failure table: what the answer of a submit command means. One place, for all programs that take DAGs.

Exit codes lie (jobsub_submit_dag returns 0 after a refusal), so the text decides. Only the line that names the job
is success. Only what is proven not to be queued is a rejection; whatever no row knows is unclear, and the queue is
asked before anything is submitted again. This module must not ask anybody, nor run anything: a text goes in, a value
comes out. Where the texts come from: jobsub_lite 1.12 and HTCondor 23.9, recorded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from desgw_daemon.grid.engine import Accepted, Rejected, Unclear

Program = Literal["jobsub", "condor"]
#: How the command ended: by itself, after its time-out, by a signal, or unseen (the machine was restarted).
End = Literal["itself", "timed_out", "signal", "lost"]
Kind = Literal["transient", "credential", "permanent", "unclear"]
#: before: nothing had been handed to a schedd. refused: the schedd, or condor_submit in front of it, has said no.
#: doubt: it may have been taken.
Phase = Literal["before", "refused", "doubt"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One kind of failure.

    cause: a word, the same for the same trouble whatever the exposure.
    pattern: what one of its lines looks like; None: whatever it says.
    end: how the command must have ended. What has not ended by itself proves nothing with what it had said before.
    program: None is any.
    words: what it means, for people; what to do where a person is wanted.
    """

    cause: str
    pattern: str | None = None
    end: End = "itself"
    program: Program | None = None
    phase: Phase
    kind: Kind
    words: str

    def line_of(self, lines: list[str], program: Program, end: End) -> str | None:
        """The first line that this row is about, "" where any will do; None: another row must know."""
        if end != self.end or self.program not in (None, program):
            return None
        if self.pattern is None:
            return ""
        return next((line for line in lines if re.search(self.pattern, line)), None)


#: The first row that fits counts: what leaves a doubt stands before what would take it away.
TABLE: Final[tuple[Row, ...]] = (
    # -- it did not end by itself --------------------------------------------------------------------------
    Row(
        cause="timed_out",
        end="timed_out",
        phase="doubt",
        kind="unclear",
        words="it was ended after its time-out (a schedd that is frozen lets it hang)",
    ),
    Row(cause="killed", end="signal", phase="doubt", kind="unclear", words="somebody ended it"),
    Row(cause="lost", end="lost", phase="doubt", kind="unclear", words="it is gone, and nobody saw its end"),
    # -- it may have been taken ----------------------------------------------------------------------------
    Row(
        cause="spooling",
        pattern=r"Failed to spool job files",
        phase="doubt",
        kind="unclear",
        words="the schedd has taken it and not got all its files",
    ),
    Row(
        # condor_submit's own words; jobsub's line with the id, which follows when all is well, is missing
        cause="spooling",
        pattern=r"submitted to cluster \d+",
        program="jobsub",
        phase="doubt",
        kind="unclear",
        words="the schedd has taken it, and jobsub did not come to its end",
    ),
    Row(
        cause="bad_line",
        pattern=r"Got invalid attribute named",
        phase="refused",
        kind="permanent",
        words="a line added to the job (-l, -append) is none that HTCondor understands",
    ),
    Row(
        cause="commit",
        pattern=r"Failed to commit job submission",
        phase="doubt",
        kind="unclear",
        words="the schedd may have taken it all the same",
    ),
    Row(
        cause="already_there",
        pattern=r"\.(condor\.sub|lib\.out|lib\.err|dagman\.log)\S* already exists|condor_dagman already exist",
        program="condor",
        phase="doubt",
        kind="unclear",
        words="it was submitted from this folder before",
    ),
    Row(
        cause="disk",
        pattern=r"unable to create submit file",
        program="condor",
        phase="before",
        kind="transient",
        words="the folder of the submission cannot be written to",
    ),
    Row(
        # the line with the id may be what found no room
        cause="disk",
        pattern=r"No space left on device|Disk quota exceeded",
        phase="doubt",
        kind="unclear",
        words="a disk of this machine is full: what it said is perhaps not all that it did",
    ),
    # -- credentials ---------------------------------------------------------------------------------------
    Row(
        cause="wrong_role",
        pattern=r"contains a token with the wrong group or role",
        program="jobsub",
        phase="before",
        kind="permanent",
        words="the token is of another group or role: see BEARER_TOKEN_FILE, and [jobsub] group and role",
    ),
    Row(
        cause="wrong_scope",
        pattern=r"Unable to add '.*' scope given initial scope",
        program="jobsub",
        phase="before",
        kind="permanent",
        words="the token does not allow to write there: see [jobsub] storage",
    ),
    Row(
        cause="no_token",
        pattern=r"Failed attempting '[^']*htgettoken|^htgettoken: .*[Ff]ail",
        program="jobsub",
        phase="before",
        kind="credential",
        words="the token is missing or ends, and htgettoken could not renew it",
    ),
    Row(
        cause="credential_store",
        pattern=r"Failed to process job credential requests",
        phase="refused",
        kind="credential",
        words="the credential could not be stored for the jobs",
    ),
    Row(
        cause="not_authenticated",
        pattern=r"AUTHENTICATE:\d+:",
        phase="refused",
        kind="credential",
        words="the schedd does not believe who we are",
    ),
    # -- what passes ---------------------------------------------------------------------------------------
    Row(
        cause="quota",
        pattern=r"would exceed MAX_JOBS_(PER_OWNER|SUBMITTED)",
        phase="refused",
        kind="transient",
        words="the queue holds as many jobs as it may",
    ),
    Row(
        cause="collector",
        pattern=r"Failed communication with collector",
        phase="before",
        kind="transient",
        words="the collector of the pool cannot be reached",
    ),
    Row(
        cause="no_schedd",
        pattern=r"No schedds satisfying the constraint|Can't find address of (local )?schedd",
        phase="before",
        kind="transient",
        words="no schedd is there that takes jobs: it is off, or in downtime",
    ),
    Row(
        cause="no_connection",
        pattern=r"Failed to connect to (local )?queue manager",
        phase="before",
        kind="transient",
        words="the schedd does not answer",
    ),
    Row(
        cause="no_program",
        pattern=r"^cannot start |: command not found$",
        phase="before",
        kind="transient",
        words="the submit command itself cannot be started: see its name in daemon.toml, and the PATH of the set-up",
    ),
    # -- what will never pass ------------------------------------------------------------------------------
    Row(
        cause="dag_syntax",
        pattern=r"Error at file .+ line \d+",
        program="jobsub",
        phase="before",
        kind="permanent",
        words="jobsub does not understand this line of the DAG",
    ),
    Row(
        # one mistake of daemon.toml, and not every exposure's: nobody is parked for it
        cause="wrong_options",
        pattern=r"^[\w.-]+: error: |Unknown flag ",
        phase="before",
        kind="transient",
        words="the command line is not understood: see the options in daemon.toml",
    ),
    Row(
        cause="too_many_jobs",
        pattern=r"MAX_JOBS_PER_SUBMISSION|Jobsub_Max_Jobs_Per_Submission",
        phase="refused",
        kind="permanent",
        words="one submission may not hold so many jobs",
    ),
    Row(
        cause="missing_file",
        pattern=r"FileNotFoundError: |failed with errno 2 ",
        phase="before",
        kind="permanent",
        words="a file that the DAG names is not there",
    ),
    Row(
        cause="bad_submit",
        pattern=r"Parse error in expression|Line \d+ of submit file|Failed to parse command file",
        phase="refused",
        kind="permanent",
        words="HTCondor does not understand the submit description: see the options in daemon.toml and in the DAG",
    ),
    # -- what nobody has explained -------------------------------------------------------------------------
    Row(
        cause="condor_submit",
        pattern=r"condor_submit exited with failed status code|condor_submit failed; aborting",
        phase="doubt",
        kind="unclear",
        words="condor_submit failed, and did not say why in words that are known",
    ),
    Row(cause="never_seen", phase="doubt", kind="unclear", words="an answer in words that are not known"),
)

_ID: Final = {
    "jobsub": re.compile(r"Use job id (?P<id>\d+(\.\d+)?@[\w.-]+) to retrieve output"),
    "condor": re.compile(r"submitted to cluster (?P<id>\d+)"),
}
#: Lines that say nothing about the cause: rulers, usages, the frames of a traceback, what is said in good times too.
_NOISE: Final = re.compile(
    r"\W*$|flag --need-storage-modify ignored|Traceback \(most|\s|\[?--|usage: |Submitting job|Attempting |Storing "
    r"|(File for submitting|Log of) .* : |[Ww]arning:"
)
#: A line that looks like a complaint.
_COMPLAINT: Final = re.compile(r"(?i)error|fail|cannot|can't|could not|denied|refused|exceed|unable|not found")
_LONGEST: Final = 300


def classify(
    program: Program, text: str, *, exit_code: int | None, end: End = "itself", schedd: str = ""
) -> Accepted | Rejected | Unclear:
    """What the answer of a submit command means.

    text: stdout and stderr together, in whatever order. schedd: what took it, where the program does not say so itself.

    A line that names the job outweighs whatever stands beside it, and however the command has ended: the schedd has
    the DAG then, and trouble with it is the queue's to tell. Two with different ids are for the queue to explain.
    """
    ids = list(dict.fromkeys(found["id"] for found in _ID[program].finditer(text)))
    if len(ids) == 1:
        return Accepted(ids[0] if program == "jobsub" else f"{ids[0]}.0@{schedd}".rstrip("@"))
    if ids:
        return Unclear(f"it names {len(ids)} jobs for one DAG: {', '.join(ids)}", "two_ids")
    lines = [line.rstrip() for line in text.splitlines() if not _NOISE.match(line)]
    # but a complaint may be indented, or stand in a line that looks like a usage
    everything = [*lines, *(line.strip() for line in text.splitlines() if line.strip())]
    for row in TABLE:
        line = row.line_of(everything, program, end)
        if line is not None:
            break
    said = line or _first_words(lines)
    reason = f"{_cut(said)} ({row.words})" if said else f"{row.words}; it said nothing ({_how(exit_code, end)})"
    return Unclear(reason, row.cause) if row.kind == "unclear" else Rejected(row.kind, reason, row.cause)


def _first_words(lines: list[str]) -> str:
    """The first complaint; else the last thing that was said."""
    return next((line for line in lines if _COMPLAINT.search(line)), lines[-1] if lines else "")


def _how(exit_code: int | None, end: End) -> str:
    if end == "itself":
        return f"exit code {exit_code}"
    return {"timed_out": "ended after its time-out", "signal": "ended by a signal", "lost": "lost"}[end]


def _cut(line: str) -> str:
    return line if len(line) <= _LONGEST else line[: _LONGEST - 3] + "..."
