"""At which step run_postproc.py may start. The one place that knows.

Above 0 only when an own, earlier run of the same exposures and bands has finished the steps before it, and every file
that a start there reads is whole and was written by that run (or by the unbroken chain of runs before it that it
continued). SKIPTO > 0 takes the exposures from step0_expnums.txt: one that became ready later would be left out
without a word, so a set that grew starts at 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from desgw_daemon.decide.words import at
from desgw_daemon.domain.facts import EvidenceFile
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.snapshot import PostprocRun
from desgw_daemon.domain.states import RUN_LIVE

#: What a start at each step reads, beyond what the step before reads (table of the pipeline's contract). 1 and 2
#: are the same start, as are 6 and 7: the higher number says nothing more.
INPUTS: Final[Mapping[int, tuple[str, ...]]] = {
    1: ("expniteband_df", "filename_1", "step0_expnums", "step0_blacklist"),
    3: (),
    4: ("hostmatchstatus",),
    5: ("truthplus",),
    6: ("mastertableinfo", "combined_fits"),
}
#: step0_a_blacklist.txt lists what was left out: nothing, as a rule.
MAY_BE_EMPTY: Final = frozenset({"step0_blacklist"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SkiptoRow:
    """One possible start: whether it would work, and why or why not."""

    skipto: int
    possible: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SkiptoChoice:
    """The start that was chosen (0: from scratch), why, and what was weighed."""

    skipto: int
    reason: str
    rows: tuple[SkiptoRow, ...]


def choose_skipto(
    runs: Sequence[PostprocRun],
    season: int,
    fingerprint: str,
    expnums: Sequence[int],
    files: Mapping[str, EvidenceFile],
    policy: Policy,
) -> SkiptoChoice:
    """The highest step at which the season's next run can start with these exposures.

    files: what is on disk, by the role it plays (INPUTS); a role that is not there does not exist.
    """
    if policy.postproc_skipto == "never":
        return SkiptoChoice(skipto=0, reason='from scratch: postproc.skipto = "never"', rows=())
    chain = _chain(runs, season, fingerprint)
    if not chain:
        mine = [run for run in runs if run.season == season and run.started_at is not None]
        reason = (
            f"run {mine[-1].number} of season {season} was of other exposures or bands: from scratch"
            if mine
            else f"no earlier run of season {season}: from scratch"
        )
        return SkiptoChoice(skipto=0, reason=reason, rows=())
    begun = min(run.started_at for run in chain if run.started_at is not None)
    reached = max(run.step if run.step is not None else 0 for run in chain)
    rows: list[SkiptoRow] = []
    chosen, ok = 0, True
    for step, roles in INPUTS.items():
        if ok:
            problem = _problem(step, roles, reached, begun, expnums, files)
            if problem is None and step > policy.postproc_max_skipto:
                problem = f"not above postproc.max_skipto = {policy.postproc_max_skipto}"
            ok = problem is None
        else:
            problem = "what an earlier start needs is missing"
        rows.append(SkiptoRow(skipto=step, possible=ok, reason=problem or f"every input is whole, since {at(begun)}"))
        if ok:
            chosen = step
    last = chain[-1]
    why = f"run {last.number} of the same exposures reached step {reached}"
    told = f"{why}; the inputs of a start at step {chosen} are whole" if chosen else f"{why}: {rows[0].reason}"
    return SkiptoChoice(skipto=chosen, reason=told, rows=tuple(rows))


def _chain(runs: Sequence[PostprocRun], season: int, fingerprint: str) -> list[PostprocRun]:
    """The newest runs of the season in a row that were of the same exposures, from the one that began at 0."""
    chain: list[PostprocRun] = []
    for run in sorted((r for r in runs if r.season == season), key=lambda r: r.number, reverse=True):
        if run.started_at is None or run.state in RUN_LIVE:
            continue  # it never touched a file
        if run.fingerprint != fingerprint:
            break
        chain.insert(0, run)
        if run.skipto == 0:
            return chain
    return []


def _problem(
    step: int,
    roles: Sequence[str],
    reached: int,
    begun: datetime,
    expnums: Sequence[int],
    files: Mapping[str, EvidenceFile],
) -> str | None:
    if reached < step:
        return f"no run came as far as step {step}"
    for role in roles:
        file = files.get(role)
        if file is None:
            return f"{role} is not there"
        if file.size == 0 and role not in MAY_BE_EMPTY:
            return f"{file.path} is empty"
        if file.mtime < begun.timestamp():
            return f"{file.path} is older than the run that should have written it ({at(begun)})"
        if role == "step0_expnums" and file.expnums is not None and set(file.expnums) != set(expnums):
            return f"{file.path} names other exposures"
    return None
