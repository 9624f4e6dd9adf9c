"""At which step run_postproc.py may start."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from desgw_daemon.decide.skipto import INPUTS, MAY_BE_EMPTY, SkiptoChoice, choose_skipto
from desgw_daemon.domain.facts import EvidenceFile
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.snapshot import PostprocRun
from desgw_daemon.domain.states import RunState
from tests.decide.build import EXPNUM, POLICY, SEASON, after, run

ROLES: Final = tuple(role for roles in INPUTS.values() for role in roles)
#: The step that writes each file.
WRITTEN_IN: Final = {role: step - 1 for step, roles in INPUTS.items() for role in roles}
EXPNUMS: Final = (EXPNUM, EXPNUM + 1)
ANY_STEP: Final = replace(POLICY, postproc_max_skipto=7)


def file(role: str, at: datetime, **values: Any) -> EvidenceFile:
    """One that a run left."""
    known: dict[str, Any] = {
        "path": role,
        "size": 100,
        "mtime": at.timestamp(),
        "expnums": EXPNUMS if role == "step0_expnums" else None,
    }
    return EvidenceFile(**(known | values))


def files(**changed: Any) -> dict[str, EvidenceFile]:
    """All of them, written in the first run, but for the changed ones; None is one that is not there."""
    every = {role: file(role, after(hours=1)) for role in ROLES} | changed
    return {role: found for role, found in every.items() if found is not None}


def ended(number: int = 1, step: int | None = 7, state: RunState = RunState.FAILED, **values: Any) -> PostprocRun:
    """A run of three hours that came to this step."""
    return run(number, state, **({"step": step, "expnums": EXPNUMS} | values))


def choose(
    *runs: PostprocRun, there: dict[str, EvidenceFile] | None = None, policy: Policy = POLICY, print_: str = "f"
) -> SkiptoChoice:
    """The start of the next run."""
    return choose_skipto(runs, SEASON, print_, EXPNUMS, files() if there is None else there, policy)


class TestFromScratch:
    """Without an own, earlier run of the same exposures and bands it starts from scratch."""

    def test_no_run(self) -> None:
        assert choose() == SkiptoChoice(skipto=0, reason=f"no earlier run of season {SEASON}: from scratch", rows=())

    def test_another_season(self) -> None:
        assert choose(ended(season=2208)).skipto == 0

    def test_a_set_that_grew(self) -> None:
        choice = choose(ended(), print_="more")
        assert choice.skipto == 0
        assert choice.reason == f"run 1 of season {SEASON} was of other exposures, bands or results: from scratch"

    def test_other_exposures_in_between(self) -> None:
        assert choose(ended(1), ended(2, fingerprint="other")).skipto == 0

    def test_other_exposures_in_between_that_never_started(self) -> None:
        assert choose(ended(1), ended(2, fingerprint="other", started_at=None)).skipto == 5

    def test_never(self) -> None:
        assert choose(ended(), policy=replace(POLICY, postproc_skipto="never")).skipto == 0

    @pytest.mark.parametrize("state", [RunState.INTENT, RunState.RUNNING])
    def test_while_one_goes_on(self, state: RunState) -> None:
        choice = choose(ended(1), run(2, state))
        assert (choice.skipto, choice.rows) == (0, ())


class TestHowFar:
    """It starts at the step that the last run reached, or before it, never above the highest allowed."""

    @pytest.mark.parametrize(
        ("step", "skipto"), [(None, 0), (0, 0), (1, 1), (2, 1), (3, 3), (4, 4), (5, 5), (6, 5), (7, 5)]
    )
    def test_reached(self, step: int | None, skipto: int) -> None:
        assert choose(ended(step=step)).skipto == skipto

    @pytest.mark.parametrize(("highest", "skipto"), [(0, 0), (1, 1), (2, 1), (3, 3), (5, 5), (6, 6), (7, 6)])
    def test_highest(self, highest: int, skipto: int) -> None:
        assert choose(ended(), policy=replace(POLICY, postproc_max_skipto=highest)).skipto == skipto

    def test_the_reasons(self) -> None:
        choice = choose(ended(step=4))
        assert choice.reason == "run 1 of the same exposures came to step 4; the inputs of a start at step 4 are whole"
        assert [(row.skipto, row.possible) for row in choice.rows] == [
            (1, True), (3, True), (4, True), (5, False), (6, False),
        ]  # fmt: skip
        assert choice.rows[3].reason == "the newest run did not come as far as step 5"


class TestChain:
    """Runs that continued one another count together; what the newest did again counts as it left it."""

    def test_continued(self) -> None:
        second = ended(2, skipto=5, step=7, started_at=after(hours=4), ended_at=after(hours=5))
        assert choose(ended(1, step=5), second).skipto == 5

    def test_a_beginning_that_is_not_there(self) -> None:
        assert choose(ended(2, skipto=5)).skipto == 0

    def test_begun_again_and_died_early(self) -> None:
        second = ended(2, step=1, started_at=after(hours=4), ended_at=after(hours=5))
        there = files(expniteband_df=file("expniteband_df", after(hours=4, minutes=1)))
        choice = choose(ended(1), second, there=there)
        assert choice.skipto == 0
        assert "is not from run 2" in choice.reason

    def test_continued_at_an_earlier_step_and_died_there(self) -> None:
        second = ended(2, skipto=3, step=3, started_at=after(hours=4), ended_at=after(hours=5))
        assert choose(ended(1), second).skipto == 3

    def test_continued_and_died_in_step_1(self) -> None:
        """Step 1 always runs: it was at work on the list."""
        second = ended(2, skipto=5, step=1, started_at=after(hours=4), ended_at=after(hours=5))
        assert choose(ended(1), second).skipto == 1

    def test_continued_and_died_before_its_first_step(self) -> None:
        second = ended(2, skipto=5, step=None, started_at=after(hours=4), ended_at=after(hours=5))
        assert choose(ended(1), second).skipto == 5

    def test_torn_in_between(self) -> None:
        """The second died in step 3; a person had the third begin at 5, on what the second had left."""
        second = ended(2, skipto=3, step=3, started_at=after(hours=4), ended_at=after(hours=5))
        third = ended(3, skipto=5, step=7, started_at=after(hours=6), ended_at=after(hours=7))
        there = files(hostmatchstatus=file("hostmatchstatus", after(hours=4, minutes=10)))
        assert choose(ended(1), second, third, there=there).skipto == 3

    def test_a_step_done_again_that_left_nothing(self) -> None:
        """A failed query leaves no truth table; that of the run before is of another host match."""
        second = ended(2, skipto=3, step=7, started_at=after(hours=4), ended_at=after(hours=5))
        there = files(hostmatchstatus=file("hostmatchstatus", after(hours=4, minutes=10)))
        choice = choose(ended(1), second, there=there)
        assert choice.skipto == 4
        assert "truthplus is not from run 2" in choice.rows[3].reason


class TestWholeInputs:
    """Every file that a start reads is there, not empty, and was written while a run of the chain went on."""

    @pytest.mark.parametrize("role", ROLES)
    def test_missing(self, role: str) -> None:
        assert choose(ended(), there=files(**{role: None}), policy=ANY_STEP).skipto <= WRITTEN_IN[role]

    @pytest.mark.parametrize("role", ROLES)
    def test_empty(self, role: str) -> None:
        empty = file(role, after(hours=1), size=0)
        choice = choose(ended(), there=files(**{role: empty}), policy=ANY_STEP)
        if role in MAY_BE_EMPTY:
            assert choice.skipto == 6
        else:
            assert choice.skipto <= WRITTEN_IN[role]

    @pytest.mark.parametrize("role", ROLES)
    @pytest.mark.parametrize("hours", [-1, 4])
    def test_from_another_time(self, role: str, hours: int) -> None:
        """Left by an earlier run; or written by a later one, of another season or by hand."""
        there = files(**{role: file(role, after(hours=hours))})
        assert choose(ended(), there=there, policy=ANY_STEP).skipto <= WRITTEN_IN[role]

    @pytest.mark.parametrize("expnums", [None, (), EXPNUMS[:1], (*EXPNUMS, 1)])
    def test_of_other_exposures(self, expnums: tuple[int, ...] | None) -> None:
        there = files(step0_expnums=file("step0_expnums", after(hours=1), expnums=expnums))
        choice = choose(ended(), there=there)
        assert choice.skipto == 0
        assert "names other exposures" in choice.reason

    def test_order_and_repetition_do_not_matter(self) -> None:
        there = files(step0_expnums=file("step0_expnums", after(hours=1), expnums=(*EXPNUMS[::-1], EXPNUM)))
        assert choose(ended(), there=there).skipto == 5


@dataclass(frozen=True)
class Past:
    """What has happened in the Post-Processing folder, told step by step: the truth to hold a choice against."""

    runs: tuple[PostprocRun, ...]
    files: dict[str, EvidenceFile]
    #: For each role the numbers of the runs (or 0 for somebody else) that left it whole, newest last; "" if it is torn.
    state: dict[str, str]


@st.composite
def pasts(draw: st.DrawFn) -> Past:
    """Runs of this season with these exposures or others, of another season, and by hand; each may die anywhere."""
    runs: list[PostprocRun] = []
    there: dict[str, EvidenceFile] = {}
    state: dict[str, str] = {}
    for hour in range(1, draw(st.integers(1, 4)) + 1):
        # Mostly good beginnings, so that there is something to skip.
        first = hour == 1 and draw(st.integers(0, 3))
        who: str = "same" if first else draw(st.sampled_from(["same", "same", "same", "others", "season", "hand"]))
        skipto: int = 0 if first else draw(st.sampled_from([0, 0, 1, 3, 4, 5]))
        reached: int | None = 7 if first else draw(st.sampled_from([None, 0, 1, 2, 3, 4, 5, 7]))
        for role, step in WRITTEN_IN.items():
            if reached is None or step < skipto or step > reached:
                continue
            if draw(st.integers(0, 29)) == 29:
                continue  # a step that ends well and writes nothing
            torn = step == reached
            written = after(hours=hour, minutes=5 + step)
            expnums = (EXPNUMS if who == "same" else (1, 2)) if role == "step0_expnums" else None
            there[role] = file(role, written, expnums=expnums)
            state[role] = "torn" if torn else who if who == "same" else "other"
        if who != "hand":
            season = 2208 if who == "season" else SEASON
            runs.append(
                ended(
                    hour,
                    reached,
                    season=season,
                    skipto=skipto,
                    fingerprint="other" if who == "others" else "f",
                    started_at=after(hours=hour),
                    ended_at=after(hours=hour, minutes=30),
                )
            )
    spoilt: int = draw(st.integers(0, 4))
    if there and spoilt > 2:
        gone: str = draw(st.sampled_from(sorted(there)))
        if spoilt == 3:
            del there[gone]
        else:
            there[gone] = replace(there[gone], size=0)
            state[gone] = "torn" if gone not in MAY_BE_EMPTY else state[gone]
    return Past(tuple(runs), there, state)


class TestNeverSkipsWhatIsNotThere:
    """Whatever has happened before, no step is skipped whose results are missing, torn, or of other exposures."""

    @given(pasts(), st.integers(0, 7))
    @settings(max_examples=500, deadline=None)
    def test_any(self, past: Past, highest: int) -> None:
        policy = replace(POLICY, postproc_max_skipto=highest)
        choice = choose(*past.runs, there=past.files, policy=policy)
        event(f"SKIPTO {choice.skipto}")
        assert choice.skipto in (0, 1, 3, 4, 5, 6)
        assert choice.skipto <= highest
        for step, roles in INPUTS.items():
            if step <= choice.skipto:
                for role in roles:
                    assert role in past.files
                    assert past.state[role] == "same"
