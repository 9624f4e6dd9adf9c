"""What a run of post-processing has come to: from its exit code, its status file, its step and its words.

Its exit code alone does not tell: run_postproc.py ends with 1 at step 5 when there are no candidates, or fewer than it
has processes for, and with 0 at step 6 when none of them passes the cuts. These three are results of a run that did its
work. What cannot be told is a failure, for a person to look at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from desgw_daemon.domain.states import RunResult, RunState

#: Step 5 makes a data file of each candidate, step 6 cuts them.
_DATA_FILES: Final = 5
_PLOTS: Final = 6
#: Step 5 without a candidate: it says so, or trips over the empty answer of its query.
_NONE: Final = re.compile(
    r"(?i)\b(?:no|0) candidates\b|^IndexError: .*(?:size 0|out of range|out of bounds)", re.MULTILINE
)
#: Step 5 with fewer candidates than `ncore`: one of its parts is empty.
_FEW: Final = re.compile(
    r"(?i)\b[1-9]\d* candidates?: nothing to do|^ValueError: min\(\) arg is an empty sequence", re.MULTILINE
)
_NONE_PASSES: Final = re.compile(r"(?i)\bempty candidate")
#: What each result is called.
SAID: Final = {
    RunResult.CANDIDATES: "it is complete",
    RunResult.NO_CANDIDATES: "there are no candidates. That is a result, not a failure",
    RunResult.FEW_CANDIDATES: "there are fewer candidates than it has processes for (ncore of the ini): it makes no"
    " data files of so few. That is a result, not a failure",
    RunResult.NONE_PASSES: "there are candidates, and none passes the cuts. That is a result, not a failure",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnd:
    """How a run is to be written down. result: None when it has failed."""

    state: RunState
    result: RunResult | None
    reason: str


def judge_end(*, ended: str, exit_code: int | None, step: int | None, complete: bool | None, last_step: str) -> RunEnd:
    """What a run_postproc.py that has ended has come to.

    ended: how, in words, with its exit code or signal. complete: what PostProcStatus says; None when it says nothing of
    this run. last_step: its output from the line `Run STEP n:` of its last step on.
    """
    where = "before its first step" if step is None else f"at step {step}"
    if exit_code == 0 and complete:
        return _came_to(RunResult.CANDIDATES, ended)
    if exit_code == 0 and step == _PLOTS and _NONE_PASSES.search(last_step):
        return _came_to(RunResult.NONE_PASSES, f"{ended} {where}")
    if exit_code == 1 and step == _DATA_FILES:
        if _NONE.search(last_step):
            return _came_to(RunResult.NO_CANDIDATES, f"{ended} {where}")
        if _FEW.search(last_step):
            return _came_to(RunResult.FEW_CANDIDATES, f"{ended} {where}")
    if exit_code == 0:
        says = "says nothing of this run" if complete is None else "says `incomplete`"
        ended = f"{ended} {where}, but its PostProcStatus file {says}, so it is not whole"
        return RunEnd(state=RunState.FAILED, result=None, reason=f"run_postproc.py {ended}")
    return RunEnd(state=RunState.FAILED, result=None, reason=f"run_postproc.py {ended} {where}")


def _came_to(result: RunResult, ended: str) -> RunEnd:
    return RunEnd(state=RunState.DONE, result=result, reason=f"run_postproc.py {ended}: {SAID[result]}")
