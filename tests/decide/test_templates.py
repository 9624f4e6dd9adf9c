"""Templates are processed by one DAG at a time, and each DAG has its turn."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desgw_daemon.decide.plan import plan
from desgw_daemon.domain.actions import MakeDag, Move, SubmitDag, Wait
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.snapshot import Exposure
from desgw_daemon.domain.states import IN_FLIGHT, ExposureState, MakingState, SubmissionState
from tests.decide.build import EXPNUM, POLICY, START, after, exposure, making, snapshot, submission, submitted
from tests.forms import often

T, U, V = 668439, 668440, 668441


def made(number: int, *templates: int, **values: Any) -> Exposure:
    """One whose DAG is made, and processes these templates."""
    known: dict[str, Any] = {
        "state": ExposureState.SUBMITTING,
        "makings": (making(number, templates=templates),),
    }
    return exposure(number, **(known | values))


def flying(number: int, *templates: int, state: SubmissionState = SubmissionState.RUNNING, **values: Any) -> Exposure:
    """One whose DAG is in flight with these."""
    dag = submission(number, state, templates=templates, **values)
    return replace(submitted(number), submissions=(dag,), makings=(making(number, templates=templates),))


def planned(*exposures: Exposure, policy: Policy = POLICY, **values: Any) -> dict[int, Any]:
    """What is planned for each of them."""
    actions = plan(snapshot(*exposures, **values), policy, after(minutes=1))
    return {a.exposure_id: a for a in actions if isinstance(a, SubmitDag | Wait | Move | MakeDag)}


def submits(actions: dict[int, Any]) -> list[int]:
    """The exposures that are submitted."""
    return [number for number, action in actions.items() if isinstance(action, SubmitDag)]


class TestOneAtATime:
    """A DAG waits while another one in flight writes one of its single-epoch outputs, and says which and whose."""

    @pytest.mark.parametrize("state", sorted(IN_FLIGHT))
    def test_in_flight(self, state: SubmissionState) -> None:
        actions = planned(flying(1, T, U, state=state), made(2, T, V), made(3, V + 1))
        assert submits(actions) == [3]
        assert actions[2].waits_for == (EXPNUM,)
        assert "processes what another one does. template 668439: the DAG of 1200201 i (season 2206" in (
            actions[2].reason
        )

    def test_words(self) -> None:
        assert planned(flying(1, T, U), made(2, T, U))[2].reason == (
            "its DAG is made, and processes what another one does. templates 668439, 668440: the DAG of 1200201 i"
            " (season 2206, nite 20261121), running since 2026-11-22T00:00:00Z. It goes on when that has ended"
        )

    def test_the_exposure_itself_is_a_template_of_another(self) -> None:
        actions = planned(flying(1, EXPNUM + 1), made(2))
        assert submits(actions) == []
        assert "the exposure itself: the DAG of 1200201 i" in actions[2].reason

    def test_a_template_is_an_exposure_in_flight(self) -> None:
        assert submits(planned(flying(1), made(2, EXPNUM))) == []

    def test_of_any_season(self) -> None:
        assert submits(planned(replace(flying(1, T), season=2208), made(2, T))) == []

    def test_submitted_by_somebody_else(self) -> None:
        theirs = exposure(1, state=ExposureState.PROCESSING, watch_only=True)
        actions = planned(theirs, made(2, EXPNUM))
        assert submits(actions) == []
        assert "submitted by somebody else and followed since 2026-11-22T00:00:00Z" in actions[2].reason

    def test_two_of_one_plan(self) -> None:
        actions = planned(made(1, T), made(2, T), made(3, U))
        assert submits(actions) == [1, 3]
        assert "the DAG of 1200201 i (season 2206, nite 20261121), which is submitted now" in actions[2].reason

    def test_several_in_its_way(self) -> None:
        actions = planned(flying(1, T), flying(2, U), made(3, T, U))
        assert actions[3].waits_for == (EXPNUM, EXPNUM + 1)
        assert actions[3].reason.endswith("It goes on when those have ended")

    def test_one_that_is_held_before_its_submission(self) -> None:
        claimed = replace(flying(1, T, state=SubmissionState.INTENT), state=ExposureState.SUBMITTING, held=True)
        assert f"`desgw-daemon queue release {EXPNUM}`" in planned(claimed, made(2, T))[2].reason

    def test_free_when_it_has_ended(self) -> None:
        ended = flying(1, T, state=SubmissionState.FAILED, ended_at=START)
        assert submits(planned(ended, made(2, T))) == [2]


class TestIgnore:
    """With templates = "ignore" only the exposure itself counts."""

    POLICY = replace(POLICY, submit_templates="ignore")

    def test_ignored(self) -> None:
        assert submits(planned(flying(1, T), made(2, T), made(3, EXPNUM), policy=self.POLICY)) == [2, 3]

    def test_two_seasons_of_one_exposure(self) -> None:
        twins = made(1), made(2, expnum=EXPNUM, season=2208)
        assert submits(planned(*twins, policy=self.POLICY)) == [1]

    def test_nothing_is_made_again(self) -> None:
        done = flying(1, T, state=SubmissionState.DONE, ended_at=after(hours=1))
        assert submits(planned(done, made(2, T), policy=self.POLICY)) == [2]


class TestTurns:
    """One that waits keeps what it needs from those behind it; those that need nothing of it pass."""

    def test_for_a_template(self) -> None:
        actions = planned(flying(1, T), made(2, T, U), made(3, U), made(4, V))
        assert submits(actions) == [4]
        assert actions[3].waits_for == (EXPNUM + 1,)
        assert actions[3].reason == (
            "its DAG is made, and processes what another one does. template 668440: 1200202 i (season 2206, nite"
            " 20261121) stands before it in the line. It goes on when that one's DAG has ended"
        )

    def test_for_a_place(self) -> None:
        policy = replace(POLICY, submit_max_in_flight=1)
        actions = planned(flying(1), made(2, T), made(3, T), policy=policy)
        assert "number 1 of those that wait for a place" in actions[2].reason
        assert actions[3].waits_for == (EXPNUM + 1,)

    def test_held_ones_keep_nothing(self) -> None:
        """They wait for a person."""
        assert submits(planned(flying(1, T), made(2, T, U, held=True), made(3, U))) == [3]

    @pytest.mark.parametrize("state", [ExposureState.QUEUED, ExposureState.MAKING])
    def test_one_that_is_made_anew_keeps_its_place(self, state: ExposureState) -> None:
        more = (making(9, MakingState.RUNNING, exposure_id=1),) if state is ExposureState.MAKING else ()
        anew = replace(made(1, T), state=state, makings=(making(1, templates=(T,)), *more))
        actions = planned(anew, made(2, T))
        assert submits(actions) == []
        assert actions[2].waits_for == (EXPNUM,)
        assert submits(planned(replace(anew, held=True), made(2, T))) == [2]

    def test_they_do_not_stop_the_making_of_others(self) -> None:
        policy = replace(POLICY, submit_max_in_flight=1, dagmaker_made_ahead=1)
        waiting = [made(n, T) for n in (2, 3, 4)]
        assert isinstance(planned(flying(1, T), *waiting, exposure(5), policy=policy)[5], MakeDag)


class TestMadeAnew:
    """A DAG that lists a template which another one has processed since is made anew, once for each such DAG."""

    def done(self, *templates: int, state: SubmissionState = SubmissionState.DONE, **values: Any) -> Exposure:
        known: dict[str, Any] = {"ended_at": after(seconds=30), "as_of": after(seconds=40)}
        return flying(1, *templates, state=state, **(known | values))

    def test_again(self) -> None:
        action = planned(self.done(T), made(2, T, U))[2]
        assert isinstance(action, Move) and action.after is ExposureState.QUEUED
        assert action.reason == (
            "its DAG lists template 668439, which the DAG of 1200201 i (season 2206, nite 20261121) has processed"
            " since: that ended at 2026-11-22T00:00:30Z, and DAGMaker was run at 2026-11-22T00:00:00Z. It is made again"
        )

    def test_an_exposure_of_the_queue_is_the_template(self) -> None:
        assert isinstance(planned(self.done(), made(2, EXPNUM))[2], Move)

    def test_other_templates(self) -> None:
        assert submits(planned(self.done(U), made(2, T))) == [2]

    @pytest.mark.parametrize("state", [SubmissionState.FAILED, SubmissionState.REMOVED, SubmissionState.LOST])
    def test_only_one_that_is_done_has_processed_it(self, state: SubmissionState) -> None:
        assert submits(planned(self.done(T, state=state), made(2, T))) == [2]

    def test_not_again_for_the_same(self) -> None:
        """DAGMaker has looked since, and lists it all the same."""
        anew = replace(
            made(2), makings=(making(2, templates=(T,)), making(3, templates=(T,), intent_at=after(minutes=1)))
        )
        assert submits(planned(self.done(T), anew)) == [2]

    def test_the_queues_clock_is_ahead(self) -> None:
        """Its end counts from when we heard of it, or it would be made again until that time has come."""
        ahead = self.done(T, ended_at=after(hours=1))
        anew = replace(made(2), makings=(making(2, templates=(T,), intent_at=after(seconds=40)),))
        assert submits(planned(ahead, anew)) == [2]

    def test_no_hurry_for_what_is_held(self) -> None:
        assert isinstance(planned(self.done(T), made(2, T, held=True))[2], Wait)


@dataclass
class Night:
    """A small night: what each plan says is done, DAGs end one after another, DAGMaker lists what is not processed.

    stubborn: exposures whose DAGs list all their templates whatever was processed (a template that fails each time).
    """

    policy: Policy
    needs: dict[int, tuple[int, ...]]
    stubborn: frozenset[int] = frozenset()
    exposures: dict[int, Exposure] = field(default_factory=dict)
    processed: set[int] = field(default_factory=set)
    submitted: list[int] = field(default_factory=list)
    now: datetime = START
    makings: int = 0

    def add(self, number: int) -> None:
        """One more in the queue."""
        self.exposures[number] = exposure(number)

    def cycle(self) -> None:
        """Plan, and do it; each DAGMaker has ended before the next cycle."""
        self.now += timedelta(minutes=10)
        actions = plan(snapshot(*self.exposures.values()), self.policy, self.now)
        for number, one in self.exposures.items():
            if one.state is ExposureState.MAKING and one.makings[-1].state is MakingState.RUNNING:
                self.exposures[number] = replace(
                    one, makings=(*one.makings[:-1], replace(one.makings[-1], state=MakingState.MADE))
                )
        for action in actions:
            match action:
                case MakeDag(exposure_id=number):
                    self._make(number)
                case Move(exposure_id=number, after=state):
                    self.exposures[number] = replace(self.exposures[number], state=state)
                case SubmitDag(exposure_id=number):
                    self._submit(number)
        self.check()

    def _make(self, number: int) -> None:
        one, self.makings = self.exposures[number], self.makings + 1
        listed = self.needs[number]
        if number not in self.stubborn:
            listed = tuple(template for template in listed if template not in self.processed)
        run = making(self.makings, MakingState.RUNNING, exposure_id=number, templates=listed, intent_at=self.now)
        self.exposures[number] = replace(one, state=ExposureState.MAKING, makings=(*one.makings, run))

    def _submit(self, number: int) -> None:
        one = self.exposures[number]
        dag = submission(number, templates=one.makings[-1].templates, intent_at=self.now)
        self.exposures[number] = replace(one, state=ExposureState.PROCESSING, submissions=(dag,))
        self.submitted.append(number)

    def flying(self) -> list[int]:
        """Those in flight."""
        return [n for n, one in self.exposures.items() if any(s.state in IN_FLIGHT for s in one.submissions)]

    def end(self, number: int, state: SubmissionState) -> None:
        """Its DAG ends."""
        one = self.exposures[number]
        dag = replace(one.submissions[0], state=state, ended_at=self.now, as_of=self.now)
        self.exposures[number] = replace(one, submissions=(dag,))
        if state is SubmissionState.DONE:
            self.processed |= {one.expnum, *dag.templates}

    def check(self) -> None:
        """Whatever happens: no file is written by two, and the cap is kept."""
        written = [
            number
            for key in self.flying()
            for number in (self.exposures[key].expnum, *self.exposures[key].submissions[0].templates)
        ]
        assert len(written) == len(set(written))
        assert len(self.flying()) <= self.policy.submit_max_in_flight


def templates_of(count: int) -> st.SearchStrategy[list[tuple[int, ...]]]:
    """Few templates for many, some of which are exposures of the queue themselves."""
    some = st.sampled_from([T, U, V, EXPNUM, EXPNUM + 2])
    return st.lists(st.lists(some, unique=True, max_size=3).map(tuple), min_size=1, max_size=count)


nights = st.builds(
    Policy,
    submit_max_in_flight=st.integers(1, 4),
    dagmaker_max_at_once=st.integers(1, 3),
    dagmaker_made_ahead=st.integers(1, 3),
)


def without_own(needs: Iterable[tuple[int, ...]]) -> dict[int, tuple[int, ...]]:
    """By exposure; none is its own template."""
    return {n: tuple(t for t in listed if t != EXPNUM + n - 1) for n, listed in enumerate(needs, 1)}


class TestEverybodyHasATurn:
    """As long as DAGs end, each exposure of the queue is submitted, and none twice; no template is in two hands."""

    @pytest.mark.soak
    @given(nights, templates_of(8), st.sets(st.integers(1, 8)), st.data())
    @settings(max_examples=often(150))
    def test_all(self, policy: Policy, needs: list[tuple[int, ...]], stubborn: set[int], data: st.DataObject) -> None:
        night = Night(policy, without_own(needs), frozenset(stubborn))
        for number in night.needs:
            night.add(number)
        for _ in range(8 * len(needs) + 8):
            night.cycle()
            if flying := night.flying():
                ended = data.draw(st.sampled_from([SubmissionState.DONE, SubmissionState.FAILED]))
                night.end(data.draw(st.sampled_from(flying)), ended)
        assert sorted(night.submitted) == sorted(night.needs)

    def test_newcomers_do_not_pass(self) -> None:
        """One is made anew while others that want the same template come one after another."""
        night = Night(POLICY, dict.fromkeys(range(1, 40), (T,)), stubborn=frozenset(range(1, 40)))
        night.add(1)
        for _ in range(4):
            night.cycle()
        assert night.submitted == [1]
        for number in range(2, 40):
            night.add(number)
            if number % 5 == 0 and night.flying():
                night.end(night.flying()[0], SubmissionState.DONE)
            night.cycle()
        assert len(night.submitted) > 3
        assert night.submitted == sorted(night.submitted)

    @given(st.integers(0, 5), st.integers(0, 6), st.integers(1, 8))
    def test_without_shared_templates_nothing_changes(self, running: int, waiting: int, cap: int) -> None:
        """The first of the line get the places that are free."""
        exposures = [flying(n, 1000 + n) for n in range(1, running + 1)]
        exposures += [made(n, 1000 + n) for n in range(running + 1, running + waiting + 1)]
        actions = planned(*exposures, policy=replace(POLICY, submit_max_in_flight=cap))
        free = max(0, cap - running)
        assert submits(actions) == list(range(running + 1, running + min(free, waiting) + 1))
