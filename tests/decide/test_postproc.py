"""When post-processing of a season starts, and with which exposures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from desgw_daemon.decide.postproc import next_exposures
from desgw_daemon.decide.postproc_members import fingerprint
from desgw_daemon.domain.actions import LaunchPostproc, Recheck, StartPostproc, WaitSeason
from desgw_daemon.domain.snapshot import Exposure
from desgw_daemon.domain.states import CcdState, ExposureState, MakingState, Ready, RunState, SubmissionState
from tests.decide.build import (
    EXPNUM,
    POLICY,
    SEASON,
    START,
    after,
    exposure,
    finished,
    fits,
    forcefile,
    making,
    ready,
    request,
    run,
    settled_ccds,
    snapshot,
    states_of,
    submission,
    submitted,
)
from tests.decide.seasons import NOW, done, season, started, waits


class TestAllSettled:
    """A season starts when at least one exposure is ready and nothing more comes for the others without a person."""

    def test_all_ready(self) -> None:
        start = started(ready(1), ready(2, ready=Ready.PARTIAL, without=[fits(1)]))
        assert start.exposure_ids == (1, 2)
        assert start.expnums == (EXPNUM, EXPNUM + 1)
        assert start.bands == ("i",)
        assert start.reason == f"2 exposures in i: every exposure of season {SEASON} is settled"
        assert (start.request_id, start.asked_by, start.forced_skipto) == (None, None, None)

    @pytest.mark.parametrize(
        "other",
        [
            finished(states_of(12, CcdState.LOST), number=2, state=ExposureState.ATTENTION),
            exposure(2, held=True),
            ready(2, held=True),
            submitted(2, held=True),
            exposure(2, state=ExposureState.REMOVED),
        ],
        ids=["attention", "held", "held ready", "held running", "removed"],
    )
    def test_those_that_wait_for_a_person_do_not_block(self, other: Exposure) -> None:
        assert started(ready(1), other).exposure_ids == (1,)

    @pytest.mark.parametrize(
        "other",
        [exposure(2), exposure(2, nite=None), submitted(2), finished({1: CcdState.PENDING}, number=2)],
        ids=["queued", "no data", "running", "pending"],
    )
    def test_those_that_may_come_do(self, other: Exposure) -> None:
        reason = waits(ready(1), other)
        assert reason == (
            f"1 exposure ready, 1 not settled ({EXPNUM + 1}); it starts when all are,"
            " or at 2026-11-22T00:30:00Z if nothing new comes, and at 2026-11-22T01:00:00Z at the latest"
        )

    def test_not_with_an_empty_list(self) -> None:
        reason = waits(
            finished(states_of(12, CcdState.LOST), number=2, state=ExposureState.ATTENTION), exposure(held=True)
        )
        assert reason == "no exposure waits for it: 1 attention, 1 queued (1 of them held)"

    def test_not_again_when_all_is_done(self) -> None:
        assert waits(done(1), done(2)) == "no exposure waits for it: 2 done"

    def test_seasons_do_not_wait_for_each_other(self) -> None:
        (start, wait) = season(ready(1), exposure(2, season=2208))
        assert isinstance(start, StartPostproc)
        assert isinstance(wait, WaitSeason)


class TestQuiet:
    """Without news for a while it starts with what is ready, though others may still come."""

    def test_starts(self) -> None:
        fresh = ready(1, full_look_at=after(minutes=29))
        start = started(fresh, exposure(2), now=after(minutes=30))
        assert start.exposure_ids == (1,)
        assert "nothing new since 2026-11-22T00:00:00Z, though 1 exposure may still come" in start.reason

    @pytest.mark.parametrize("news", [{"news_at": after(minutes=20)}, {"since": after(minutes=20)}])
    def test_news_of_any_exposure_count(self, news: dict[str, Any]) -> None:
        fresh = ready(1, full_look_at=after(minutes=29))
        assert "or at 2026-11-22T00:50:00Z" in waits(fresh, exposure(2, **news), now=after(minutes=30))

    def test_news_of_another_season_do_not(self) -> None:
        fresh = ready(1, full_look_at=after(minutes=29))
        other = exposure(3, season=2208, news_at=after(minutes=29))
        assert isinstance(season(fresh, exposure(2), other, now=after(minutes=30))[0], StartPostproc)

    def test_with_as_many_as_are_wanted(self) -> None:
        policy = replace(POLICY, postproc_min_exposures=3)
        now = after(minutes=30)
        fresh = [ready(number, full_look_at=after(minutes=29)) for number in (1, 2, 3)]
        assert started(*fresh, exposure(4), policy=policy, now=now).exposure_ids == (1, 2, 3)
        assert waits(*fresh[:2], exposure(4), policy=policy, now=now) == (
            f"2 exposures ready, 1 not settled ({EXPNUM + 3}); it starts when all are, or when 3 are and nothing"
            " new comes for 30 min, and at 2026-11-22T01:00:00Z at the latest"
        )

    def test_those_of_an_earlier_run_are_none_of_them(self) -> None:
        policy = replace(POLICY, postproc_min_exposures=2)
        fresh = ready(1, full_look_at=after(minutes=29))
        assert "1 exposure ready" in waits(fresh, done(2), exposure(4), policy=policy, now=after(minutes=30))

    def test_fewer_do_when_nothing_more_can_come(self) -> None:
        assert started(ready(1), policy=replace(POLICY, postproc_min_exposures=3)).exposure_ids == (1,)


class TestFirstWithin:
    """First candidates matter more than the last exposure: a season starts so long after the first was ready."""

    NEWS = exposure(2, news_at=after(minutes=59))

    def test_starts_in_spite_of_news(self) -> None:
        fresh = ready(1, full_look_at=after(minutes=59))
        start = started(fresh, self.NEWS, now=after(hours=1))
        assert start.reason.endswith(
            "the first was ready at 2026-11-22T00:00:00Z, 60 min ago or more, though 1 exposure may still come"
        )
        assert "at 2026-11-22T01:00:00Z at the latest" in waits(fresh, self.NEWS, now=after(minutes=59, seconds=59))

    def test_counts_from_the_first_that_is_in_no_run_yet(self) -> None:
        first, second = done(1, since=START), ready(3, since=after(minutes=40), full_look_at=after(minutes=59))
        reason = waits(first, second, self.NEWS, now=after(hours=1))
        assert reason.endswith("at 2026-11-22T01:40:00Z at the latest")

    def test_not_from_one_that_is_left_out(self) -> None:
        out, second = (
            ready(1, blacklisted_since=START),
            ready(3, since=after(minutes=40), full_look_at=after(minutes=59)),
        )
        assert waits(out, second, self.NEWS, now=after(hours=1)).endswith("at 2026-11-22T01:40:00Z at the latest")

    def test_with_fewer_than_min_exposures(self) -> None:
        fresh = ready(1, full_look_at=after(minutes=59))
        policy = replace(POLICY, postproc_min_exposures=10)
        assert started(fresh, self.NEWS, now=after(hours=1), policy=policy).exposure_ids == (1,)


class TestMinInterval:
    """By itself a season starts only so often, from start to start; what is ready meanwhile waits for that."""

    LAST = (run(1, RunState.DONE, intent_at=after(minutes=-2), started_at=START, ended_at=after(minutes=3)),)

    def test_waits(self) -> None:
        assert waits(ready(1), done(2), runs=self.LAST) == (
            f"1 exposure ready, every exposure of season {SEASON} is settled; a season is run at most every 30 min by"
            f" itself: it starts at 2026-11-22T00:30:00Z; `desgw-daemon postproc run --season {SEASON}` starts it"
            " at once"
        )

    def test_starts_then(self) -> None:
        fresh = [ready(1, full_look_at=after(minutes=29)), done(2, full_look_at=after(minutes=29))]
        assert started(*fresh, runs=self.LAST, now=after(minutes=30)).exposure_ids == (1, 2)

    def test_at_once_when_asked_for(self) -> None:
        fresh = done(2, full_look_at=after(minutes=4))
        assert started(ready(1), fresh, runs=self.LAST, postproc_requests=request()).exposure_ids == (1, 2)

    def test_of_another_season_does_not_count(self) -> None:
        other = (run(1, RunState.DONE, season=2208),)
        assert started(ready(1), runs=other).exposure_ids == (1,)

    def test_is_said_before(self) -> None:
        """The times that are promised while others may come are none at which it would still wait."""
        last = (run(1, RunState.DONE, started_at=after(hours=2)),)
        reason = waits(ready(1, since=after(hours=2)), exposure(3), runs=last, now=after(hours=2, minutes=4))
        assert "or at 2026-11-22T02:30:00Z if nothing new comes, and at 2026-11-22T03:00:00Z" in reason


class TestAskedFor:
    """A person's wish starts it at once, even with what is done already, and even with those of a failed run."""

    def test_at_once(self) -> None:
        start = started(ready(1), exposure(2), postproc_requests=request(skipto=4))
        assert start.reason.endswith("observer asked for it at 2026-11-22T00:00:00Z")
        assert (start.request_id, start.asked_by, start.forced_skipto) == (7, "observer", 4)

    def test_automatic_starts_switched_off(self) -> None:
        policy = replace(POLICY, postproc_auto=False)
        assert waits(ready(1), policy=policy) == (
            f"1 exposure ready; postproc.auto is off: `desgw-daemon postproc run --season {SEASON}` starts it"
        )
        assert started(ready(1), policy=policy, postproc_requests=request()).exposure_ids == (1,)

    def test_all_done(self) -> None:
        assert started(done(1), postproc_requests=request()).exposure_ids == (1,)

    def test_nothing_ready(self) -> None:
        assert waits(exposure(), postproc_requests=request()) == (
            "observer asked for it at 2026-11-22T00:00:00Z: it starts as soon as an exposure is ready; now 1 queued"
        )

    def test_a_season_without_exposures(self) -> None:
        assert waits(postproc_requests=request()).endswith("now it has none")

    def test_paused(self) -> None:
        reason = waits(ready(1), paused=True, paused_reason="disk full", postproc_requests=request())
        assert "It goes on after `desgw-daemon resume`" in reason


