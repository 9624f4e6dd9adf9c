"""What is looked at on /pnfs in a tick."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from desgw_daemon.decide.looks import plan_looks
from desgw_daemon.domain.decam import SEARCH_CCDS
from desgw_daemon.domain.facts import LookRequest
from desgw_daemon.domain.snapshot import Exposure, Snapshot
from desgw_daemon.domain.states import CcdState, ExposureState, Ready, SubmissionState
from tests.decide.build import (
    POLICY,
    START,
    after,
    exposure,
    finished,
    fits,
    psf,
    ready,
    states_of,
    submission,
    submitted,
)
from tests.decide.pnfs import Watch


def looks(*exposures: Exposure, hours: float = 0, minutes: float = 10) -> tuple[LookRequest, ...]:
    """The looks at that time."""
    return plan_looks(Snapshot(exposures=exposures), POLICY, after(hours=hours, minutes=minutes))


def in_queue(**values: Any) -> Exposure:
    """One whose DAG waits in the queue."""
    return replace(submitted(dag=SubmissionState.QUEUED), **values)


class TestCold:
    """An exposure that nobody has looked at is looked at as a whole: its folders, every CCD, its forcefiles."""

    def test_full(self) -> None:
        (request,) = looks(submitted())
        assert (request.full, request.known_sizes, request.known_fails) == (True, frozenset(), {})

    def test_until_its_folder_is_there(self) -> None:
        watch = Watch()
        watch.pnfs.there = False
        watch.look(after(hours=1))
        (request,) = watch.look(after(hours=1, minutes=1)).requests
        assert request.full

    @pytest.mark.parametrize("state", sorted(set(ExposureState) - {ExposureState.PROCESSING, ExposureState.READY}))
    def test_only_what_is_watched(self, state: ExposureState) -> None:
        assert looks(replace(submitted(), state=state)) == ()

    def test_not_without_a_place(self) -> None:
        assert looks(replace(submitted(), nite=None)) == ()


class TestWarm:
    """Afterwards: a listing for each unsettled CCD and one for the forcefiles, and sizes only if they may change."""

    def test_unsettled_ccds(self) -> None:
        (request,) = looks(finished({5: CcdState.PENDING, 9: CcdState.PENDING}))
        assert (request.ccds, request.folders, request.forcefiles) == ((5, 9), False, True)

    def test_known_sizes(self) -> None:
        watch = Watch()
        watch.pnfs.complete(1, after(hours=1))
        watch.pnfs.tarball(3, after(hours=1))
        watch.pnfs.tarball(4, after(hours=1), size=0)
        watch.pnfs.fail(5, after(hours=1))
        watch.look(after(hours=1))
        (request,) = watch.look(after(hours=1, minutes=1)).requests
        key = watch.pnfs.key
        assert request.known_sizes == {fits(1), psf(1), key.tarball(3)}
        assert request.known_fails == {(5, "RUN18_combined+expose_hotpants.FAIL"): (100, after(hours=1).timestamp())}
        assert 1 not in (request.ccds or ())

    def test_what_an_earlier_attempt_left_may_be_overwritten(self) -> None:
        watch = Watch()
        watch.pnfs.complete(1, START - timedelta(days=2))
        watch.look(after(hours=1))
        (request,) = watch.look(after(hours=1, minutes=1)).requests
        assert request.known_sizes == frozenset()

    def test_forcefiles_that_may_still_come(self) -> None:
        lacking = finished(without=[psf(3)])
        lacking = replace(lacking, ccds=tuple(replace(c, pair_at=None) if c.ccd == 3 else c for c in lacking.ccds))
        (request,) = looks(lacking)
        assert (request.ccds, request.folders, request.forcefiles) == ((), False, True)
        partial = replace(lacking, state=ExposureState.READY, ready=Ready.PARTIAL)
        assert looks(partial) == (request,)


class TestNothing:
    """What is settled and has all its files is not looked at, nor one whose DAG only waits in the queue."""

    def test_settled(self) -> None:
        assert looks(ready(), finished(number=2)) == ()

    def test_in_the_queue(self) -> None:
        assert looks(in_queue()) == ()

    def test_in_the_queue_of_an_earlier_attempt(self) -> None:
        assert len(looks(in_queue(attempt=2))) == 1

    def test_in_the_queue_beyond_the_deadline(self) -> None:
        """Its CCDs are lost then, and only a look can say so."""
        assert len(looks(in_queue(since=after(hours=72)), hours=72)) == 1

    def test_a_cycle_with_nothing_changed(self) -> None:
        watch = Watch()
        for ccd in SEARCH_CCDS:
            watch.pnfs.complete(ccd, after(hours=1))
        watch.look(after(hours=1))
        assert watch.look(after(hours=1, minutes=1)).requests == ()


class TestBackground:
    """What needs no look gets one in `poll.recheck`, the oldest first, a small share of all in each cycle."""

    def test_due(self) -> None:
        assert looks(ready(full_look_at=after(minutes=1)), hours=1, minutes=0) == ()
        (request,) = looks(ready(full_look_at=after(minutes=1)), hours=1, minutes=1)
        assert request.full

    def test_one_that_was_never_looked_at_as_a_whole(self) -> None:
        never = ready(full_look_at=None, since=after(minutes=30))
        assert looks(never, hours=1, minutes=29) == ()
        assert len(looks(never, hours=1, minutes=30)) == 1

    def test_in_the_queue(self) -> None:
        """The queue's word may be old."""
        assert len(looks(in_queue(), hours=1)) == 1

    def test_share(self) -> None:
        settled = [ready(number, full_look_at=after(seconds=-number)) for number in range(1, 121)]
        requests = looks(*settled, hours=2)
        assert [request.exposure_id for request in requests] == [120, 119]

    def test_all_within_the_time(self) -> None:
        policy = replace(POLICY, recheck=timedelta(minutes=10))
        settled = {number: ready(number) for number in range(1, 38)}
        looked = set()
        for minutes in range(10, 20):
            now = after(minutes=minutes, seconds=2)
            for request in plan_looks(Snapshot(exposures=tuple(settled.values())), policy, now):
                looked.add(request.exposure_id)
                settled[request.exposure_id] = replace(settled[request.exposure_id], full_look_at=now)
        assert looked == set(settled)

    def test_never(self) -> None:
        policy = replace(POLICY, recheck=timedelta(0))
        assert plan_looks(Snapshot(exposures=(ready(),)), policy, after(days=9)) == ()


