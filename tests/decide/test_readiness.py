"""Whether an exposure may go on to post-processing."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desgw_daemon.decide.readiness import count_forcefiles, judge
from desgw_daemon.domain.decam import SEARCH_CCDS
from desgw_daemon.domain.snapshot import Exposure
from desgw_daemon.domain.states import CcdState, Ready, SubmissionState
from tests.decide.build import (
    EXPNUM,
    POLICY,
    START,
    after,
    finished,
    fits,
    forcefile,
    psf,
    settled_ccds,
    states_of,
    submission,
    submitted,
)

#: Long after everything.
LATE = after(days=1)


def lacking(count: int) -> list[str]:
    """So many forcefiles, fits and psf in turn."""
    return [name for ccd in SEARCH_CCDS for name in (fits(ccd), psf(ccd))][:count]


class TestEnoughCcds:
    """At least 50 CCDs must be complete; fewer are for a person."""

    def test_fifty(self) -> None:
        verdict = judge(finished(states_of(9, CcdState.FAILED)), POLICY, LATE)
        assert verdict.ready is Ready.FULL
        assert "50 of 59 CCDs complete, 9 failed (9 at RUN18_combined+expose_hotpants)" in verdict.reason

    def test_forty_nine(self) -> None:
        verdict = judge(finished(states_of(10, CcdState.LOST)), POLICY, LATE)
        assert (verdict.ready, verdict.person) == (Ready.NO, True)
        assert "49 of 59 CCDs complete, 10 lost (i_01, i_03, i_04, i_05, i_06 and 5 more)" in verdict.reason
        assert "50 complete ones are needed" in verdict.reason
        assert f"desgw-daemon queue retry {EXPNUM}" in verdict.reason

    def test_configured(self) -> None:
        policy = replace(POLICY, min_complete_ccds=59)
        assert judge(finished({1: CcdState.FAILED}), policy, LATE).person
        assert judge(finished(), policy, LATE).ready is Ready.FULL

    def test_fewer_folders_are_said(self) -> None:
        verdict = judge(finished({7: CcdState.MISSING, 9: CcdState.MISSING}), POLICY, LATE)
        assert verdict.ready is Ready.FULL
        assert "2 without a folder (likely broken) (i_07, i_09)" in verdict.reason


class TestEverythingSettledFirst:
    """Fifty complete CCDs are not enough while others may still come: it waits, and says for what and until when."""

    def test_pending(self) -> None:
        running = replace(
            finished(states_of(4, CcdState.PENDING)),
            submissions=(submission(nodes_total=60, nodes_done=55),),
            news_at=after(hours=5),
        )
        verdict = judge(running, POLICY, after(hours=6))
        assert (verdict.ready, verdict.settled, verdict.person) == (Ready.NO, False, False)
        assert verdict.reason == (
            "55 of 59 CCDs complete; waits for 4 CCDs still to come, newest change 2026-11-22T05:00:00Z;"
            " its DAG is running, 55 of 60 jobs done, submitted at 2026-11-22T00:00:00Z;"
            " what has left no sign at 2026-11-25T00:00:00Z is lost"
        )

    def test_settling(self) -> None:
        ccds = tuple(replace(ccd, settled_at=None) if ccd.ccd < 4 else ccd for ccd in settled_ccds())
        verdict = judge(replace(finished(), ccds=ccds), POLICY, START)
        assert verdict.ready is Ready.NO
        assert "waits for 2 CCDs settling (no change for 5 min)" in verdict.reason

    def test_dag_ended(self) -> None:
        verdict = judge(finished({1: CcdState.PENDING}), POLICY, START)
        assert "its DAG done at 2026-11-22T00:00:00Z: what has left no sign at 2026-11-22T00:30:00Z" in verdict.reason

    def test_submitted_by_somebody_else(self) -> None:
        verdict = judge(finished({1: CcdState.PENDING}, submissions=(), watch_only=True), POLICY, START)
        assert "submitted by somebody else" in verdict.reason
        assert "lost at 2026-11-22T12:00:00Z if nothing new comes" in verdict.reason

    def test_not_looked_at(self) -> None:
        verdict = judge(submitted(), POLICY, START)
        assert (verdict.ready, verdict.settled) == (Ready.NO, False)
        assert verdict.reason.startswith("not looked at yet; its DAG is running")


class TestForcefiles:
    """All files of the complete CCDs: full. More than half: partial, and the missing are named. Half or fewer: no."""

    def test_all(self) -> None:
        verdict = judge(finished(), POLICY, LATE)
        assert (verdict.ready, verdict.person) == (Ready.FULL, False)
        assert verdict.reason == "59 of 59 CCDs complete; all 118 forcephoto files of the complete CCDs"

    def test_one_lacks(self) -> None:
        verdict = judge(finished(without=[psf(3)]), POLICY, LATE)
        assert verdict.ready is Ready.PARTIAL
        assert verdict.forcefiles.missing == ("i_03 .psf",)
        assert "117 of 118 forcephoto files; missing: i_03 .psf" in verdict.reason

    def test_just_above_half(self) -> None:
        assert judge(finished(without=lacking(58)), POLICY, LATE).ready is Ready.PARTIAL

    def test_just_half(self) -> None:
        verdict = judge(finished(without=lacking(59)), POLICY, LATE)
        assert (verdict.ready, verdict.person) == (Ready.NO, True)
        assert "59 of 118 forcephoto files" in verdict.reason
        assert "More than 50% are needed" in verdict.reason
        assert "nothing new came since 2026-11-22T00:00:00Z" in verdict.reason

    def test_they_may_still_come(self) -> None:
        verdict = judge(finished(without=lacking(59)), POLICY, after(minutes=29))
        assert (verdict.ready, verdict.person) == (Ready.NO, False)
        assert "it waits for them until 2026-11-22T00:30:00Z" in verdict.reason

    def test_configured(self) -> None:
        policy = replace(POLICY, min_forcefile_fraction=0.25)
        assert judge(finished(without=lacking(88)), policy, LATE).ready is Ready.PARTIAL
        assert judge(finished(without=lacking(89)), policy, LATE).ready is Ready.NO

    def test_of_an_earlier_attempt(self) -> None:
        exposure = finished(submissions=(submission(state=SubmissionState.DONE, intent_at=START, ended_at=START),))
        old = [replace(file, mtime=file.mtime - 1) for file in exposure.forcefiles[:60]]
        verdict = judge(replace(exposure, forcefiles=(*old, *exposure.forcefiles[60:])), POLICY, LATE)
        assert verdict.forcefiles.found == 58

    @given(st.sets(st.sampled_from(lacking(118))), st.integers(0, 9))
    def test_the_numbers_fit(self, without: set[str], failed: int) -> None:
        verdict = judge(finished(states_of(failed, CcdState.FAILED), without=without), POLICY, LATE)
        files = verdict.forcefiles
        assert files.expected == 2 * (59 - failed)
        assert files.found + len(files.missing) == files.expected
        expected = (
            Ready.FULL
            if files.found == files.expected
            else Ready.PARTIAL
            if 2 * files.found > files.expected
            else Ready.NO
        )
        assert verdict.ready is expected


class TestEmptyForcefiles:
    """A file of size 0 is not there yet; it is waited for, and then counts as missing."""

    def exposure(self, seen: float, without: tuple[str, ...] = ()) -> Exposure:
        empty = forcefile(psf(3), 3, "psf", size=0, whole_at=None, first_seen=after(hours=seen))
        return finished(without=[psf(3), *without], more=[empty])

    def test_waits(self) -> None:
        verdict = judge(self.exposure(1), POLICY, after(hours=1, minutes=29))
        assert (verdict.ready, verdict.person) == (Ready.NO, False)
        assert "missing: i_03 .psf (empty). It waits until 2026-11-22T01:30:00Z" in verdict.reason

    def test_then_missing(self) -> None:
        verdict = judge(self.exposure(1), POLICY, after(hours=1, minutes=30))
        assert verdict.ready is Ready.PARTIAL
        assert verdict.forcefiles.missing == ("i_03 .psf (empty)",)

    def test_few_files_are_not_given_up_before(self) -> None:
        exposure = self.exposure(1, tuple(lacking(60)))
        assert not judge(exposure, POLICY, after(hours=1, minutes=29)).person
        assert judge(exposure, POLICY, after(hours=1, minutes=30)).person

    def test_of_a_failed_ccd_are_not_waited_for(self) -> None:
        empty = forcefile(fits(1), 1, size=0, whole_at=None, first_seen=after(hours=1))
        assert judge(finished({1: CcdState.FAILED}, more=[empty]), POLICY, after(hours=1)).ready is Ready.FULL


class TestSurplus:
    """Files of failed CCDs are ignored; others too many keep the exposure back for a person, unless ignored."""

    def test_of_a_failed_ccd(self) -> None:
        verdict = judge(finished({1: CcdState.FAILED}, more=[forcefile(fits(1), 1)]), POLICY, LATE)
        assert verdict.ready is Ready.FULL
        assert verdict.forcefiles.ignored == (fits(1),)
        assert "1 file of failed CCDs ignored" in verdict.reason

    @pytest.mark.parametrize("state", [CcdState.LOST, CcdState.BROKEN, CcdState.MISSING])
    def test_of_a_ccd_without_result(self, state: CcdState) -> None:
        verdict = judge(finished({1: state}, more=[forcefile(fits(1), 1)]), POLICY, LATE)
        assert (verdict.ready, verdict.person) == (Ready.NO, True)
        assert f"1 forcephoto file more than expected, of no complete CCD or twice: {fits(1)}" in verdict.reason
        assert "it goes on within 60 min" in verdict.reason

    @pytest.mark.parametrize(
        ("name", "values"),
        [
            (fits(1, band="r"), {"ccd": 1, "band": "r"}),
            (fits(2), {"ccd": 2}),  # not processed in search exposures
            (fits(1) + ".fz", {"ccd": 1}),  # twice
        ],
    )
    def test_of_another_band_or_ccd_or_twice(self, name: str, values: dict[str, Any]) -> None:
        exposure = finished(more=[replace(forcefile(name, 1), **values)])
        verdict = judge(exposure, POLICY, LATE)
        assert (verdict.ready, verdict.person) == (Ready.NO, True)
        assert verdict.forcefiles.surplus == (name,)
        assert verdict.forcefiles.found == 118

    def test_of_two_the_one_with_something_in_it_counts(self) -> None:
        exposure = finished(without=[fits(1)], more=[forcefile(fits(1), 1, size=0), forcefile(fits(1) + ".fz", 1)])
        files = count_forcefiles(exposure)
        assert (files.found, files.surplus) == (118, (fits(1),))

    def test_ignored(self) -> None:
        policy = replace(POLICY, surplus="ignore")
        verdict = judge(finished({1: CcdState.LOST}, more=[forcefile(fits(1), 1)]), policy, LATE)
        assert verdict.ready is Ready.FULL

    def test_of_a_pending_ccd_is_none_yet(self) -> None:
        exposure = finished({1: CcdState.PENDING}, more=[forcefile(fits(1), 1)])
        assert count_forcefiles(exposure).surplus == ()

    def test_other_files_are_none(self) -> None:
        assert judge(finished(more=[forcefile("notes.txt", None, None)]), POLICY, LATE).ready is Ready.FULL


class TestPersonWanted:
    """A person is asked for only when nothing can come by itself, and never because of what is out of sight."""

    @pytest.mark.parametrize(
        "exposure",
        [
            finished(states_of(10, CcdState.LOST)),
            finished(without=lacking(118)),
            finished({1: CcdState.LOST}, more=[forcefile(fits(1), 1)]),
        ],
        ids=["few CCDs", "few forcefiles", "surplus"],
    )
    def test_not_while_unseen(self, exposure: Exposure) -> None:
        assert judge(exposure, POLICY, LATE).person
        unseen = replace(exposure, unseen_since=after(hours=1), unseen_problem="Input/output error")
        verdict = judge(unseen, POLICY, LATE)
        assert (verdict.ready, verdict.person) == (Ready.NO, False)
        assert "It is judged when all of it can be seen again" in verdict.reason


class TestReasons:
    """Every verdict has a reason with numbers, and one that wants a person says what to do."""

    @given(
        st.dictionaries(st.sampled_from(SEARCH_CCDS), st.sampled_from(CcdState)),
        st.sets(st.sampled_from(lacking(118))),
        st.timedeltas(timedelta(0), timedelta(days=4)),
    )
    def test_any(self, states: dict[int, CcdState], without: set[str], later: timedelta) -> None:
        verdict = judge(finished(states, without=without), POLICY, START + later)
        assert re.match(r"\d+ of 59 CCDs complete", verdict.reason)
        assert verdict.person == ("you decide: " in verdict.reason)
        assert verdict.settled == (CcdState.PENDING not in states.values())
        assert verdict.settled or not verdict.person
