"""At which step run_postproc.py may start. The one place that knows.

The highest step for which everything that a start there reads exists, is whole, is newer than what it was made from,
and belongs to the exposures and bands of the run that is about to start. SKIPTO > 0 takes the exposures from
step0_expnums.txt: one that became ready later would be left out without a word, so a set that grew starts at 0.

Whose files they are is told by our own runs (their fingerprints, and when they ran); in a folder that an older
automation or a person has left, by what the files themselves say. docs/skipto.md has the table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from desgw_daemon.decide.evidence import NextRun, clock, described, of_another_season, of_others, older_than, when
from desgw_daemon.decide.words import plural
from desgw_daemon.domain.actions import AlertWanted
from desgw_daemon.domain.facts import EvidenceFile, PostprocEvidence, SeasonTrace
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.runs import PostprocRun
from desgw_daemon.domain.states import RUN_LIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A start above 0: what it needs beyond the start before it, the step that makes that, and the steps it runs.

    same_as: a start that reads and runs the same.
    """

    skipto: int
    needs: tuple[str, ...]
    made_in: int
    runs: str
    same_as: int | None = None


#: The pipeline's contract. In `needs`, each file is made after those that stand before it, and after those of the
#: starts above it. forcephoto: the logs of step 2, which prove that it ended well.
STARTS: Final = (
    Start(
        skipto=1,
        needs=("filename_1", "expniteband_df", "step0_expnums", "step0_blacklist"),
        made_in=0,
        runs="1 to 7",
    ),
    Start(skipto=2, needs=(), made_in=0, runs="1 to 7", same_as=1),
    Start(skipto=3, needs=("forcephoto",), made_in=2, runs="1, 3 to 7"),
    Start(skipto=4, needs=("hostmatchstatus",), made_in=3, runs="1, 4 to 7"),
    Start(skipto=5, needs=("truthplus",), made_in=4, runs="1, 5 to 7"),
    Start(skipto=6, needs=("combined_fits", "mastertableinfo"), made_in=5, runs="1, 6, 7"),
    Start(skipto=7, needs=(), made_in=5, runs="1, 6, 7", same_as=6),
)
#: What people know the files by.
NAMES: Final[Mapping[str, str]] = {
    "filename_1": "the first master list (filename_1)",
    "expniteband_df": "expniteband_df.csv",
    "step0_expnums": "step0_expnums.txt",
    "step0_blacklist": "step0_a_blacklist.txt",
    "forcephoto": "a log of forcePhoto",
    "hostmatchstatus": "hostmatchstatus.txt",
    "truthplus": "the truth table (plusname)",
    "combined_fits": "the combined data file (combined_fits)",
    "mastertableinfo": "mastertableinfo.npy",
}
#: step0_a_blacklist.txt lists what was left out: nothing, as a rule.
MAY_BE_EMPTY: Final = frozenset({"step0_blacklist"})
#: The clocks of a file server and of this host may differ by so much.
_SLACK: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class SkiptoRow:
    """One possible start: whether it would work, and why or why not. files: what was looked at for it."""

    skipto: int
    possible: bool
    reason: str
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SkiptoChoice:
    """The start that was chosen (0: from scratch), why, and what was weighed."""

    skipto: int
    reason: str
    rows: tuple[SkiptoRow, ...]


def choose_skipto(
    runs: Sequence[PostprocRun], coming: NextRun, evidence: PostprocEvidence, policy: Policy
) -> SkiptoChoice:
    """Where the season's next run is to start, by the policy."""
    if policy.postproc_skipto == "never":
        return SkiptoChoice(skipto=0, reason='from scratch: postproc.skipto = "never"', rows=())
    live = next((run for run in runs if run.season == coming.season and run.state in RUN_LIVE), None)
    if live is not None:
        return SkiptoChoice(skipto=0, reason=f"run {live.number} goes on: nothing that it writes is whole yet", rows=())
    computed = by_evidence(runs, coming, evidence, policy)
    if policy.postproc_skipto == "evidence":
        return computed
    skipto, why = as_upstream(evidence)
    reason = f"UNSAFE, as the older automation chooses: {why}. The evidence says {computed.skipto}: {computed.reason}"
    return SkiptoChoice(skipto=skipto, reason=reason, rows=computed.rows)