class TestFailedRun:
    """A failed run does not start again by itself; a person's wish takes its exposures in again."""

    STUCK = ready(1, state=ExposureState.ATTENTION)
    FAILED = (run(1, RunState.FAILED, of=[STUCK], reason="it died"),)

    def test_not_by_itself(self) -> None:
        assert waits(self.STUCK, runs=self.FAILED) == "no exposure waits for it: 1 attention"

    def test_others_go_on_without_it(self) -> None:
        fresh = ready(2, full_look_at=after(minutes=29))
        assert started(self.STUCK, fresh, runs=self.FAILED, now=after(minutes=30)).exposure_ids == (2,)

    def test_asked_for(self) -> None:
        assert started(self.STUCK, runs=self.FAILED, postproc_requests=request()).exposure_ids == (1,)

    def test_asked_for_but_changed_since(self) -> None:
        changed = replace(self.STUCK, ccds=settled_ccds(states_of(12, CcdState.LOST)))
        assert "as soon as an exposure is ready" in waits(changed, runs=self.FAILED, postproc_requests=request())

    def test_asked_for_it_is_looked_at_once_more(self) -> None:
        stale = replace(self.STUCK, full_look_at=START)
        actions = season(stale, runs=self.FAILED, postproc_requests=request())
        assert [type(action) for action in actions] == [Recheck, WaitSeason]

    def test_attention_of_another_cause_stays_out(self) -> None:
        other = finished(states_of(12, CcdState.LOST), number=2, state=ExposureState.ATTENTION)
        assert started(self.STUCK, other, runs=self.FAILED, postproc_requests=request()).exposure_ids == (1,)

    def test_members_shown_to_people(self) -> None:
        night = snapshot(self.STUCK, ready(2), exposure(3), runs=self.FAILED)
        members, retry = next_exposures(night, SEASON, POLICY, NOW)
        assert ([e.id for e in members], retry) == ([1, 2], None)
        other = finished(states_of(12, CcdState.LOST), number=2, state=ExposureState.ATTENTION)
        members, _ = next_exposures(snapshot(self.STUCK, other, runs=self.FAILED), SEASON, POLICY, NOW)
        assert [e.id for e in members] == [1], "what a run would leave out is not shown in it"


