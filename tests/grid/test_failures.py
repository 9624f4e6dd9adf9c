"""The failure table: a recorded text for each row, and what may never be concluded from one."""

from __future__ import annotations

import re
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desgw_daemon.grid.engine import Accepted, Rejected, Unclear
from desgw_daemon.grid.failures import TABLE, End, Program, classify

RULER = "=-" * 30
FAILED = f"\n{RULER}\n\nError: condor_submit exited with failed status code 1\n\n{RULER}\n\n"
GOOD = f"""\
Attempting to get token from https://vault.test:8200 ... succeeded
flag --need-storage-modify ignored in DAG
Submitting job(s).
1 job(s) submitted to cluster 163.

{RULER}

Use job id 163.0@jobsub01.fnal.test to retrieve output

{RULER}
"""
DAGMAN_FILES = """\

-----------------------------------------------------------------------
File for submitting this DAG to HTCondor           : x.dag.condor.sub
Log of DAGMan debugging messages                   : x.dag.dagman.out
Log of HTCondor library error messages             : x.dag.lib.err
-----------------------------------------------------------------------
"""
TRACEBACK = """\
Traceback (most recent call last):
  File "/opt/jobsub_lite/bin/jobsub_submit_dag", line 12, in <module>
    main()
  File "/opt/jobsub_lite/lib/x.py", line 3, in main
    raise KeyError("Jobsub_Max_Jobs_Per_Submission")
KeyError: 'Jobsub_Max_Jobs_Per_Submission'
"""