def as_upstream(evidence: PostprocEvidence) -> tuple[int, str]:
    """What the older automation would start at, and why: it asks for a name, not for whose or how whole it is."""
    if (curves := evidence.files.get("light_curves")) is not None:
        return 6, f"{curves.path} has {plural(curves.size, 'light curve')}"
    if (truth := evidence.files.get("truthplus")) is not None:
        return 5, f"{truth.path} exists"
    return 0, "there is neither a light curve nor a truth table"


def unsafe_alerts(policy: Policy) -> list[AlertWanted]:
    """A warning, up as long as it is so configured: a run that leaves out exposures says nothing of it."""
    if policy.postproc_skipto != "upstream":
        return []
    return [
        AlertWanted(
            key="skipto_unsafe",
            rule="skipto_unsafe",
            text='postproc.skipto = "upstream": post-processing starts where the older automation would. UNSAFE: runs'
            ' die, or leave out exposures that became ready later. Set it to "evidence" in daemon.toml',
        )
    ]


def by_evidence(
    runs: Sequence[PostprocRun], coming: NextRun, evidence: PostprocEvidence, policy: Policy
) -> SkiptoChoice:
    """The highest step at which everything is in place, with a row for each start."""
    past = _Past.of(runs, coming)
    rows: list[SkiptoRow] = []
    chosen, blocked = 0, past.problem or evidence.problem
    for start in STARTS:
        problem = blocked or _problem(start, past, coming, evidence)
        blocked = None if problem is None else blocked or f"SKIPTO {start.skipto} is not possible"
        if problem is None and start.skipto > policy.postproc_max_skipto:
            problem = f"above postproc.max_skipto = {policy.postproc_max_skipto}"
        elif problem is None:
            chosen = start.skipto
        same = "" if start.same_as is None else f"the same start as {start.same_as}: "
        rows.append(
            SkiptoRow(
                skipto=start.skipto,
                possible=problem is None,
                reason=f"{same}{problem or _fine(start, past, evidence.files)}",
                files=tuple(described(file) for role in start.needs if (file := evidence.files.get(role)) is not None),
            )
        )
    whose = past.words(coming, evidence)
    if chosen:
        return SkiptoChoice(skipto=chosen, reason=f"{whose}; all that a start there reads is whole", rows=tuple(rows))
    return SkiptoChoice(skipto=0, reason=f"from scratch: {whose}; {rows[0].reason}", rows=tuple(rows))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Past:
    """The runs whose files may count: the newest in a row that were of the same exposures, back to one from scratch.

    problem: why no file can count, whatever it looks like. others: when runs of other seasons were at work.
    """

    chain: tuple[PostprocRun, ...]
    problem: str | None
    strangers: bool
    others: tuple[SeasonTrace, ...]

    @classmethod
    def of(cls, runs: Sequence[PostprocRun], coming: NextRun) -> _Past:
        # One that never came to a step never touched a file of these.
        began = sorted((run for run in runs if run.step is not None), key=lambda run: run.number)
        mine = [run for run in began if run.season == coming.season]
        chain: list[PostprocRun] = []
        for run in reversed(mine):
            if run.fingerprint != coming.fingerprint:
                break
            chain.insert(0, run)
            if run.skipto == 0:
                break
        problem = None
        if mine and not chain:
            problem = f"run {mine[-1].number} of season {coming.season} was of other exposures, bands or results"
        others = tuple(_trace(run) for run in began if run.season != coming.season)
        return cls(chain=tuple(chain), problem=problem, strangers=len(mine) > len(chain), others=others)

    def maker(self, step: int) -> PostprocRun | None:
        """The newest run that was to do this step: what it has left, or not left, is what the files are now."""
        return next((run for run in reversed(self.chain) if run.skipto <= step), None)

    def words(self, coming: NextRun, evidence: PostprocEvidence) -> str:
        """Whose files they are."""
        if self.chain:
            newest = self.chain[-1]
            return f"run {newest.number} of the same exposures came to step {newest.step}"
        if self.problem:
            return f"no earlier run of season {coming.season} counts"
        said = f"no earlier run of season {coming.season}"
        # hostmatchstatus.txt is one file for all seasons: it tells of no run of this one.
        of_season = evidence.files.keys() - {"hostmatchstatus"}
        return f"{said}, but files where {evidence.ini} says" if of_season else said


