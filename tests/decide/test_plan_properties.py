"""What holds for the plan of any night whatever."""

from __future__ import annotations

from collections import Counter
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings

from desgw_daemon.decide.plan import plan
from desgw_daemon.domain.actions import (
    Action,
    LaunchPostproc,
    MakeDag,
    Move,
    Recheck,
    Reconcile,
    StartPostproc,
    SubmitDag,
    Wait,
    WaitSeason,
)
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.snapshot import Exposure, Snapshot
from desgw_daemon.domain.states import (
    IN_FLIGHT,
    MAKING_LIVE,
    RUN_LIVE,
    ExposureState,
    Ready,
    SubmissionState,
    may_follow,
)
from tests.decide.snapshots import NOW, policies, snapshots
from tests.forms import often

OF_AN_EXPOSURE: Final = (Wait, Move, MakeDag, SubmitDag, Reconcile)


#: States in which the queue has said of a DAG that it is held.
SEEN: Final = (SubmissionState.QUEUED, SubmissionState.RUNNING, SubmissionState.HELD)


def in_flight(exposures: tuple[Exposure, ...]) -> int:
    """DAGs that may still run."""
    return sum(s.state in IN_FLIGHT for e in exposures for s in e.submissions)


def places(exposures: tuple[Exposure, ...], policy: Policy) -> int:
    """Those that take a place in the grid: all but those that are held for very long."""
    given_back = sum(
        s.state in SEEN and s.held_since is not None and NOW - s.held_since >= policy.submit_held_limit
        for e in exposures
        for s in e.submissions
    )
    return in_flight(exposures) - given_back


def handed_over(night: Snapshot, actions: tuple[Action, ...]) -> tuple[list[SubmitDag], list[SubmitDag]]:
    """The DAGs that are claimed now, and those that were claimed before and are only handed over."""
    by_id = {e.id: e for e in night.exposures}
    submits = [a for a in actions if isinstance(a, SubmitDag)]
    claimed = [a for a in submits if by_id[a.exposure_id].own_submission is not None]
    return [a for a in submits if a not in claimed], claimed


def single_epoch(exposure: Exposure, policy: Policy) -> set[int]:
    """The exposures whose files its DAG would write."""
    made = exposure.making
    templates = () if made is None or policy.submit_templates == "ignore" else made.templates
    return {exposure.expnum, *templates}


def one_action_each(night: Snapshot, policy: Policy, actions: tuple[Action, ...]) -> None:
    """Each exposure has one action with a reason; only one that is done, removed or a person's may have none."""
    counts = Counter(action.exposure_id for action in actions if isinstance(action, OF_AN_EXPOSURE))
    quiet = (ExposureState.DONE, ExposureState.REMOVED, ExposureState.ATTENTION)
    for exposure in night.exposures:
        assert counts[exposure.id] <= 1
        assert counts[exposure.id] == 1 or exposure.state in quiet
    assert all(action.reason for action in actions)
    seasons = {e.season for e in night.exposures} | night.postproc_requests.keys()
    told = [action.season for action in actions if isinstance(action, WaitSeason | StartPostproc)]
    assert sorted(told) == sorted(seasons)


def same_again(night: Snapshot, policy: Policy, actions: tuple[Action, ...]) -> None:
    """The same facts give the same plan."""
    assert plan(night, policy, NOW) == actions


def moves_are_allowed(night: Snapshot, policy: Policy, actions: tuple[Action, ...]) -> None:
    """A move obeys the transition table, and begins where the exposure is."""
    states = {exposure.id: exposure.state for exposure in night.exposures}
    for move in actions:
        if isinstance(move, Move):
            assert move.before is states[move.exposure_id]
            assert may_follow(move.before, move.after)
            assert (move.after is ExposureState.READY) <= (
                move.ready is not Ready.NO or move.before == "postprocessing"
            )