#: program, text, exit code, kind, cause, the words that a person must find in the reason. As recorded.
RECORDED: tuple[tuple[Program, str, int, str, str, str], ...] = (
    (
        "jobsub",
        "Submitting job(s)\nERROR: Failed to create cluster\nNumber of submitted jobs would exceed MAX_JOBS_PER_OWNER\n"
        + FAILED,
        0,
        "transient",
        "quota",
        "MAX_JOBS_PER_OWNER",
    ),
    (
        "jobsub",
        "ERROR: Failed to create cluster\nNumber of submitted jobs would exceed MAX_JOBS_SUBMITTED\n" + FAILED,
        0,
        "transient",
        "quota",
        "MAX_JOBS_SUBMITTED",
    ),
    (
        "jobsub",
        "flag --need-storage-modify ignored in DAG\nERROR: Failed to process job credential requests (1): exit\n"
        + FAILED,
        0,
        "credential",
        "credential_store",
        "Failed to process job credential requests",
    ),
    (
        "jobsub",
        "ERROR: Number of submitted jobs would exceed MAX_JOBS_PER_SUBMISSION\n"
        f"{RULER}\nError: condor_submit exited with failed status code 1\n\nMAX_JOBS_PER_SUBMISSION limits are 10000\n",
        0,
        "permanent",
        "too_many_jobs",
        "MAX_JOBS_PER_SUBMISSION",
    ),
    ("jobsub", TRACEBACK, 1, "permanent", "too_many_jobs", "KeyError: 'Jobsub_Max_Jobs_Per_Submission'"),
    (
        "jobsub",
        "Error: PermissionError: Failed attempting 'htgettoken -a fermicloud.test -i des -r desgw'\n",
        1,
        "credential",
        "no_token",
        "htgettoken",
    ),
    (
        "jobsub",
        "Error: ValueError: BEARER_TOKEN_FILE contains a token with the wrong group or role: /des/analysis\n",
        1,
        "permanent",
        "wrong_role",
        "wrong group or role",
    ),
    (
        "jobsub",
        "Error: PermissionError: Unable to add 'storage.modify:/x' scope given initial scope '['a']'\n",
        1,
        "permanent",
        "wrong_scope",
        "storage.modify:/x",
    ),
    (
        "jobsub",
        "Error: HTCondorIOError: Failed communication with collector.\n",
        1,
        "transient",
        "collector",
        "Failed communication with collector",
    ),
    (
        "jobsub",
        "Error: RuntimeError: Error: No schedds satisfying the constraint were found\n",
        1,
        "transient",
        "no_schedd",
        "No schedds satisfying",
    ),
    (
        "jobsub",
        "usage: jobsub_submit_dag [-h] [-G GROUP] [--role ROLE]\n                         [executable]\n"
        "jobsub_submit_dag: error: unrecognized arguments: --bogus\n"
        "Syntax Error at file desgw_pipeline_938524.dag line 7\n",
        2,
        "permanent",
        "dag_syntax",
        "line 7",
    ),
    (
        "jobsub",
        "usage: jobsub_submit_dag [-h] [-G GROUP]\njobsub_submit_dag: error: unrecognized arguments: --rolle=desgw\n",
        2,
        "transient",
        "wrong_options",
        "--rolle=desgw",
    ),
    (
        "jobsub",
        "Error: FileNotFoundError: [Errno 2] No such file or directory: '/w/SEdiff.sh'\n",
        1,
        "permanent",
        "missing_file",
        "/w/SEdiff.sh",
    ),
    (
        "jobsub",
        "ERROR: Parse error in expression: \n\tDesgwTag = foo bar(\n\t\nERROR: on Line 3 of submit file: \n" + FAILED,
        0,
        "permanent",
        "bad_submit",
        "Parse error in expression",
    ),
    (
        "jobsub",
        "Submitting job(s).\n1 job(s) submitted to cluster 163.\nERROR: Failed to spool job files.\n" + FAILED,
        0,
        "unclear",
        "spooling",
        "Failed to spool job files",
    ),
    (
        "jobsub",
        "Submitting job(s).\n1 job(s) submitted to cluster 163.\n" + FAILED,
        0,
        "unclear",
        "spooling",
        "cluster 163",
    ),
    ("jobsub", FAILED, 0, "unclear", "condor_submit", "condor_submit exited with failed status code 1"),
    (
        "jobsub",
        "Error: OSError: [Errno 28] No space left on device: '/home/x/.cache/jobsub_lite/js_1'\n",
        1,
        "unclear",
        "disk",
        "No space left on device",
    ),
    (
        "jobsub",
        "cannot start jobsub_submit_dag: [Errno 2] No such file or directory: 'jobsub_submit_dag'",
        127,
        "transient",
        "no_program",
        "cannot start jobsub_submit_dag",
    ),
    (
        "condor",
        "\nERROR: Can't find address of local schedd\nERROR: condor_submit failed; aborting.\n" + DAGMAN_FILES,
        1,
        "transient",
        "no_schedd",
        "Can't find address of local schedd",
    ),
    (
        "condor",
        "\nERROR: Can't find address of schedd nowhere.fnal.test\nERROR: condor_submit failed; aborting.\n",
        1,
        "transient",
        "no_schedd",
        "nowhere.fnal.test",
    ),
    (
        "condor",
        "Submitting job(s)\nERROR: Failed to connect to local queue manager\nCEDAR:6001:Failed to connect to"
        " <127.0.0.1:9618>\nERROR: condor_submit failed; aborting.\n",
        1,
        "transient",
        "no_connection",
        "Failed to connect to local queue manager",
    ),
    (
        "condor",
        "Submitting job(s)\nERROR: Failed to connect to local queue manager\nAUTHENTICATE:1003:Failed to authenticate"
        " with any method\nERROR: condor_submit failed; aborting.\n" + DAGMAN_FILES,
        1,
        "credential",
        "not_authenticated",
        "Failed to authenticate with any method",
    ),
    (
        "condor",
        'ERROR: "x.dag.condor.sub" already exists.\n\nSome file(s) needed by condor_dagman already exist. Either:\n'
        '- Rename them\n- Use the "-f" option to force them to be overwritten\n',
        1,
        "unclear",
        "already_there",
        "x.dag.condor.sub",
    ),
    (
        "condor",
        "ERROR: unable to create submit file x.dag.condor.sub\n",
        1,
        "transient",
        "disk",
        "unable to create submit file",
    ),
    (
        "condor",
        "ERROR: MultiLogFiles::FileReader::Open(): safe_fopen_wrapper_follow(x.dag) failed with errno 2 (No such file"
        " or directory)\n",
        1,
        "permanent",
        "missing_file",
        "x.dag",
    ),
    (
        "condor",
        "Error: Unknown flag '-bogus' provided\n\nUsage: condor_submit_dag [options] dag_file\n    -help     (print)\n",
        1,
        "transient",
        "wrong_options",
        "-bogus",
    ),
    (
        "condor",
        "Submitting job(s).\nERROR: Failed to commit job submission into the queue.\n"
        "ERROR: Got invalid attribute named Des( for job 6.-1\nERROR: condor_submit failed; aborting.\n",
        1,
        "permanent",
        "bad_line",
        "Des(",
    ),
    (
        "condor",
        "Submitting job(s).\nERROR: Failed to commit job submission into the queue.\n"
        "ERROR: condor_submit failed; aborting.\n",
        1,
        "unclear",
        "commit",
        "Failed to commit job submission",
    ),
    (
        "condor",
        "ERROR: on Line 3 of submit file: \nERROR: Failed to parse command file (line 3).\n",
        1,
        "permanent",
        "bad_submit",
        "Line 3 of submit file",
    ),
    ("condor", "ERROR: condor_submit failed; aborting.\n" + DAGMAN_FILES, 1, "unclear", "condor_submit", "failed"),
    ("jobsub", "The moon is in the wrong house\n", 0, "unclear", "never_seen", "The moon is in the wrong house"),
    ("condor", "", 0, "unclear", "never_seen", "it said nothing (exit code 0)"),
)


