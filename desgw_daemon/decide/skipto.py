"""At which step run_postproc.py may start. The one place that knows.

Above 0 only when an own, earlier run of the same exposures and bands has finished the steps before it, and every file
that a start there reads is whole and was written while that run went on (or one of the unbroken chain of runs that it
continued). SKIPTO > 0 takes the exposures from step0_expnums.txt: one that became ready later would be left out
without a word, so a set that grew starts at 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
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
#: The clocks of two file servers may differ by so much.
_SLACK: Final = timedelta(minutes=1)
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
    mine = [run for run in runs if run.season == season]
    if live := next((run for run in mine if run.state in RUN_LIVE), None):
        return SkiptoChoice(skipto=0, reason=f"run {live.number} goes on: nothing that it writes is whole yet", rows=())
    chain = _chain(mine, fingerprint)
    if not chain:
        begun = [run for run in mine if run.started_at is not None]
        reason = (
            f"run {begun[-1].number} of season {season} was of other exposures, bands or results: from scratch"
            if begun
            else f"no earlier run of season {season}: from scratch"
        )
        return SkiptoChoice(skipto=0, reason=reason, rows=())
    worked = [run for run in chain if run.step is not None]
    # The newest says how far: what it did again is what the files are now.
    reached = worked[-1].step or 0 if worked else 0
    rows: list[SkiptoRow] = []
    chosen, ok = 0, True
    for step, roles in INPUTS.items():
        if ok:
            problem = _problem(step, roles, reached, worked, expnums, files)
            if problem is None and step > policy.postproc_max_skipto:
                problem = f"above postproc.max_skipto = {policy.postproc_max_skipto}"
            ok = problem is None
        else:
            problem = "what an earlier start needs is missing"
        rows.append(SkiptoRow(skipto=step, possible=ok, reason=problem or "every input is whole and of our own runs"))
        if ok:
            chosen = step
    why = f"run {chain[-1].number} of the same exposures came to step {reached}"
    told = f"{why}; the inputs of a start at step {chosen} are whole" if chosen else f"{why}; {rows[0].reason}"
    return SkiptoChoice(skipto=chosen, reason=told, rows=tuple(rows))


def _chain(mine: Sequence[PostprocRun], fingerprint: str) -> list[PostprocRun]:
    """The season's newest runs in a row that were of the same exposures, from the one that began at 0."""
    chain: list[PostprocRun] = []
    for run in sorted(mine, key=lambda run: run.number, reverse=True):
        if run.started_at is None:
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
    chain: Sequence[PostprocRun],
    expnums: Sequence[int],
    files: Mapping[str, EvidenceFile],
) -> str | None:
    """Why a start at this step would not work, as far as it reads more than an earlier start."""
    makers = [run for run in chain if run.skipto < step]
    if reached < step or not makers or (makers[-1].step or 0) < step:
        return f"the newest run did not come as far as step {step}"
    # The newest run that went through the step before has made them, or a later one again.
    writers = chain[chain.index(makers[-1]) :]
    for role in roles:
        file = files.get(role)
        if file is None:
            return f"{role} is not there"
        if file.size == 0 and role not in MAY_BE_EMPTY:
            return f"{file.path} is empty"
        if not any(_wrote(run, file) for run in writers):
            return f"{file.path} is not from run {makers[-1].number} (it was written at {_when(file)})"
        if role == "step0_expnums" and (file.expnums is None or set(file.expnums) != set(expnums)):
            return f"{file.path} names other exposures"
    return None


def _wrote(run: PostprocRun, file: EvidenceFile) -> bool:
    """Whether the file's last change came while the run went on, and not from another season's run or by hand."""
    begun, ended = run.started_at, run.ended_at
    return begun is not None and ended is not None and begun.timestamp() <= file.mtime <= (ended + _SLACK).timestamp()


def _when(file: EvidenceFile) -> str:
    return at(datetime.fromtimestamp(file.mtime, UTC))
