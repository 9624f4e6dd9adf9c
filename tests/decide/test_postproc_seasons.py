"""What holds for the runs of any season whatever: played from the first exposure to the end, cycle by cycle."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from desgw_daemon.decide.looks import plan_looks
from desgw_daemon.decide.plan import plan
from desgw_daemon.decide.postproc_members import kept_out
from desgw_daemon.decide.postproc_runs import failed_run_of
from desgw_daemon.domain.actions import Move, Recheck, StartPostproc
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.runs import PostprocRun
from desgw_daemon.domain.snapshot import Exposure, Snapshot
from desgw_daemon.domain.states import RUN_LIVE, CcdState, ExposureState, RunState, may_follow
from tests.decide.build import POLICY, START, exposure, finished, run, settled_ccds
from tests.forms import often

#: Time between two cycles here. A look is fresh for twice as long at least.
CYCLE: Final = timedelta(minutes=5)
#: So many cycles without anything that could happen are quiet enough: more than any back-off.
QUIET: Final = 120


@dataclass(frozen=True, kw_only=True)
class Coming:
    """An exposure: after so many cycles its CCDs have settled (None: never), and what is wrong with it then."""

    after: int | None
    season: int
    flaw: str | None


@dataclass(frozen=True, kw_only=True)
class End:
    """How a run ends: after so many cycles, in what state, at what step."""

    after: int
    state: RunState
    step: int | None


comings = st.builds(
    Coming,
    # Almost all of them come at some time.
    after=st.integers(-6, 60).map(lambda number: number if number >= 0 else None),
    season=st.sampled_from([2206, 2206, 2208]),
    flaw=st.sampled_from([None, None, None, "blacklisted", "missing", "held"]),
)
ends = st.builds(
    End,
    after=st.integers(1, 30),
    state=st.sampled_from([RunState.DONE, RunState.FAILED, RunState.FAILED, RunState.LOST]),
    step=st.none() | st.integers(-1, 7),
)
policies = st.builds(
    lambda **values: replace(POLICY, min_complete_ccds=1, **values),
    postproc_min_exposures=st.integers(1, 4),
    postproc_retries=st.integers(0, 3),
    postproc_min_interval=st.sampled_from([timedelta(minutes=1), timedelta(minutes=30), timedelta(hours=4)]),
    postproc_first_within=st.sampled_from([timedelta(minutes=20), timedelta(hours=1), timedelta(hours=9)]),
    postproc_missing_folders=st.sampled_from(["leave-out", "make"]),
)


class Season:
    """The exposures and runs as they would be written down, and what happens to them."""

    def __init__(self, coming: list[Coming], ends: list[End], policy: Policy) -> None:
        self.coming, self.ends, self.policy = coming, list(ends), policy
        self.now: datetime = START
        self.cycles = 0
        self.exposures = {
            number: exposure(number, season=c.season, state=ExposureState.PROCESSING, watch_only=True, since=START)
            for number, c in enumerate(coming, start=1)
        }
        self.runs: list[PostprocRun] = []
        self.ends_of: dict[int, tuple[datetime, End]] = {}
        self.last_start = -1

    @property
    def snapshot(self) -> Snapshot:
        return Snapshot(exposures=tuple(self.exposures.values()), runs=tuple(self.runs))

    def cycle(self) -> None:
        self._runs_end()
        self._results_come()
        for request in plan_looks(self.snapshot, self.policy, self.now):
            if request.full:
                self._change(request.exposure_id, full_look_at=self.now)
        for action in plan(self.snapshot, self.policy, self.now):
            match action:
                case Move():
                    self._move(action)
                case Recheck():
                    self._change(action.exposure_id, recheck_asked_at=self.now)
                case StartPostproc():
                    self._start(action)
        self.now += CYCLE
        self.cycles += 1

    def _change(self, number: int, **values: object) -> None:
        self.exposures[number] = replace(self.exposures[number], **values)  # type: ignore[arg-type]  # any field

    def _runs_end(self) -> None:
        for index, one in enumerate(self.runs):
            if one.state in RUN_LIVE and self.now >= self.ends_of[one.id][0]:
                end = self.ends_of[one.id][1]
                stage = "program" if end.step is not None else "setup"
                self.runs[index] = replace(
                    one, state=end.state, step=end.step, stage=stage, ended_at=self.now, reason="end"
                )

    def _results_come(self) -> None:
        for number, coming in enumerate(self.coming, start=1):
            if coming.after == self.cycles:
                missing = {60: CcdState.MISSING} if coming.flaw == "missing" else {}
                came = finished(number=number, ccds=settled_ccds(missing)[-2:])
                files = tuple(f for f in came.forcefiles if f.ccd == 62 or (f.ccd == 60 and not missing))
                self._change(
                    number,
                    ccds=came.ccds,
                    forcefiles=files,
                    folders_at=self.now,
                    news_at=self.now,
                    held=coming.flaw == "held",
                    blacklisted_since=self.now if coming.flaw == "blacklisted" else None,
                )

    def _move(self, action: Move) -> None:
        before = self.exposures[action.exposure_id]
        assert may_follow(before.state, action.after)
        self._change(
            before.id, state=action.after, ready=action.ready, reason=action.reason, since=self.now, news_at=self.now
        )

    def _start(self, action: StartPostproc) -> None:
        """The rules that no start may break."""
        assert not any(one.state in RUN_LIVE for one in self.runs), "two runs at once"
        members = [self.exposures[number] for number in action.exposure_ids]
        assert any(e.state is ExposureState.READY for e in members), "with nothing new in it"
        mine = [one for one in self.runs if one.season == action.season]
        for one in mine:
            assert one.started_at is not None
            assert self.now - one.started_at >= self.policy.postproc_min_interval, "too soon after the last"
        for e in members:
            assert e.season == action.season and e.id not in action.left_out
            assert not e.held and kept_out(e, self.policy) is None
            assert e.full_look_at is not None and self.now - e.full_look_at <= timedelta(hours=1)
        if action.retry_of is not None:
            assert set(action.exposure_ids) <= set(mine[-1].exposures) and mine[-1].id == action.retry_of
        end = self.ends.pop(0) if self.ends else End(after=3, state=RunState.DONE, step=7)
        key = len(self.runs) + 1
        self.runs.append(
            run(
                len(mine) + 1,
                of=members,
                id=key,
                season=action.season,
                intent_at=self.now,
                started_at=self.now,
                retry_of=action.retry_of,
            )
        )
        self.ends_of[key] = (self.now + end.after * CYCLE, end)
        self.last_start = self.cycles
        for number in action.exposure_ids:
            self._change(number, state=ExposureState.POSTPROCESSING, since=self.now, news_at=self.now)

    def at_rest(self) -> bool:
        came = max((c.after for c in self.coming if c.after is not None), default=0)
        return self.cycles > max(came, self.last_start) + QUIET and not any(r.state in RUN_LIVE for r in self.runs)


def why_not_in(world: Season, one: Exposure) -> str | None:
    """Why an exposure that came has not been done by a run; None when it should have been."""
    if one.held:
        return "held"
    if one.state is ExposureState.READY and kept_out(one, world.policy):
        return "kept out"
    if one.state is ExposureState.ATTENTION and failed_run_of(world.snapshot, one):
        return "its run failed"
    return None


class TestEverySeason:
    """No season whatever has two runs at once, an empty one, or one too soon; and it comes to an end in which every
    exposure that was ready has been in a run, unless it was left out with a reason."""

    @pytest.mark.soak
    @given(st.lists(comings, min_size=1, max_size=6), st.lists(ends, min_size=2, max_size=9), policies)
    @settings(max_examples=often(200))
    def test_played_to_the_end(self, coming: list[Coming], ends: list[End], policy: Policy) -> None:
        world = Season(coming, ends, policy)
        while not world.at_rest():
            world.cycle()
            assert world.cycles < 3000, "it never comes to rest"
        for number, come in enumerate(coming, start=1):
            one = world.exposures[number]
            if come.after is None:
                assert one.state is ExposureState.PROCESSING
            elif one.state is not ExposureState.DONE:
                why = why_not_in(world, one)
                assert why is not None, f"{one.state}: {one.reason}"
                event(why)
        event(f"{len(world.runs)} runs")
        # Each failure is followed by so many tries at most, and each exposure is new only once.
        assert len(world.runs) <= len(coming) * (policy.postproc_retries + 1)