class TestGrown:
    """A season that grew is run with everything: what is ready and what was done before."""

    def test_with_the_done_ones(self) -> None:
        start = started(done(2), ready(1), done(3, band="z"))
        assert start.exposure_ids == (1, 2, 3)
        assert start.bands == ("i", "z")

    def test_not_with_held_ones(self) -> None:
        assert started(done(2, held=True), ready(1)).exposure_ids == (1,)

    def test_one_number_in_two_nites(self) -> None:
        start = started(ready(1, nite="20261122"), ready(2, expnum=EXPNUM, nite="20261121"))
        assert start.exposure_ids == (2, 1)


class TestLastLook:
    """Every CCD and forcefile is looked at once more, after it became ready, before it goes into a run."""

    def test_asked_for(self) -> None:
        actions = season(ready(1, full_look_at=None), ready(2))
        recheck, wait = actions
        assert isinstance(recheck, Recheck)
        assert recheck.exposure_id == 1
        assert isinstance(wait, WaitSeason)
        assert wait.reason.startswith(f"a last look at {EXPNUM} before post-processing starts")

    def test_the_look_that_made_it_ready_is_not_enough(self) -> None:
        assert isinstance(season(ready(1, full_look_at=START))[0], Recheck)

    def test_asked_once(self) -> None:
        assert "a last look" in waits(ready(1, full_look_at=START, recheck_asked_at=START))

    def test_together_with_those_that_would_be_too_old_soon(self) -> None:
        """Else one of many would always be too old: looks that are asked for one after another expire so."""
        stale, older, younger = (ready(n, full_look_at=after(minutes=m)) for n, m in ((1, -1), (2, 4), (3, 6)))
        actions = season(stale, older, younger, now=after(minutes=10))
        assert [a.exposure_id for a in actions if isinstance(a, Recheck)] == [1, 2]
        (wait,) = (a for a in actions if isinstance(a, WaitSeason))
        assert wait.reason.startswith(f"a last look at {EXPNUM} before")

    def test_too_long_ago(self) -> None:
        assert isinstance(season(ready(1), now=after(minutes=11))[0], Recheck)

    def test_what_was_done_before_needs_one_too(self) -> None:
        recheck, wait = season(ready(1), done(2, full_look_at=None))
        assert isinstance(recheck, Recheck) and recheck.exposure_id == 2
        assert isinstance(wait, WaitSeason)

    def test_of_what_was_done_since_the_last_run_began(self) -> None:
        last = (run(1, RunState.DONE, intent_at=after(minutes=-40), started_at=after(minutes=-40)),)
        before, since = done(2, full_look_at=after(minutes=-41)), done(2, full_look_at=after(minutes=-39))
        assert isinstance(season(ready(1), before, runs=last)[0], Recheck)
        assert started(ready(1), since, runs=last).exposure_ids == (1, 2)

    def test_of_what_was_done_within_the_time_of_what_is_settled(self) -> None:
        late = after(minutes=62)
        old = done(2, full_look_at=after(minutes=1))
        assert isinstance(season(ready(1, full_look_at=after(minutes=61)), old, now=late)[0], Recheck)
        assert started(ready(1, full_look_at=after(minutes=60)), old, now=after(minutes=61)).exposure_ids == (1, 2)

    def test_right_after_it_became_ready(self) -> None:
        """Asked for in the cycle in which it becomes ready, done in the next."""
        subject = finished()
        recheck, _ = season(subject)
        assert isinstance(recheck, Recheck)

    def test_one_that_cannot_be_looked_at_is_left_out_after_a_while(self) -> None:
        hidden = ready(1, full_look_at=START, recheck_asked_at=START, unseen_since=START, unseen_problem="EIO")
        fresh = ready(2, full_look_at=after(minutes=29))
        assert "a last look" in waits(hidden, fresh, now=after(minutes=29))
        start = started(hidden, fresh, now=after(minutes=30))
        assert start.exposure_ids == (2,)
        assert start.left_out == {1: "it cannot be looked at since 2026-11-22T00:00:00Z: EIO"}
        assert start.reason.endswith("; 1 left out")

    def test_one_that_was_done_gets_its_while_from_the_question_on(self) -> None:
        """It was not looked at for a day: what could not be seen then proves nothing now."""
        now = after(days=1)
        fresh = ready(1, full_look_at=now)
        hidden = done(2, full_look_at=None, unseen_since=START, unseen_problem="EIO")
        assert isinstance(season(fresh, hidden, now=now)[0], Recheck)
        asked = replace(hidden, recheck_asked_at=now - POLICY.unseen_patience)
        assert started(fresh, asked, now=now).exposure_ids == (1,)

    def test_none_can_be_looked_at(self) -> None:
        hidden = ready(1, full_look_at=START, recheck_asked_at=START, unseen_since=START, unseen_problem="EIO")
        assert waits(hidden, now=after(hours=1)) == (
            f"no exposure waits for it: 1 ready. 1 ready exposure left out ({EXPNUM}); {EXPNUM}: it cannot be looked at"
            " since 2026-11-22T00:00:00Z: EIO"
        )