def kind_of(outcome: Accepted | Rejected | Unclear) -> str:
    """As the table names it."""
    match outcome:
        case Accepted():
            return "accepted"
        case Rejected(kind):
            return kind
        case Unclear():
            return "unclear"


class TestRows:
    """Each recorded text leads to its row, and its reason holds the line that says why."""

    @pytest.mark.parametrize(
        ("program", "text", "code", "kind", "cause", "shown"), RECORDED, ids=[f"{r[0]}-{r[4]}" for r in RECORDED]
    )
    def test_recorded(self, program: Program, text: str, code: int, kind: str, cause: str, shown: str) -> None:
        outcome = classify(program, text, exit_code=code)
        assert not isinstance(outcome, Accepted)
        assert (kind_of(outcome), outcome.cause) == (kind, cause)
        assert shown in outcome.reason
        assert "\n" not in outcome.reason

    def test_every_row_has_a_text(self) -> None:
        """No row without a recorded text: one that no text reaches would be dead."""
        tried = {cause for _, _, _, _, cause, _ in RECORDED} | {"timed_out", "killed", "lost"}
        assert tried == {row.cause for row in TABLE}

    @pytest.mark.parametrize("row", [row for row in TABLE if row.kind != "unclear"], ids=lambda row: row.cause)
    def test_a_rejection_is_proven(self, row: object) -> None:
        """Nothing that leaves a doubt is a rejection."""
        assert getattr(row, "phase") != "doubt"  # noqa: B009  # the type would rule out what is tested


class TestExitCodesLie:
    """The text decides: no exit code makes a success of a failure, or the other way round."""

    @pytest.mark.parametrize(("program", "text"), [(r[0], r[1]) for r in RECORDED])
    @pytest.mark.parametrize("code", [0, 1, 2, 255])
    def test_no_success_by_code(self, program: Program, text: str, code: int) -> None:
        assert not isinstance(classify(program, text, exit_code=code), Accepted)

    @pytest.mark.parametrize("code", [0, 1, 2, 255])
    def test_success_by_line(self, code: int) -> None:
        assert classify("jobsub", GOOD, exit_code=code) == Accepted("163.0@jobsub01.fnal.test")
        text = "Submitting job(s).\n1 job(s) submitted to cluster 7.\n" + DAGMAN_FILES
        assert classify("condor", text, exit_code=code, schedd="s.test") == Accepted("7.0@s.test")
        assert classify("condor", text, exit_code=code) == Accepted("7.0")