class TestRecheckAsked:
    """A recheck that was asked for is a full look in the next cycle, and only once."""

    def test_asked(self) -> None:
        (request,) = looks(ready(recheck_asked_at=after(minutes=9)))
        assert request.full

    def test_asked_in_the_cycle_that_had_just_looked(self) -> None:
        assert len(looks(ready(full_look_at=after(minutes=9), recheck_asked_at=after(minutes=9)))) == 1

    def test_done(self) -> None:
        assert looks(ready(recheck_asked_at=after(minutes=8), full_look_at=after(minutes=9))) == ()

    @pytest.mark.parametrize("state", [ExposureState.PROCESSING, ExposureState.ATTENTION])
    def test_whatever_else_would_be(self, state: ExposureState) -> None:
        (request,) = looks(finished(states_of(3, CcdState.PENDING), state=state, recheck_asked_at=after(minutes=9)))
        assert request.full


class TestInDoubt:
    """Nobody knows whether its DAG was submitted: results would show it, so it is looked at in the background."""

    @staticmethod
    def submitting(state: SubmissionState) -> Exposure:
        return exposure(state=ExposureState.SUBMITTING, submissions=(submission(state=state, job_id=None),))

    def test_rarely(self) -> None:
        assert looks(self.submitting(SubmissionState.UNKNOWN)) == ()
        assert len(looks(self.submitting(SubmissionState.UNKNOWN), hours=1)) == 1

    @pytest.mark.parametrize("state", [SubmissionState.INTENT, SubmissionState.SUBMITTING])
    def test_not_before_there_is_a_doubt(self, state: SubmissionState) -> None:
        assert looks(self.submitting(state), hours=9) == ()


class TestAttention:
    """One that waits for a person is looked at in the background only, if anything can come for it at all."""

    def test_rarely(self) -> None:
        stuck = finished(states_of(12, CcdState.LOST), state=ExposureState.ATTENTION)
        assert looks(stuck) == ()
        assert len(looks(stuck, hours=1)) == 1

    def test_unsettled(self) -> None:
        assert looks(finished({1: CcdState.PENDING}, state=ExposureState.ATTENTION)) == ()

    def test_refused(self) -> None:
        """A refusal that was none shows by results."""
        refused = exposure(
            state=ExposureState.ATTENTION, submissions=(submission(state=SubmissionState.REJECTED, job_id=None),)
        )
        assert looks(refused) == ()
        assert len(looks(refused, hours=1)) == 1

    def test_never_submitted(self) -> None:
        assert looks(exposure(state=ExposureState.ATTENTION), hours=9) == ()

    def test_submitted_by_somebody_else(self) -> None:
        assert len(looks(exposure(state=ExposureState.ATTENTION, watch_only=True), hours=9)) == 1


class TestHanging:
    """A folder that hung is left alone for a cycle, then for as long as it was unseen, up to poll.aside_at_most."""

    @staticmethod
    def hung(*, minutes_unseen: float) -> Exposure:
        """One whose folder hung ten minutes after the start."""
        at = after(minutes=10)
        return replace(submitted(), hung_at=at, unseen_since=at - timedelta(minutes=minutes_unseen))

    @pytest.mark.parametrize(("unseen", "aside"), [(0, 1), (1, 1), (2, 2), (4, 4), (9, 9), (100, 10)])
    def test_how_long(self, unseen: float, aside: float) -> None:
        exposure = self.hung(minutes_unseen=unseen)
        assert looks(exposure, minutes=10 + aside - 0.1) == ()
        assert len(looks(exposure, minutes=10 + aside)) == 1

    def test_the_others_are_looked_at(self) -> None:
        other = replace(submitted(), id=2, expnum=1200202)
        assert [request.exposure_id for request in looks(self.hung(minutes_unseen=4), other)] == [2]

    def test_not_while_a_process_hangs_on_it(self) -> None:
        watched = submitted()
        assert watched.key is not None
        folder = watched.key.exp_folder()
        assert plan_looks(Snapshot(exposures=(watched,)), POLICY, after(hours=9), hanging={folder}) == ()

    def test_seen_again_it_is_forgotten(self) -> None:
        watch = Watch()
        watch.exposure = self.hung(minutes_unseen=4)
        watch.pnfs.there = True
        watch.look(after(minutes=14))
        assert watch.exposure.hung_at is None and watch.exposure.unseen_since is None


class TestOrder:
    """What has waited longest for a look comes first: a look that is cut off does not always cut off the same ones."""

    def test_oldest_first(self) -> None:
        ages = {1: 5, 2: 9, 3: None, 4: 7}
        exposures = [
            replace(submitted(), id=n, expnum=1200200 + n, as_of=None if age is None else after(minutes=-age))
            for n, age in ages.items()
        ]
        assert [request.exposure_id for request in looks(*exposures)] == [3, 2, 4, 1]