class TestOneAtATime:
    """One run in the Post-Processing folder at a time, whatever the season."""

    @pytest.mark.parametrize("state", [RunState.INTENT, RunState.RUNNING])
    def test_of_the_same_season(self, state: RunState) -> None:
        live = run(1, state, of=[ready(2, state=ExposureState.POSTPROCESSING)])
        actions = season(ready(1), runs=(live,), postproc_requests=request())
        assert (
            f"run 1 goes on since 2026-11-22T00:00:00Z; 1 exposure ready meanwhile ({EXPNUM}): the next run has it"
            in [getattr(a, "reason", "") for a in actions]
        )
        assert not any(isinstance(action, StartPostproc) for action in actions)

    def test_of_another_season(self) -> None:
        reason = waits(ready(1), runs=(run(4, season=2208),))
        assert reason == (
            "run 4 of season 2208 uses the Post-Processing folder since 2026-11-22T00:00:00Z;"
            " it goes on when that has ended"
        )

    def test_two_that_could_start(self) -> None:
        first, second = season(ready(1), ready(2, season=2208))
        assert isinstance(first, StartPostproc)
        assert isinstance(second, WaitSeason)
        assert second.reason.startswith(f"a new run of season {SEASON} uses the Post-Processing folder")

    def test_one_that_was_about_to_start_is_launched(self) -> None:
        actions = season(ready(1), runs=(run(3, RunState.INTENT),))
        assert isinstance(actions[0], LaunchPostproc)
        assert actions[0].run_id == 3


