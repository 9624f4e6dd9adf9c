"""At which step run_postproc.py may start."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from desgw_daemon.decide.alerts import wanted_alerts
from desgw_daemon.decide.skipto import MAY_BE_EMPTY, STARTS, as_upstream
from desgw_daemon.domain.alertrules import RULES
from desgw_daemon.domain.facts import EvidenceFile, PostprocEvidence, SeasonTrace
from desgw_daemon.domain.runs import PostprocRun
from desgw_daemon.domain.states import RunState
from tests.decide.build import EXPNUM, NITE, POLICY, SEASON, after, run, snapshot
from tests.decide.skipto_past import (
    ANY_STEP,
    BELOW,
    EXPNUMS,
    EXPOSURES,
    ROLES,
    WRITTEN_IN,
    choose,
    ended,
    file,
    files,
)
from tests.forms import often


class TestFromScratch:
    """Without files of the same exposures and bands it starts from scratch."""

    def test_no_run_and_no_files(self) -> None:
        choice = choose(there={})
        assert choice.skipto == 0
        assert choice.reason == (
            f"from scratch: no earlier run of season {SEASON}; the first master list (filename_1) is not there"
        )
        assert [row.skipto for row in choice.rows] == [1, 2, 3, 4, 5, 6, 7]

    def test_a_set_that_grew(self) -> None:
        choice = choose(ended(), print_="more")
        assert choice.skipto == 0
        assert f"run 1 of season {SEASON} was of other exposures, bands or results" in choice.reason

    def test_other_exposures_in_between(self) -> None:
        assert choose(ended(1), ended(2, fingerprint="other")).skipto == 0

    @pytest.mark.parametrize("values", [{"started_at": None, "step": None}, {"step": None}])
    def test_other_exposures_in_between_that_never_came_to_a_step(self, values: dict[str, Any]) -> None:
        assert choose(ended(1), ended(2, fingerprint="other", **values)).skipto == 5

    def test_never(self) -> None:
        assert choose(ended(), policy=replace(POLICY, postproc_skipto="never")).skipto == 0

    @pytest.mark.parametrize("state", [RunState.INTENT, RunState.RUNNING])
    def test_while_one_goes_on(self, state: RunState) -> None:
        choice = choose(ended(1), run(2, state))
        assert (choice.skipto, choice.rows) == (0, ())

    def test_what_nobody_may_look_at(self) -> None:
        choice = choose(ended(), there={}, problem="its outdir is on /pnfs")
        assert choice.skipto == 0
        assert {
            row.reason.removeprefix("the same start as 1: ").removeprefix("the same start as 6: ")
            for row in choice.rows
        } == {"its outdir is on /pnfs"}


class TestHowFar:
    """It starts at the highest step whose inputs are there, never above the highest allowed."""

    @pytest.mark.parametrize(("step", "skipto"), [(0, 2), (1, 2), (2, 3), (3, 4), (4, 5), (5, 5), (6, 5), (7, 5)])
    def test_all_files_of_the_steps_that_began(self, step: int, skipto: int) -> None:
        """A run that dies when a step's files are whole, and has not yet said so, has done it."""
        assert choose(ended(step=step)).skipto == skipto

    @pytest.mark.parametrize(("highest", "skipto"), [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 6), (7, 7)])
    def test_highest(self, highest: int, skipto: int) -> None:
        assert choose(ended(), policy=replace(POLICY, postproc_max_skipto=highest)).skipto == skipto

    def test_the_reasons(self) -> None:
        choice = choose(ended(step=3))
        assert choice.reason == "run 1 of the same exposures came to step 3; all that a start there reads is whole"
        assert [(row.skipto, row.possible) for row in choice.rows] == [
            (1, True), (2, True), (3, True), (4, True), (5, False), (6, False), (7, False),
        ]  # fmt: skip
        reasons = [row.reason for row in choice.rows]
        assert reasons[1] == "the same start as 1: runs 1 to 7"
        assert reasons[3].endswith("from run 1, written until 2026-11-22T01:00:00Z; runs 1, 4 to 7")
        assert reasons[4] == "run 1 began at SKIPTO 0 and came only to step 3"
        assert reasons[5] == "SKIPTO 5 is not possible"
        assert choice.rows[3].files == ("hostmatchstatus: 100 bytes, 2026-11-22T01:00:00Z",)

    def test_the_table(self) -> None:
        assert [(start.skipto, start.same_as) for start in STARTS if start.same_as] == [(2, 1), (7, 6)]
        assert len(ROLES) == len(set(ROLES)) == 9