def caps(night: Snapshot, policy: Policy, actions: tuple[Action, ...]) -> None:
    """Nothing is started beyond a cap, whatever runs already."""
    live = {e.id for e in night.exposures if any(m.state in MAKING_LIVE for m in e.makings)}
    makers = sum(m.state in MAKING_LIVE for e in night.exposures for m in e.makings)
    new = [a for a in actions if isinstance(a, MakeDag) and a.exposure_id not in live]
    submits, _ = handed_over(night, actions)
    assert not new or makers + len(new) <= policy.dagmaker_max_at_once
    assert not submits or places(night.exposures, policy) + len(submits) <= policy.submit_max_in_flight


def one_expnum_at_a_time(night: Snapshot, policy: Policy, actions: tuple[Action, ...]) -> None:
    """No exposure number is made twice, nor while a DAG of it may run, whatever its season and nite."""
    by_id = {e.id: e for e in night.exposures}
    busy = Counter(
        e.expnum
        for e in night.exposures
        if any(m.state in MAKING_LIVE for m in e.makings) or in_flight((e,)) or e.state in ("making", "submitting")
    )
    for action in actions:
        if isinstance(action, MakeDag) and by_id[action.exposure_id].state is ExposureState.QUEUED:
            assert not busy[action.expnum]
            busy[action.expnum] += 1


def never_twice(night: Snapshot, policy: Policy, actions: tuple[Action, ...]) -> None:
    """Only an attempt that has no submission at all is claimed; a claim is handed over when the queue has it not."""
    by_id = {e.id: e for e in night.exposures}
    new, claimed = handed_over(night, actions)
    for action in new:
        exposure = by_id[action.exposure_id]
        assert exposure.state is ExposureState.SUBMITTING
        assert exposure.own_submission is None
        assert not in_flight((exposure,))
    for action in claimed:
        exposure = by_id[action.exposure_id]
        own = exposure.own_submission
        assert exposure.state is ExposureState.SUBMITTING
        assert own is not None
        assert own.state is SubmissionState.INTENT


def unknown_is_asked_for(night: Snapshot, policy: Policy, actions: tuple[Action, ...]) -> None:
    """An attempt of unknown outcome is asked for, unless its exposure moves or is made now; a silent queue never is."""
    of = {a.exposure_id: a for a in actions if isinstance(a, OF_AN_EXPOSURE)}
    if night.engine_silent:
        assert not any(isinstance(action, Reconcile | SubmitDag) for action in actions)
        return
    for exposure in night.exposures:
        own = exposure.own_submission
        if own is not None and own.state is SubmissionState.UNKNOWN:
            assert isinstance(of[exposure.id], Reconcile | Move | MakeDag)


def no_single_epoch_file_twice(night: Snapshot, policy: Policy, actions: tuple[Action, ...]) -> None:
    """No DAG is submitted that writes what one in flight writes, or another one of this plan."""
    by_id = {e.id: e for e in night.exposures}
    busy: set[int] = set()
    for exposure in night.exposures:
        for s in exposure.submissions:
            if s.state in IN_FLIGHT:
                busy |= {exposure.expnum, *(s.templates if policy.submit_templates == "exclusive" else ())}
    ours = {s.tag for e in night.exposures for s in e.submissions if s.state in IN_FLIGHT}
    busy |= {dag.expnum for dag in night.foreign_dags if dag.expnum is not None and dag.tag not in ours}
    for action in handed_over(night, actions)[0]:
        wanted = single_epoch(by_id[action.exposure_id], policy)
        assert not wanted & busy
        busy |= wanted


def strangers_keep_back(night: Snapshot, policy: Policy, actions: tuple[Action, ...]) -> None:
    """Nothing is made or handed over of which somebody else has a DAG in the queue."""
    ours = {s.tag for e in night.exposures for s in e.submissions if s.state in IN_FLIGHT}
    theirs = {dag.expnum for dag in night.foreign_dags if dag.tag not in ours}
    assert not any(isinstance(action, MakeDag | SubmitDag) and action.expnum in theirs for action in actions)