class TestFingerprint:
    """Two runs are of the same exposures only if these have the same results, too."""

    def test_same(self) -> None:
        assert fingerprint([ready(1), ready(2)]) == fingerprint([ready(2), done(1)])

    @pytest.mark.parametrize(
        "changed", [{"band": "r"}, {"nite": "20261120"}, {"attempt": 2}, {"forcefiles_found": 7}, {"expnum": 1}]
    )
    def test_others(self, changed: dict[str, Any]) -> None:
        assert fingerprint([ready(1)]) != fingerprint([ready(1, **changed)])

    def test_more(self) -> None:
        assert fingerprint([ready(1)]) != fingerprint([ready(1), ready(2)])


class TestOneBadOfEachKind:
    """One bad exposure of each kind does not keep the rest of a season from post-processing."""

    BAD = (
        exposure(
            11,
            state=ExposureState.ATTENTION,
            reason="no templates",
            makings=(making(11, MakingState.FAILED, reason="no template images"),),
        ),
        exposure(12, nite=None, band=None),
        ready(13, expnum=EXPNUM, nite="20261120", held=True),
        finished(states_of(59, CcdState.FAILED), number=14, state=ExposureState.ATTENTION),
        finished({1: CcdState.PENDING}, number=15, submissions=(submission(15),)),
        finished({1: CcdState.LOST}, number=16, more=[forcefile(fits(1), 1)], state=ExposureState.ATTENTION),
        exposure(17, held=True),
        submitted(18, SubmissionState.UNKNOWN),
        exposure(
            19, expnum=EXPNUM + 17, season=2208, state=ExposureState.MAKING, makings=(making(19, MakingState.RUNNING),)
        ),
    )

    def test_all_others_go_on(self) -> None:
        good = [ready(number, full_look_at=after(minutes=29)) for number in range(1, 6)]
        actions = season(*good, *self.BAD, now=after(minutes=30))
        (start,) = (action for action in actions if isinstance(action, StartPostproc))
        assert start.exposure_ids == (1, 2, 3, 4, 5)