class TestChain:
    """Runs that continued one another count together; what the newest did again counts as it left it."""

    def test_continued(self) -> None:
        second = ended(2, skipto=5, step=7, started_at=after(hours=4), ended_at=after(hours=5))
        assert choose(ended(1, step=5), second).skipto == 5

    def test_begun_again_and_died_early(self) -> None:
        second = ended(2, step=0, started_at=after(hours=4), ended_at=after(hours=5))
        there = files(filename_1=file("filename_1", after(hours=4, minutes=1)))
        choice = choose(ended(1), second, there=there)
        assert choice.skipto == 0
        assert "expniteband_df is not from run 2" in choice.reason

    def test_continued_at_an_earlier_step_and_died_there(self) -> None:
        second = ended(2, skipto=3, step=3, started_at=after(hours=4), ended_at=after(hours=5))
        assert choose(ended(1), second).skipto == 3

    @pytest.mark.parametrize("step", [None, 1])
    def test_continued_and_died_before_that_step(self, step: int | None) -> None:
        """Step 1 always runs: what it writes, no start reads."""
        second = ended(2, skipto=5, step=step, started_at=after(hours=4), ended_at=after(hours=5))
        assert choose(ended(1), second).skipto == 5

    def test_torn_in_between(self) -> None:
        """The second died in step 3; a person had the third begin at 5, on what the second had left."""
        second = ended(2, skipto=3, step=3, started_at=after(hours=4), ended_at=after(hours=5))
        third = ended(3, skipto=5, step=7, started_at=after(hours=6), ended_at=after(hours=7))
        assert choose(ended(1), second, third).skipto == 3

    def test_a_step_done_again_that_left_nothing(self) -> None:
        """A failed query leaves no truth table; that of the run before is of another host match."""
        second = ended(2, skipto=3, step=7, started_at=after(hours=4), ended_at=after(hours=5))
        there = files(hostmatchstatus=file("hostmatchstatus", after(hours=4, minutes=10)))
        choice = choose(ended(1), second, there=there)
        assert choice.skipto == 4
        assert "truthplus is not from run 2" in choice.rows[4].reason


class TestWholeInputs:
    """Every file that a start reads is there, whole, and was written while the run that makes it went on."""

    @pytest.mark.parametrize("role", ROLES)
    def test_missing(self, role: str) -> None:
        assert choose(ended(), there=files(**{role: None}), policy=ANY_STEP).skipto == BELOW[WRITTEN_IN[role]]

    @pytest.mark.parametrize("role", ROLES)
    def test_empty(self, role: str) -> None:
        choice = choose(ended(), there=files(**{role: file(role, after(hours=1), size=0)}), policy=ANY_STEP)
        assert choice.skipto == (7 if role in MAY_BE_EMPTY else BELOW[WRITTEN_IN[role]])

    @pytest.mark.parametrize("role", ROLES)
    def test_flawed(self, role: str) -> None:
        choice = choose(ended(), there=files(**{role: file(role, after(hours=1), flaw="is torn")}), policy=ANY_STEP)
        assert choice.skipto == BELOW[WRITTEN_IN[role]]
        assert f"{role} is torn" in {row.reason for row in choice.rows}

    @pytest.mark.parametrize("role", ROLES)
    @pytest.mark.parametrize("hours", [-1, 4])
    def test_from_another_time(self, role: str, hours: int) -> None:
        """Left by an earlier run; or written by a later one, of another season or by hand."""
        there = files(**{role: file(role, after(hours=hours))})
        assert choose(ended(), there=there, policy=ANY_STEP).skipto == BELOW[WRITTEN_IN[role]]

    @pytest.mark.parametrize("role", ROLES[1:])
    @pytest.mark.parametrize("runs", [(), (ended(),)], ids=["adopted", "own"])
    def test_older_than_what_it_was_made_from(self, role: str, runs: tuple[PostprocRun, ...]) -> None:
        there = files(**{role: file(role, after(minutes=50))})
        choice = choose(*runs, there=there, policy=ANY_STEP)
        assert choice.skipto == BELOW[WRITTEN_IN[role]]
        assert any(f"{role} (2026-11-22T00:50:00Z) is older than" in row.reason for row in choice.rows)

    def test_made_within_the_same_seconds(self) -> None:
        there = files(step0_blacklist=file("step0_blacklist", after(minutes=59, seconds=57)))
        assert choose(ended(), there=there).skipto == 5

    def test_light_curves_without_their_end(self) -> None:
        there = files(mastertableinfo=None, light_curves=EvidenceFile("LightCurvesReal", 24, 0.0))
        choice = choose(ended(), there=there, policy=ANY_STEP)
        assert choice.skipto == 5
        assert choice.rows[5].reason == "24 light curves, but mastertableinfo.npy is not there: step 5 is unfinished"

    def test_older_than_the_results(self) -> None:
        choice = choose(ended(), results_at=after(hours=2))
        assert choice.skipto == 2
        assert "is older than a forcephoto file (2026-11-22T02:00:00Z)" in choice.rows[2].reason


