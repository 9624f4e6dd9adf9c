"""Values for the tests of SKIPTO: the files that a run leaves, and the runs that left them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from desgw_daemon.decide.evidence import NextRun
from desgw_daemon.decide.skipto import STARTS, SkiptoChoice, choose_skipto
from desgw_daemon.domain.facts import EvidenceFile, PostprocEvidence, SeasonTrace
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.runs import PostprocRun
from desgw_daemon.domain.states import RunState
from tests.decide.build import EXPNUM, NITE, POLICY, SEASON, after, run

ROLES: Final = tuple(role for start in STARTS for role in start.needs)
#: The step that writes each file.
WRITTEN_IN: Final = {role: start.made_in for start in STARTS for role in start.needs}
#: The highest start that does not need the file.
BELOW: Final = {0: 0, 2: 2, 3: 3, 4: 4, 5: 5}
EXPNUMS: Final = (EXPNUM, EXPNUM + 1)
EXPOSURES: Final = ((EXPNUM, NITE, "i"), (EXPNUM + 1, NITE, "z"))
ANY_STEP: Final = replace(POLICY, postproc_max_skipto=7)


def file(role: str, at: datetime, **values: Any) -> EvidenceFile:
    """One that a run left."""
    known: dict[str, Any] = {"path": role, "size": 100, "mtime": at.timestamp()}
    match role:
        case "step0_expnums":
            known["expnums"] = EXPNUMS
        case "step0_blacklist":
            known |= {"size": 0, "expnums": ()}
        case "expniteband_df":
            known["entries"] = EXPOSURES
        case "filename_1":
            known["rows"] = len(EXPNUMS)
    return EvidenceFile(**(known | values))


def files(**changed: Any) -> dict[str, EvidenceFile]:
    """All of them, written in the first run, but for the changed ones; None is one that is not there."""
    every = {role: file(role, after(hours=1)) for role in ROLES} | changed
    return {role: found for role, found in every.items() if found is not None}


def ended(number: int = 1, step: int | None = 7, state: RunState = RunState.FAILED, **values: Any) -> PostprocRun:
    """A run of three hours that came to this step."""
    return run(number, state, **({"step": step, "expnums": EXPNUMS} | values))


def choose(
    *runs: PostprocRun,
    there: dict[str, EvidenceFile] | None = None,
    policy: Policy = POLICY,
    print_: str = "f",
    others: tuple[SeasonTrace, ...] = (),
    problem: str | None = None,
    **coming: Any,
) -> SkiptoChoice:
    """The start of the next run."""
    evidence = PostprocEvidence(files=files() if there is None else there, ini="an.ini", others=others, problem=problem)
    values: dict[str, Any] = {"season": SEASON, "fingerprint": print_, "exposures": EXPOSURES}
    return choose_skipto(runs, NextRun(**(values | coming)), evidence, policy)