class TestTheLineWithTheId:
    """It outweighs whatever stands beside it: the schedd has the DAG."""

    @pytest.mark.parametrize("text", [r[1] for r in RECORDED if r[0] == "jobsub"])
    def test_beside_an_error(self, text: str) -> None:
        """Before or after it: the order of stdout and stderr in a file tells nothing."""
        for both in (GOOD + text, text + GOOD):
            assert classify("jobsub", both, exit_code=1) == Accepted("163.0@jobsub01.fnal.test")

    @pytest.mark.parametrize("end", get_args(End))
    def test_whatever_came_of_the_command(self, end: End) -> None:
        """It had said so before it was ended."""
        assert classify("jobsub", GOOD, exit_code=None, end=end) == Accepted("163.0@jobsub01.fnal.test")

    def test_condor_submit_is_not_jobsub(self) -> None:
        """jobsub prints the words of condor_submit, too: they are no success without the id."""
        assert kind_of(classify("jobsub", "1 job(s) submitted to cluster 163.\n", exit_code=0)) == "unclear"

    def test_two_ids(self) -> None:
        """One DAG, two jobs: the queue must explain it. The same id twice is one."""
        outcome = classify("jobsub", GOOD + GOOD.replace("163", "164"), exit_code=0)
        assert isinstance(outcome, Unclear) and outcome.cause == "two_ids"
        assert "163.0@" in outcome.reason and "164.0@" in outcome.reason
        assert isinstance(classify("jobsub", GOOD + GOOD, exit_code=0), Accepted)


class TestNotEndedByItself:
    """What it had said before proves nothing: it may have gone on and submitted."""

    @pytest.mark.parametrize(
        ("end", "cause"), [("timed_out", "timed_out"), ("signal", "killed"), ("lost", "lost")], ids=str
    )
    @pytest.mark.parametrize("text", ["", *(r[1] for r in RECORDED)])
    def test_unclear(self, end: End, cause: str, text: str) -> None:
        outcome = classify("jobsub", text, exit_code=None, end=end)
        assert isinstance(outcome, Unclear) and outcome.cause == cause

    def test_its_words_are_shown(self) -> None:
        text = "flag --need-storage-modify ignored in DAG\nError: HTCondorIOError: Failed communication\n"
        assert "HTCondorIOError" in _unclear("jobsub", text, "timed_out").reason


class TestReasons:
    """The first line that says why, and never noise."""

    def test_noise(self) -> None:
        text = f"flag --need-storage-modify ignored in DAG\nwarning: a sandbox\n{RULER}\nOdd error: x\nlater words\n"
        outcome = classify("jobsub", text, exit_code=1)
        assert isinstance(outcome, Unclear) and outcome.reason.startswith("Odd error: x (")

    def test_frames(self) -> None:
        """Of a traceback only its last line."""
        text = 'Traceback (most recent call last):\n  File "x.py", line 1, in error\n    fail()\nOddError: no\n'
        outcome = classify("jobsub", text, exit_code=1)
        assert isinstance(outcome, Unclear) and outcome.reason.startswith("OddError: no (")

    def test_only_noise(self) -> None:
        outcome = classify("jobsub", "flag --need-storage-modify ignored in DAG\n\n", exit_code=0)
        assert isinstance(outcome, Unclear) and "it said nothing" in outcome.reason

    def test_long_lines_are_cut(self) -> None:
        outcome = classify("jobsub", "Error: " + "x" * 5000, exit_code=1)
        assert isinstance(outcome, Unclear) and len(outcome.reason) < 400


@given(text=st.text(), code=st.none() | st.integers(-64, 255), end=st.sampled_from(get_args(End)))
def test_any_text(text: str, code: int | None, end: End) -> None:
    """Whatever is said, there is an answer; a text without an id is never a success."""
    for program in get_args(Program):
        outcome = classify(program, text, exit_code=code, end=end)
        if not re.search(r"job id \d|to cluster \d", text):
            assert not isinstance(outcome, Accepted)


def _unclear(program: Program, text: str, end: End) -> Unclear:
    outcome = classify(program, text, exit_code=None, end=end)
    assert isinstance(outcome, Unclear)
    return outcome