class TestSameExposures:
    """What a file says of exposures, nites and bands must be what the coming run has; own runs or not."""

    @pytest.mark.parametrize("runs", [(), (ended(),)], ids=["adopted", "own"])
    @pytest.mark.parametrize("expnums", [None, (), EXPNUMS[:1], (*EXPNUMS, 1)])
    def test_numbers(self, runs: tuple[PostprocRun, ...], expnums: tuple[int, ...] | None) -> None:
        there = files(step0_expnums=file("step0_expnums", after(hours=1), expnums=expnums))
        choice = choose(*runs, there=there)
        assert choice.skipto == 0
        assert "step0_expnums names other exposures" in choice.reason

    def test_are_named(self) -> None:
        there = files(step0_expnums=file("step0_expnums", after(hours=1), expnums=(EXPNUM, 1)))
        assert f"it lacks {EXPNUM + 1}, it has 1" in choose(there=there).reason

    @pytest.mark.parametrize(
        "entries",
        [
            EXPOSURES[:1],
            (*EXPOSURES, (1, NITE, "i")),
            (EXPOSURES[0], (EXPNUM + 1, NITE, "r")),
            (EXPOSURES[0], (EXPNUM + 1, "20261120", "z")),
            None,
        ],
        ids=["fewer", "more", "band", "nite", "unknown"],
    )
    @pytest.mark.parametrize("runs", [(), (ended(),)], ids=["adopted", "own"])
    def test_rows(self, runs: tuple[PostprocRun, ...], entries: tuple[tuple[int, str, str], ...] | None) -> None:
        there = files(expniteband_df=file("expniteband_df", after(hours=1), entries=entries))
        choice = choose(*runs, there=there)
        assert choice.skipto == 0
        assert "expniteband_df names other exposures" in choice.reason

    def test_number_of_rows(self) -> None:
        there = files(filename_1=file("filename_1", after(hours=1), rows=3))
        assert "filename_1 has 3 rows, for 2 exposures" in choose(ended(), there=there).reason

    def test_left_out(self) -> None:
        there = files(step0_blacklist=file("step0_blacklist", after(hours=1), expnums=(EXPNUM,), size=8))
        assert f"step0_blacklist leaves {EXPNUM} out" in choose(ended(), there=there).reason

    @pytest.mark.parametrize(("expnums", "skipto"), [((*EXPNUMS, 1), 5), (EXPNUMS[:1], 4), ((), 4), (None, 5)])
    def test_fakes(self, expnums: tuple[int, ...] | None, skipto: int) -> None:
        """The truth table has fakes in every exposure, and perhaps in others of the season."""
        choice = choose(ended(), there=files(truthplus=file("truthplus", after(hours=1), expnums=expnums)))
        assert choice.skipto == skipto
        if expnums == EXPNUMS[:1]:
            assert choice.rows[4].reason == f"truthplus has no row of {EXPNUM + 1}"

    def test_order_and_repetition_do_not_matter(self) -> None:
        expnums = (*EXPNUMS[::-1], EXPNUM)
        there = files(step0_expnums=file("step0_expnums", after(hours=1), expnums=expnums))
        assert choose(ended(), there=there).skipto == 5


class TestAdopted:
    """In a folder that an older automation or a person left, the files themselves say whose they are."""

    def test_whole(self) -> None:
        choice = choose()
        assert choice.skipto == 5
        assert choice.reason == (
            f"no earlier run of season {SEASON}, but files where an.ini says; all that a start there reads is whole"
        )
        assert "left by an older automation or a person" in choice.rows[0].reason

    def test_the_one_file_of_all_seasons_is_nobody_s_trace(self) -> None:
        only = {role: file for role, file in files().items() if role == "hostmatchstatus"}
        assert choose(there=only).reason == (
            f"from scratch: no earlier run of season {SEASON}; the first master list (filename_1) is not there"
        )

    def test_continued_by_a_run_of_ours(self) -> None:
        first = ended(1, skipto=3, step=4, started_at=after(hours=4), ended_at=after(hours=5))
        there = files(
            hostmatchstatus=file("hostmatchstatus", after(hours=4, minutes=10)),
            truthplus=file("truthplus", after(hours=4, minutes=20)),
        )
        assert choose(first, there=there).skipto == 5

    def test_written_again_after_a_run_of_ours_began(self) -> None:
        first = ended(1, skipto=5, step=7, started_at=after(hours=4), ended_at=after(hours=5))
        there = files(truthplus=file("truthplus", after(hours=4, minutes=10)))
        choice = choose(first, there=there)
        assert choice.skipto == 4
        assert "was written after run 1 had begun at a later step" in choice.rows[4].reason

    def test_not_behind_a_run_of_other_exposures(self) -> None:
        """The files below the second's start are the first's, whatever exposures they name."""
        second = ended(2, skipto=5, step=7, started_at=after(hours=4), ended_at=after(hours=5))
        choice = choose(ended(1, fingerprint="other"), second)
        assert choice.skipto == 0
        assert "is from before run 2, after runs of other exposures" in choice.rows[0].reason