def _trace(run: PostprocRun) -> SeasonTrace:
    began = run.started_at or run.intent_at
    last = run.ended_at.timestamp() if run.ended_at is not None else float("inf")
    return SeasonTrace(run.season, began.timestamp(), last)


def _problem(start: Start, past: _Past, coming: NextRun, evidence: PostprocEvidence) -> str | None:
    """Why a start there would not work, or would not be right, as far as it needs more than the start before it."""
    maker = past.maker(start.made_in)
    if maker is not None and (maker.step or 0) < start.made_in:
        return f"run {maker.number} began at SKIPTO {maker.skipto} and came only to step {maker.step}"
    found: dict[str, EvidenceFile] = {}
    for role in start.needs:
        file = evidence.files.get(role)
        if file is None:
            return _missing(role, evidence.files)
        if file.flaw is not None or (file.size == 0 and role not in MAY_BE_EMPTY):
            return f"{file.path} {file.flaw or 'is empty'}"
        found[role] = file
    # The lists first: they name the exposures that are others.
    of_which = (of_others(role, file, coming) for role, file in reversed(found.items()))
    for role, file in found.items():
        problem = _whose(file, maker, past) or older_than(file, _before(role, evidence))
        if problem is None and role == "hostmatchstatus":
            problem = _by_others(file, past, evidence)
        if problem is not None:
            return problem
    return next((problem for problem in of_which if problem is not None), None)


def _before(role: str, evidence: PostprocEvidence) -> list[EvidenceFile]:
    """What is made before it, as far as it is there."""
    names = [name for start in STARTS for name in start.needs]
    return [evidence.files[name] for name in names[: names.index(role)] if name in evidence.files]


def _by_others(file: EvidenceFile, past: _Past, evidence: PostprocEvidence) -> str | None:
    ours = evidence.files.get("forcephoto")
    return of_another_season(file, 0.0 if ours is None else ours.mtime, (*past.others, *evidence.others))


def _missing(role: str, files: Mapping[str, EvidenceFile]) -> str:
    curves = files.get("light_curves")
    if role in ("combined_fits", "mastertableinfo") and curves is not None:
        return f"{plural(curves.size, 'light curve')}, but {NAMES[role]} is not there: step 5 is unfinished"
    return f"{NAMES[role]} is not there"


def _whose(file: EvidenceFile, maker: PostprocRun | None, past: _Past) -> str | None:
    """Not ours, if it was written when the run that was to write it did not go on."""
    if maker is None:
        if past.strangers:
            return f"{file.path} is from before run {past.chain[0].number}, after runs of other exposures"
        if past.chain and file.mtime > _began(past.chain[0]) + _SLACK.total_seconds():
            return f"{file.path} was written after run {past.chain[0].number} had begun at a later step ({when(file)})"
        return None
    ended = maker.ended_at
    if ended is None or not _began(maker) <= file.mtime <= (ended + _SLACK).timestamp():
        return f"{file.path} is not from run {maker.number} (it was written at {when(file)})"
    return None


def _began(run: PostprocRun) -> float:
    return (run.started_at or run.intent_at).timestamp()


def _fine(start: Start, past: _Past, files: Mapping[str, EvidenceFile]) -> str:
    if start.same_as is not None:
        return f"runs {start.runs}"
    maker = past.maker(start.made_in)
    whose = "left by an older automation or a person" if maker is None else f"from run {maker.number}"
    newest = max((files[role].mtime for role in start.needs), default=None)
    until = "" if newest is None else f", written until {clock(newest)}"
    return f"every input is whole, of the same exposures and bands, and {whose}{until}; runs {start.runs}"
