"""A run of post-processing that failed: tried again by itself, a result, or a person's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from desgw_daemon.decide.alerts import wanted_alerts
from desgw_daemon.decide.postproc import next_exposures
from desgw_daemon.decide.postproc_end import SAID
from desgw_daemon.domain.actions import Move, Recheck, Wait
from desgw_daemon.domain.runs import PostprocRun
from desgw_daemon.domain.snapshot import Exposure
from desgw_daemon.domain.states import ExposureState, RunResult, RunState
from tests.decide.build import EXPNUM, POLICY, SEASON, START, after, ready, request, run, snapshot
from tests.decide.seasons import of_exposure, season, started, waits

IN_RUN = ready(1, state=ExposureState.POSTPROCESSING)
#: When a run that ended after 3 h is tried again for the first time, and for the second.
FIRST, SECOND = after(hours=3, minutes=10), after(hours=3, minutes=20)


def failed(number: int = 1, state: RunState = RunState.FAILED, *, of: Any = (IN_RUN,), **values: Any) -> PostprocRun:
    known: dict[str, Any] = {"stage": "program", "step": 3, "reason": "it ended with exit code 1 at step 3"}
    return run(number, state, of=of, **(known | values))


def waiting(number: int = 1, **values: Any) -> Exposure:
    """One of a failed run, ready again and looked at since."""
    known: dict[str, Any] = {"since": after(hours=3), "full_look_at": after(hours=3, minutes=9)}
    return ready(number, **(known | values))


class TestTriedAgain:
    """A run that failed, or that nobody saw end, is tried again by itself after a while; its exposures are ready
    meanwhile and not in attention."""

    @pytest.mark.parametrize("state", [RunState.FAILED, RunState.LOST])
    def test_exposures_wait(self, state: RunState) -> None:
        action = of_exposure(IN_RUN, runs=(failed(state=state),), now=after(hours=3))
        assert isinstance(action, Move)
        assert action.after is ExposureState.READY
        assert action.reason == (
            f"post-processing run 1 of season {SEASON}: it ended with exit code 1 at step 3. It is tried again by"
            " itself from its SKIPTO at 2026-11-22T03:10:00Z (try 1 of 2)"
        )

    def test_they_say_when_the_next_try_is(self) -> None:
        action = of_exposure(waiting(), runs=(failed(),), now=after(hours=3, minutes=1))
        assert isinstance(action, Wait)
        assert "tried again by itself from its SKIPTO at 2026-11-22T03:10:00Z (try 1 of 2)" in action.reason

    def test_so_does_the_season(self) -> None:
        reason = waits(waiting(), waiting(2), runs=(failed(),), now=after(hours=3, minutes=9))
        assert reason.endswith(
            f"at 2026-11-22T03:10:00Z (try 1 of 2); 1 exposure ready since ({EXPNUM + 1}) after that"
        )

    def test_starts(self) -> None:
        start = started(waiting(), runs=(failed(),), now=FIRST)
        assert (start.exposure_ids, start.retry_of, start.request_id) == ((1,), 1, None)
        assert start.reason == "1 exposure in i: run 1 failed at 2026-11-22T03:00:00Z: try 1 of 2"

    def test_no_alert_is_up_meanwhile(self) -> None:
        assert wanted_alerts(snapshot(waiting(), runs=(failed(),)), POLICY, FIRST) == ()

    def test_looked_at_once_more_before(self) -> None:
        (recheck, _) = season(waiting(full_look_at=START), runs=(failed(),), now=FIRST)
        assert isinstance(recheck, Recheck)

    def test_no_sooner_than_a_season_is_run_by_itself(self) -> None:
        early = failed(started_at=after(hours=2, minutes=59))
        assert "at 2026-11-22T03:29:00Z (try 1 of 2)" in waits(waiting(), runs=(early,), now=FIRST)

    def test_not_while_paused(self) -> None:
        assert "paused" in waits(waiting(), runs=(failed(),), now=FIRST, paused=True, paused_reason="disk full")

    def test_what_became_ready_meanwhile_comes_after_it(self) -> None:
        """With others in it, the run would begin from scratch."""
        assert started(waiting(), waiting(2), runs=(failed(),), now=FIRST).exposure_ids == (1,)

    def test_shown_to_people_as_it_comes(self) -> None:
        night = snapshot(waiting(), waiting(2), runs=(failed(),))
        members, retry = next_exposures(night, SEASON, POLICY, FIRST)
        assert [e.id for e in members] == [1]
        assert retry is not None and retry.run.number == 1
        asked = snapshot(waiting(), waiting(2), runs=(failed(),), postproc_requests=request())
        members, retry = next_exposures(asked, SEASON, POLICY, FIRST)
        assert ([e.id for e in members], retry) == ([1, 2], None)

    def test_those_that_left_meanwhile_are_not_in_it(self) -> None:
        gone = waiting(2, state=ExposureState.REMOVED)
        held = waiting(3, held=True)
        runs = (failed(of=[waiting(), gone, held]),)
        start = started(waiting(), gone, held, runs=runs, now=FIRST)
        assert start.exposure_ids == (1,)
        assert start.left_out == {3: f"it is held: `desgw-daemon queue release {EXPNUM + 2}` lets it in"}

    def test_others_go_on_when_none_of_it_is_left(self) -> None:
        held = waiting(held=True)
        assert started(held, waiting(2), runs=(failed(of=[held]),), now=FIRST).retry_of is None

    def test_asked_for_it_starts_at_once_with_everything(self) -> None:
        start = started(
            waiting(),
            waiting(2),
            runs=(failed(),),
            now=after(hours=3, minutes=9, seconds=30),
            postproc_requests=request(),
        )
        assert (start.exposure_ids, start.retry_of) == ((1, 2), None)


class TestBackOff:
    """Each further try waits twice as long, and there is one only if the last came further than the one before."""

    def second(self, **values: Any) -> tuple[PostprocRun, ...]:
        return failed(), failed(2, retry_of=1, **values)

    @pytest.mark.parametrize("progress", [{"step": 4}, {"step": 7}])
    def test_further(self, progress: dict[str, Any]) -> None:
        runs = self.second(**progress)
        assert "at 2026-11-22T03:20:00Z (try 2 of 2)" in waits(waiting(), runs=runs, now=FIRST)
        assert started(waiting(full_look_at=FIRST), runs=runs, now=SECOND).retry_of == 2

    @pytest.mark.parametrize("progress", [{"step": 3}, {"step": 2}, {"step": None}, {"stage": "setup", "step": None}])
    def test_no_further(self, progress: dict[str, Any]) -> None:
        action = of_exposure(IN_RUN, runs=self.second(**progress), now=FIRST)
        assert isinstance(action, Move)
        assert action.after is ExposureState.ATTENTION
        assert "As try 1 of run 1 it came no further than the one before. Mend the cause, then" in action.reason

    @pytest.mark.parametrize(
        ("before", "further"),
        [
            ({"stage": "setup", "step": None}, {"stage": "links", "step": None}),
            ({"stage": "trial", "step": None}, {"stage": "program", "step": None}),
            ({"stage": "program", "step": None}, {"stage": "program", "step": -1}),
            ({"stage": None, "step": None}, {"stage": "setup", "step": None}),
        ],
    )
    def test_the_stages_of_the_preparation_count(self, before: dict[str, Any], further: dict[str, Any]) -> None:
        there = (failed(**before), failed(2, retry_of=1, **further))
        assert isinstance(of_exposure(waiting(), runs=there, now=FIRST), Wait)
        back = (failed(**further), failed(2, retry_of=1, **before))
        action = of_exposure(IN_RUN, runs=back, now=FIRST)
        assert isinstance(action, Move) and action.after is ExposureState.ATTENTION

    def test_so_often_only(self) -> None:
        runs = (*self.second(step=4), failed(3, retry_of=2, step=5))
        action = of_exposure(IN_RUN, runs=runs, now=SECOND)
        assert isinstance(action, Move)
        assert action.after is ExposureState.ATTENTION
        assert "It was tried again 2 times by itself, as often as postproc.retries allows." in action.reason

    def test_a_run_that_somebody_asked_for_begins_anew(self) -> None:
        runs = (*self.second(step=4), failed(3, step=1))
        assert "(try 1 of 2)" in waits(waiting(), runs=runs, now=after(hours=3, minutes=9))


class TestAPersonsTurn:
    """Not tried again: with no retries left or allowed, or when what failed does not mend itself."""

    def attention(self, died: PostprocRun, **policy: Any) -> str:
        action = of_exposure(IN_RUN, runs=(died,), now=FIRST, policy=replace(POLICY, **policy))
        assert isinstance(action, Move)
        assert action.after is ExposureState.ATTENTION
        return action.reason

    def test_none_allowed(self) -> None:
        assert self.attention(failed(), postproc_retries=0) == (
            f"post-processing run 1 of season {SEASON}: it ended with exit code 1 at step 3. Mend the cause, then"
            f" `desgw-daemon postproc run --season {SEASON}`"
        )

    def test_nothing_starts_by_itself(self) -> None:
        self.attention(failed(), postproc_auto=False)

    def test_never_begun(self) -> None:
        """A template or a value that cannot be used."""
        self.attention(failed(started_at=None, stage=None, step=None))

    def test_ended_by_a_person(self) -> None:
        stop: dict[str, Any] = {"stopped_by": "observer", "stopped_at": after(hours=3), "stop_reason": "a wrong list"}
        self.attention(failed(**stop))
        theirs = waiting(state=ExposureState.ATTENTION)
        # However much time goes by, and although a run that failed by itself would be due.
        for now in (FIRST, SECOND, after(hours=48)):
            said = waits(theirs, runs=(failed(**stop, of=[theirs]),), now=now)
            assert said == "no exposure waits for it: 1 attention"

    def test_ended_by_a_person_at_a_further_try(self) -> None:
        stop: dict[str, Any] = {"stopped_by": "observer", "stopped_at": after(hours=3), "step": 4}
        runs = (failed(), failed(2, retry_of=1, **stop))
        action = of_exposure(IN_RUN, runs=runs, now=FIRST)
        assert isinstance(action, Move) and action.after is ExposureState.ATTENTION
        assert "tried again by itself from" not in action.reason
        assert "no further" not in action.reason, "it came further, and was stopped"

    def test_nothing_is_said_of_progress_that_there_was(self) -> None:
        action = of_exposure(
            IN_RUN,
            runs=(failed(), failed(2, retry_of=1, step=4)),
            now=FIRST,
            policy=replace(POLICY, postproc_auto=False),
        )
        assert isinstance(action, Move) and "no further" not in action.reason

    def test_an_older_run_than_the_season_s_newest(self) -> None:
        other = ready(2, state=ExposureState.DONE)
        action = of_exposure(IN_RUN, other, runs=(failed(), run(2, RunState.DONE, of=[other])), now=FIRST)
        assert isinstance(action, Move) and action.after is ExposureState.ATTENTION

    def test_the_alert_says_how_often_it_was_tried(self) -> None:
        stuck = ready(1, state=ExposureState.ATTENTION)
        runs = (failed(of=[stuck]), failed(2, retry_of=1, step=3, of=[stuck]))
        (alert,) = wanted_alerts(snapshot(stuck, runs=runs), POLICY, FIRST)
        assert alert.key == f"postproc_failed:{SEASON}:2"
        assert "As try 1 of run 1 it came no further than the one before." in alert.text


class TestResults:
    """No candidates is a result and no failure: its exposures are done, are told so, and nothing is tried again."""

    @pytest.mark.parametrize("result", [r for r in RunResult if r is not RunResult.CANDIDATES])
    def test_done(self, result: RunResult) -> None:
        ended = failed(1, RunState.DONE, result=result.value, reason=f"it ended with exit code 1: {SAID[result]}")
        action = of_exposure(IN_RUN, runs=(ended,), now=FIRST)
        assert isinstance(action, Move)
        assert action.after is ExposureState.DONE
        assert action.reason.endswith("ended well at 2026-11-22T03:00:00Z: it ended with exit code 1: " + SAID[result])
        assert waits(IN_RUN, runs=(ended,), now=FIRST) == "no exposure waits for it: 1 done"