class TestOneHostMatchForAllSeasons:
    """hostmatchstatus.txt is believed only when no run of another season can have written it."""

    @pytest.mark.parametrize(
        ("began", "last", "possible"),
        [
            (-2, -1, True),  # before our step 2
            (-2, 3, False),  # at work when it was written
            (0.9, 0.95, False),  # began after our step 2, and ended, or was killed, before
            (3, 4, True),  # after it was written: it would be newer
        ],
    )
    @pytest.mark.parametrize("known", ["trace", "run"])
    def test_another_season(self, known: str, began: float, last: float, possible: bool) -> None:
        there = {**files(), "forcephoto": file("forcephoto", after(minutes=50))}
        early = ("filename_1", "expniteband_df", "step0_expnums", "step0_blacklist")
        there |= {role: file(role, after(minutes=40)) for role in early}
        begun, over = after(hours=began), after(hours=last)
        if known == "trace":
            choice = choose(there=there, others=(SeasonTrace(2208, begun.timestamp(), over.timestamp()),))
        else:
            choice = choose(ended(1, season=2208, started_at=begun, ended_at=over), there=there)
        assert choice.skipto == (5 if possible else 3)
        if not possible:
            assert "hostmatchstatus (2026-11-22T01:00:00Z) may be from season 2208" in choice.rows[3].reason


class TestUpstream:
    """postproc.skipto = "upstream" does what the older automation does, and says that it is unsafe."""

    POLICY = replace(POLICY, postproc_skipto="upstream")
    CURVES = EvidenceFile("LightCurvesReal", 3, 0.0)

    @pytest.mark.parametrize(
        ("there", "skipto"),
        [
            ({}, 0),
            ({"truthplus": file("truthplus", after(hours=1), size=0)}, 5),
            ({"light_curves": CURVES}, 6),
            (files(light_curves=CURVES), 6),
        ],
        ids=["nothing", "an empty truth table", "some light curves", "all"],
    )
    def test_by_names(self, there: dict[str, EvidenceFile], skipto: int) -> None:
        assert as_upstream(PostprocEvidence(files=there))[0] == skipto
        choice = choose(there=there, policy=self.POLICY)
        assert choice.skipto == skipto
        assert choice.reason.startswith("UNSAFE, as the older automation chooses: ")
        assert "The evidence says" in choice.reason and len(choice.rows) == 7

    def test_alert(self) -> None:
        (alert,) = wanted_alerts(snapshot(), self.POLICY, after(hours=1))
        assert (alert.rule, RULES[alert.rule].severity) == ("skipto_unsafe", "warning")
        assert "UNSAFE" in alert.text
        assert wanted_alerts(snapshot(), POLICY, after(hours=1)) == ()


#: Files that say of which exposures they are.
OWN = ("step0_expnums", "expniteband_df")


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
            values = {} if who == "same" or role not in OWN else {"expnums": (1, 2), "entries": ((1, NITE, "i"),)}
            # Half of a file looks whole now and then; but for its header, every other file is seen to be torn.
            flaw = "is torn" if torn and draw(st.integers(0, 3)) else None
            there[role] = file(role, written, flaw=flaw, **values)
            state[role] = "torn" if flaw else who if who == "same" else "other"
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

    @pytest.mark.soak
    @given(pasts(), st.integers(0, 7))
    @settings(max_examples=often(500))
    def test_any(self, past: Past, highest: int) -> None:
        policy = replace(POLICY, postproc_max_skipto=highest)
        choice = choose(*past.runs, there=past.files, policy=policy)
        event(f"SKIPTO {choice.skipto}")
        assert 0 <= choice.skipto <= highest
        assert [row.skipto for row in choice.rows if row.possible] == list(range(1, choice.skipto + 1))
        for start in STARTS:
            if start.skipto <= choice.skipto:
                for role in start.needs:
                    assert role in past.files
                    assert past.state[role] == "same"