def one_on_trial(night: Snapshot, policy: Policy, actions: tuple[Action, ...]) -> None:
    """When the newest tries have all failed for one cause, one DAG is handed over at most, and none beside another."""
    ended = sorted((t for t in night.tries if t.ended_at is not None), key=lambda t: (t.ended_at, t.id))
    counted = [t for t in ended if t.outcome != "credential"][-policy.submit_breaker_after :]
    if len(counted) < policy.submit_breaker_after or len({t.cause for t in counted}) > 1:
        return
    had = {s.id for e in night.exposures for s in e.submissions if s.job_id is not None}
    if any(t.outcome == "accepted" or t.submission_id in had for t in counted):
        return
    submits = [a for a in actions if isinstance(a, SubmitDag)]
    handing = any(s.state is SubmissionState.SUBMITTING for e in night.exposures for s in e.submissions)
    assert len(submits) <= (0 if handing else 1)


def nothing_new_while_kept_back(night: Snapshot, policy: Policy, actions: tuple[Action, ...]) -> None:
    """What is held or paused starts nothing new."""
    by_id = {e.id: e for e in night.exposures}
    for action in actions:
        if isinstance(action, SubmitDag) or (
            isinstance(action, MakeDag) and by_id[action.exposure_id].state is ExposureState.QUEUED
        ):
            assert not by_id[action.exposure_id].held
        if isinstance(action, SubmitDag | StartPostproc):
            assert not night.paused


def postproc(night: Snapshot, policy: Policy, actions: tuple[Action, ...]) -> None:
    """One run at a time; never without a ready exposure or a wish; of exposures that are ready or done."""
    by_id = {e.id: e for e in night.exposures}
    moved = {a.exposure_id: a.after for a in actions if isinstance(a, Move)}
    starts = [a for a in actions if isinstance(a, StartPostproc)]
    live = [run for run in night.runs if run.state in RUN_LIVE]
    assert len(starts) + len(live) <= 1
    assert {a.run_id for a in actions if isinstance(a, LaunchPostproc)} == {r.id for r in live if r.state == "intent"}
    for start in starts:
        members = [by_id[number] for number in start.exposure_ids]
        states = [moved.get(e.id, e.state) for e in members]
        assert members
        assert start.request_id is not None or ExposureState.READY in states
        allowed = {ExposureState.READY, ExposureState.DONE}
        assert set(states) <= allowed | ({ExposureState.ATTENTION} if start.request_id is not None else set())
        assert all(e.season == start.season and not e.held for e in members)
        assert set(start.bands) == {e.band for e in members}
        for exposure, state in zip(members, states, strict=True):
            assert state is ExposureState.DONE or (exposure.full_look_at or exposure.since) > exposure.since


def rechecks(night: Snapshot, policy: Policy, actions: tuple[Action, ...]) -> None:
    """A last look is asked for once, and only for what would go into a run."""
    asked = Counter(action.exposure_id for action in actions if isinstance(action, Recheck))
    assert set(asked.values()) <= {1}


RULES: Final = (
    one_action_each,
    same_again,
    moves_are_allowed,
    caps,
    one_expnum_at_a_time,
    never_twice,
    unknown_is_asked_for,
    no_single_epoch_file_twice,
    strangers_keep_back,
    one_on_trial,
    nothing_new_while_kept_back,
    postproc,
    rechecks,
)


class TestEveryNight:
    """No night whatever makes a plan that breaks one of the rules above."""

    @pytest.mark.soak
    @given(snapshots(), policies)
    @settings(max_examples=often(200), suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
    def test_every_rule(self, night: Snapshot, policy: Policy) -> None:
        actions = plan(night, policy, NOW)
        for rule in RULES:
            rule(night, policy, actions)
