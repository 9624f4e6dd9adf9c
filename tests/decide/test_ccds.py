"""What the signs in a CCD's folder say of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from desgw_daemon.decide.ccds import assess
from desgw_daemon.decide.looks import plan_looks
from desgw_daemon.domain.decam import EXPECTED_CCDS
from desgw_daemon.domain.facts import LookRequest
from desgw_daemon.domain.snapshot import Exposure, Snapshot
from desgw_daemon.domain.states import CcdState, ExposureState, SubmissionState
from desgw_daemon.domain.submissions import DagNode
from tests.decide.build import POLICY, START, after, exposure, fits, submission, submitted
from tests.decide.pnfs import Watch

HOTPANTS = "RUN18_combined+expose_hotpants.FAIL"
JOB = "it died\n77.0@schedd01 70.0@schedd01 node12\n"


def adopted() -> Exposure:
    """One that somebody submitted by hand."""
    return replace(submitted(), watch_only=True, submissions=(), makings=())


class TestFailBeatsTheTarball:
    """A CCD with a FAIL of the present attempt has failed, whatever else is there."""

    def test_fail_beside_a_tarball(self) -> None:
        watch = Watch()
        watch.pnfs.tarball(1, after(hours=1))
        watch.pnfs.fail(1, after(hours=1), text=JOB)
        ccd = watch.look(after(hours=1, minutes=1)).ccd()
        assert (ccd.state, ccd.step) == (CcdState.FAILED, HOTPANTS)
        assert (ccd.job, ccd.host) == ("77.0@schedd01", "node12")

    def test_fail_after_the_tarball_was_settled(self) -> None:
        watch = Watch()
        watch.pnfs.tarball(1, after(hours=1))
        for minutes in (1, 7):
            watch.look(after(hours=1, minutes=minutes))
        assert watch.ccd().settled_at == watch.ccd().as_of
        watch.pnfs.fail(1, after(hours=1, minutes=8))
        ccd = watch.look_at_all(after(hours=1, minutes=9)).ccd()
        assert (ccd.state, ccd.settled_at) == (CcdState.FAILED, None)

    def test_lowest_step_of_several(self) -> None:
        watch = Watch()
        watch.pnfs.fail(1, after(hours=1), name="NOOVERLAPS.FAIL")
        watch.pnfs.fail(1, after(hours=1), name=HOTPANTS)
        watch.pnfs.fail(1, after(hours=1), name="RUN05_expose_makeWeight.FAIL")
        ccd = watch.look(after(hours=2)).ccd()
        assert ccd.step == "RUN05_expose_makeWeight.FAIL"
        assert ccd.fails == ("RUN05_expose_makeWeight.FAIL", HOTPANTS, "NOOVERLAPS.FAIL")

    def test_no_overlaps_is_a_kind_of_its_own(self) -> None:
        watch = Watch()
        watch.pnfs.fail(1, after(hours=1), name="NOOVERLAPS.FAIL")
        ccd = watch.look(after(hours=2)).ccd()
        assert (ccd.state, ccd.step, ccd.reason) == (CcdState.FAILED, "NOOVERLAPS.FAIL", "no template overlaps it")

    def test_run_all_is_none(self) -> None:
        watch = Watch()
        watch.pnfs.tarball(1, after(hours=1))
        watch.pnfs.fail(1, after(hours=1), name="RUN_ALL.FAIL")
        assert watch.look(after(hours=2)).ccd().state is CcdState.COMPLETE

    def test_an_empty_fail_counts(self) -> None:
        watch = Watch()
        watch.pnfs.tarball(1, after(hours=1))
        watch.pnfs.ccds[1].put(HOTPANTS, after(hours=1), size=0)
        assert watch.look(after(hours=2)).ccd().state is CcdState.FAILED


class TestSettling:
    """A CCD is settled when its pair was seen before its folder, or when two looks and the settle time agree."""

    def test_at_once_with_the_pair(self) -> None:
        watch = Watch()
        watch.pnfs.complete(1, after(hours=1))
        ccd = watch.look(after(hours=1, minutes=1)).ccd()
        assert ccd.state is CcdState.COMPLETE
        assert ccd.settled_at is not None

    def test_failed_at_step_28_with_the_pair(self) -> None:
        watch = Watch()
        watch.pnfs.complete(1, after(hours=1))
        watch.pnfs.fail(1, after(hours=1), name="RUN28_combined+expose_forcePhoto.FAIL")
        ccd = watch.look(after(hours=1, minutes=1)).ccd()
        assert ccd.state is CcdState.FAILED
        assert ccd.settled_at is not None

    @pytest.mark.parametrize("lacking", ["fits", "psf"])
    def test_half_a_pair_is_none(self, lacking: str) -> None:
        watch = Watch()
        watch.pnfs.complete(1, after(hours=1))
        assert watch.pnfs.force is not None
        del watch.pnfs.force.files[fits(1, kind=lacking)]
        assert watch.look(after(hours=1, minutes=1)).ccd().settled_at is None

    def test_an_empty_half_is_none(self) -> None:
        watch = Watch()
        watch.pnfs.complete(1, after(hours=1))
        assert watch.pnfs.force is not None
        watch.pnfs.force.put(fits(1), after(hours=1), size=0)
        assert watch.look(after(hours=1, minutes=1)).ccd().settled_at is None

    def test_an_empty_half_that_is_filled(self) -> None:
        watch = Watch()
        watch.pnfs.complete(1, after(hours=1))
        assert watch.pnfs.force is not None
        watch.pnfs.force.put(fits(1), after(hours=1), size=0)
        watch.look(after(hours=1, minutes=1))
        watch.pnfs.force.put(fits(1), after(hours=1, minutes=2))
        assert watch.look(after(hours=1, minutes=2)).ccd().settled_at is not None

    def test_a_half_that_is_written_again_counts_anew(self) -> None:
        watch = Watch()
        watch.pnfs.complete(1, after(hours=1))
        watch.look_at_all(after(hours=1))
        assert watch.pnfs.force is not None
        watch.pnfs.force.put(fits(1), after(hours=3))
        pair_at = watch.look_at_all(after(hours=3)).ccd().pair_at
        assert pair_at is not None
        assert pair_at >= after(hours=3)

    def test_a_pair_of_another_band_is_none(self) -> None:
        watch = Watch()
        watch.pnfs.tarball(1, after(hours=1))
        watch.pnfs.pair(2, after(hours=1))
        assert watch.pnfs.force is not None
        for kind in ("fits", "psf"):
            watch.pnfs.force.put(fits(1, band="r", kind=kind), after(hours=1))
        assert watch.look(after(hours=1, minutes=1)).ccd().settled_at is None

    @pytest.mark.parametrize("sign", ["tarball", "fail"])
    def test_two_looks_and_the_settle_time(self, sign: str) -> None:
        watch = Watch()
        (watch.pnfs.tarball if sign == "tarball" else watch.pnfs.fail)(1, after(hours=1))
        assert watch.look(after(hours=1, minutes=1)).ccd().settled_at is None
        assert watch.look(after(hours=1, minutes=5, seconds=59)).ccd().settled_at is None
        assert watch.look(after(hours=1, minutes=6, seconds=1)).ccd().settled_at is not None

    def test_one_look_is_not_enough(self) -> None:
        watch = Watch(policy=replace(POLICY, settle=timedelta(0)))
        watch.pnfs.tarball(1, after(hours=1))
        assert watch.look(after(hours=9)).ccd().settled_at is None
        assert watch.look(after(hours=9, seconds=1)).ccd().settled_at is not None

    def test_a_change_begins_anew(self) -> None:
        watch = Watch()
        watch.pnfs.tarball(1, after(hours=1))
        watch.look(after(hours=1, minutes=1))
        watch.pnfs.fail(1, after(hours=1, minutes=4))
        assert watch.look(after(hours=1, minutes=6)).ccd().settled_at is None
        assert watch.look(after(hours=1, minutes=11)).ccd().settled_at is not None

    def test_a_pair_that_came_after_the_listing_began_settles_in_the_next_look(self) -> None:
        """The worker lists forcefiles first; whoever lists them last gets no quick settling from them."""
        watch = Watch()
        watch.pnfs.complete(1, after(hours=1))
        (request,) = plan_looks(Snapshot(exposures=(watch.exposure,)), POLICY, after(hours=1))
        files, *rest = watch.pnfs.look(request, after(hours=1))
        late = replace(files, at=after(hours=1, minutes=1))
        watch.exposure = assess(watch.exposure, request, (*rest, late), POLICY, after(hours=1))
        assert watch.ccd().settled_at is None

    def test_it_is_settled_since_the_first_time(self) -> None:
        watch = Watch()
        watch.pnfs.complete(1, after(hours=1))
        first = watch.look_at_all(after(hours=1, minutes=1)).ccd().settled_at
        assert watch.look_at_all(after(hours=2)).ccd().settled_at == first


class TestSizeZero:
    """An empty tarball is not there yet, and after a while broken."""

    def test_not_there_yet_then_broken(self) -> None:
        watch = Watch()
        watch.pnfs.tarball(1, after(hours=1), size=0)
        ccd = watch.look(after(hours=1)).ccd()
        assert (ccd.state, ccd.settled_at) == (CcdState.PENDING, None)
        assert watch.look(after(hours=1, minutes=29)).ccd().state is CcdState.PENDING
        ccd = watch.look(after(hours=1, minutes=30, seconds=1)).ccd()
        assert ccd.state is CcdState.BROKEN
        assert ccd.settled_at is not None
        assert ccd.reason == "its tarball is empty since 2026-11-22T01:00:00Z"

    def test_filled_in_time(self) -> None:
        watch = Watch()
        watch.pnfs.tarball(1, after(hours=1), size=0)
        watch.look(after(hours=1))
        watch.pnfs.tarball(1, after(hours=1, minutes=20))
        assert watch.look(after(hours=1, minutes=21)).ccd().state is CcdState.COMPLETE

    def test_filled_when_it_was_called_broken(self) -> None:
        watch = Watch()
        watch.pnfs.tarball(1, after(hours=1), size=0)
        watch.look(after(hours=1))
        watch.look(after(hours=2))
        watch.pnfs.tarball(1, after(hours=3))
        ccd = watch.look_at_all(after(hours=3)).ccd()
        assert (ccd.state, ccd.settled_at) == (CcdState.COMPLETE, None)

    def test_a_fail_beside_a_tarball_that_fills_late(self) -> None:
        """The tarball takes its last mtime after its own FAIL: that FAIL is not stale."""
        watch = Watch(adopted())
        watch.pnfs.tarball(1, after(hours=1), size=0)
        watch.pnfs.fail(1, after(hours=1, seconds=2))
        watch.look(after(hours=1, minutes=1))
        watch.pnfs.tarball(1, after(hours=1, minutes=20))
        assert watch.look(after(hours=1, minutes=21)).ccd().state is CcdState.FAILED


class TestForeignTarballs:
    """A tarball of another exposure proves nothing; without one of its own the CCD is broken when time is over."""

    NAMES = (
        "outputs_dp2207_20261121_1200201_i_01.tar.gz",
        "outputs_dp2206_20261121_1200202_i_01.tar.gz",
        "outputs_dp2206_20261121_1200201_i_01.tar.gz.part",
    )

    @pytest.mark.parametrize("name", NAMES)
    def test_pending_while_its_job_may_come(self, name: str) -> None:
        watch = Watch()
        watch.pnfs.ccds[1].put(name, START)
        watch.look(after(minutes=1))
        ccd = watch.look(after(hours=9)).ccd()
        assert (ccd.state, ccd.settled_at) == (CcdState.PENDING, None)
        assert name in (ccd.reason or "")

    @pytest.mark.parametrize("name", NAMES)
    def test_broken_when_its_dag_has_ended(self, name: str) -> None:
        watch = Watch(submitted(dag=SubmissionState.DONE))
        watch.pnfs.ccds[1].put(name, START)
        watch.look(after(minutes=1))
        ccd = watch.look(after(minutes=31)).ccd()
        assert ccd.state is CcdState.BROKEN
        assert ccd.settled_at is not None

    def test_its_own_beside_it_counts(self) -> None:
        watch = Watch()
        watch.pnfs.ccds[1].put(self.NAMES[0], START)
        watch.pnfs.complete(1, after(hours=1))
        ccd = watch.look(after(hours=2)).ccd()
        assert ccd.state is CcdState.COMPLETE
        assert ccd.settled_at is not None


class TestEarlierAttempts:
    """What an earlier attempt left does not count: neither its FAILs nor its tarballs nor its forcefiles."""

    OLD = START - timedelta(days=2)

    def test_a_fail_older_than_the_attempt(self) -> None:
        watch = Watch()
        watch.pnfs.fail(1, self.OLD)
        ccd = watch.look(after(hours=1)).ccd()
        assert (ccd.state, ccd.stale, ccd.fails) == (CcdState.PENDING, (HOTPANTS,), ())
        assert ccd.reason == f"left by an earlier attempt, does not count: {HOTPANTS}"
        watch.pnfs.complete(1, after(hours=2))
        ccd = watch.look(after(hours=2)).ccd()
        assert ccd.state is CcdState.COMPLETE
        assert ccd.settled_at is not None

    def test_a_dag_that_another_daemon_had_submitted(self) -> None:
        whole = submitted(dag=SubmissionState.DONE)
        (ours,) = whole.submissions
        watch = Watch(replace(whole, submissions=(replace(ours, submitted_at=after(hours=-1)),)))
        watch.pnfs.complete(1, after(minutes=-30))
        watch.pnfs.fail(3, after(minutes=-90))
        look = watch.look(after(minutes=5))
        assert look.ccd().state is CcdState.COMPLETE
        assert look.ccd(3).stale == (HOTPANTS,)

    def test_a_fail_much_older_than_the_tarball(self) -> None:
        watch = Watch(adopted())
        watch.pnfs.fail(1, self.OLD)
        watch.pnfs.complete(1, after(hours=2))
        ccd = watch.look(after(hours=2)).ccd()
        assert (ccd.state, ccd.stale) == (CcdState.COMPLETE, (HOTPANTS,))

    def test_a_fail_written_again_counts(self) -> None:
        watch = Watch(adopted())
        watch.pnfs.fail(1, self.OLD)
        watch.pnfs.tarball(1, after(hours=2))
        watch.look(after(hours=2))
        watch.pnfs.fail(1, after(hours=2))
        assert watch.look(after(hours=2, minutes=1)).ccd().state is CcdState.FAILED

    def test_an_old_tarball_waits_for_its_successor(self) -> None:
        watch = Watch()
        watch.pnfs.tarball(1, self.OLD)
        ccd = watch.look(after(hours=1)).ccd()
        assert (ccd.state, ccd.settled_at) == (CcdState.PENDING, None)
        assert ccd.reason == "left by an earlier attempt, does not count: its tarball"
        watch.look(after(hours=2))
        watch.pnfs.complete(1, after(hours=3))
        ccd = watch.look(after(hours=3)).ccd()
        assert ccd.state is CcdState.COMPLETE

    def test_an_old_tarball_without_successor_is_lost(self) -> None:
        watch = Watch(submitted(dag=SubmissionState.DONE))
        watch.pnfs.tarball(1, self.OLD)
        assert watch.look(after(minutes=29)).ccd().state is CcdState.PENDING
        ccd = watch.look(after(minutes=30)).ccd()
        assert ccd.state is CcdState.LOST
        assert "does not count: its tarball" in (ccd.reason or "")

    def test_an_old_empty_tarball_is_not_broken_but_waits_for_its_successor(self) -> None:
        watch = Watch()
        watch.pnfs.tarball(1, self.OLD, size=0)
        watch.look(after(hours=1))
        assert watch.look(after(hours=5)).ccd().state is CcdState.PENDING

    def test_old_forcefiles_settle_nothing(self) -> None:
        watch = Watch()
        watch.pnfs.pair(1, self.OLD)
        watch.pnfs.tarball(1, after(hours=1))
        assert watch.look(after(hours=1)).ccd().settled_at is None

    def test_forcefiles_older_than_the_tarball_settle_nothing(self) -> None:
        """Nobody knows when somebody else's attempt began; a job copies its forcefiles after its tarball."""
        watch = Watch(adopted())
        watch.pnfs.pair(1, self.OLD)
        watch.pnfs.tarball(1, after(hours=1))
        assert watch.look(after(hours=1)).ccd().settled_at is None

    def test_the_submission_of_an_earlier_attempt_says_nothing(self) -> None:
        """Its DAG has ended, the one that somebody else submitted since has not."""
        old = submission(state=SubmissionState.DONE, ended_at=START)
        watch = Watch(replace(adopted(), attempt=2, submissions=(old,)))
        watch.pnfs.fail(1, self.OLD)
        watch.look(after(hours=1))
        assert watch.ccd().state is CcdState.FAILED
        assert watch.ccd(3).state is CcdState.PENDING


class TestMissingFolders:
    """A CCD without a folder, where others have one, is missing after two looks and the settle time."""

    def test_missing(self) -> None:
        watch = Watch()
        del watch.pnfs.ccds[7]
        ccd = watch.look(after(hours=1)).ccd(7)
        assert (ccd.state, ccd.settled_at) == (CcdState.PENDING, None)
        assert watch.look(after(hours=1, minutes=4)).ccd(7).state is CcdState.PENDING
        ccd = watch.look(after(hours=1, minutes=5)).ccd(7)
        assert ccd.state is CcdState.MISSING
        assert ccd.settled_at is not None

    def test_it_comes_back(self) -> None:
        watch = Watch()
        folder = watch.pnfs.ccds.pop(7)
        for minutes in (0, 5):
            watch.look(after(hours=1, minutes=minutes))
        watch.pnfs.ccds[7] = folder
        watch.pnfs.complete(7, after(hours=2))
        assert watch.look_at_all(after(hours=2)).ccd(7).state is CcdState.COMPLETE

    def test_none_at_all_is_not_missing_but_lost_in_the_end(self) -> None:
        watch = Watch(submitted(dag=SubmissionState.DONE))
        watch.pnfs.there = False
        for minutes in (1, 10, 29):
            assert {ccd.state for ccd in watch.look(after(minutes=minutes)).exposure.ccds} == {CcdState.PENDING}
        watch.look(after(minutes=31))
        assert {ccd.state for ccd in watch.exposure.ccds} == {CcdState.LOST}
        assert all(ccd.settled_at is not None for ccd in watch.exposure.ccds)

    def test_folders_that_vanish_one_by_one_are_not_all_missing(self) -> None:
        """A warm look sees each CCD alone: the last one without a folder has no others that have one."""
        watch = Watch()
        watch.look(after(hours=1))
        watch.pnfs.there = False
        for minutes in (1, 7):
            watch.look(after(hours=1, minutes=minutes))
        assert {ccd.state for ccd in watch.exposure.ccds} == {CcdState.PENDING}


def ended(*nodes: DagNode, asked: bool = True) -> Exposure:
    """One whose DAG has failed after two hours, with what the queue said of its jobs 5 min later."""
    told_at = after(hours=2, minutes=5) if asked else None
    dag = submission(state=SubmissionState.FAILED, ended_at=after(hours=2), nodes_at=told_at)
    return exposure(state=submitted().state, submissions=(dag,), nodes=nodes)


class TestWhatTheQueueKnew:
    """A lost CCD says what the queue knew of its job, and on which host that was."""

    @pytest.mark.parametrize(
        ("node", "words"),
        [
            (
                DagNode(name="n", ccd=1, state="done", exit_code=0, host="fnpc123"),
                "its job ended with exit code 0 on fnpc123 (one that fails in its SE part does so, too)",
            ),
            (
                DagNode(name="n", ccd=1, state="failed", exit_code=3, host="fnpc123"),
                "its job ended with exit code 3 on fnpc123",
            ),
            (
                DagNode(name="n", ccd=1, state="failed", signal=9, host="fnpc123"),
                "its job was ended by signal 9 on fnpc123",
            ),
            (
                DagNode(name="n", ccd=1, state="held", hold_reason="Job credentials are not available"),
                "its job is held: Job credentials are not available",
            ),
            (
                DagNode(name="n", ccd=1, state="removed", hold_reason="SYSTEM_PERIODIC_HOLD: memory", host="fnpc123"),
                "its job was removed while it ran on fnpc123: SYSTEM_PERIODIC_HOLD: memory",
            ),
            (DagNode(name="n", ccd=1, state="removed"), "its job was removed before it ran"),
            (DagNode(name="n", ccd=1, state="waiting"), "the queue says that its job never ran"),
            (DagNode(name="n", ccd=2, state="done", exit_code=0, host="fnpc123"), "nothing is known of its job"),
        ],
    )
    def test_words(self, node: DagNode, words: str) -> None:
        ccd = Watch(ended(node)).look(after(hours=2, minutes=30)).ccd()
        assert ccd.state is CcdState.LOST
        assert ccd.reason == f"its DAG ended at 2026-11-22T02:00:00Z (failed) and left no sign; {words}"
        assert ccd.host == (node.host if node.ccd == 1 else None)

    @pytest.mark.parametrize("there", [True, False])
    def test_said_later(self, there: bool) -> None:
        """A queue that was silent at the end may still say it."""
        watch = Watch(ended(asked=False))
        if not there:
            watch.pnfs.ccds.clear()
        watch.look(after(hours=2))
        first = watch.look(after(hours=2, minutes=30)).ccd()
        assert first.state is CcdState.LOST
        assert (first.reason or "").endswith("; the queue has not said yet what became of its job")
        node = DagNode(name="n", ccd=1, state="failed", exit_code=3, host="fnpc123")
        watch.exposure = replace(ended(node), ccds=watch.exposure.ccds)
        told = watch.look_at_all(after(hours=4)).ccd()
        assert told.reason == (first.reason or "").replace(
            "the queue has not said yet what became of its job", "its job ended with exit code 3 on fnpc123"
        )
        assert (told.host, told.settled_at) == ("fnpc123", first.settled_at)

    def test_a_sign_that_comes_after_all(self) -> None:
        watch = Watch(ended(DagNode(name="n", ccd=1, state="done", exit_code=0, host="fnpc123")))
        watch.look(after(hours=2, minutes=30))
        watch.pnfs.complete(1, after(hours=3))
        ccd = watch.look_at_all(after(hours=4)).ccd()
        assert (ccd.state, ccd.host, ccd.reason) == (CcdState.COMPLETE, None, None)

    def test_somebody_elses_dag(self) -> None:
        watch = Watch(adopted())
        watch.look(after(minutes=1))
        assert "job" not in (watch.look(after(hours=13)).ccd().reason or "")


class TestNeverTaken:
    """Nothing is lost of a DAG that was not taken, as far as anybody knows: results of it are only looked for."""

    @pytest.mark.parametrize("state", [SubmissionState.REJECTED, SubmissionState.UNKNOWN])
    def test_stays_pending(self, state: SubmissionState) -> None:
        ended_at = START if state is SubmissionState.REJECTED else None
        dag = submission(state=state, job_id=None, ended_at=ended_at)
        watch = Watch(exposure(state=ExposureState.ATTENTION, submissions=(dag,)))
        watch.look_at_all(after(hours=1))
        assert watch.look_at_all(after(hours=100)).ccd().state is CcdState.PENDING


class TestLost:
    """A CCD without a sign is lost when its DAG has ended and a grace, or a deadline, has passed, on a fresh look."""

    @pytest.mark.parametrize("state", [SubmissionState.DONE, SubmissionState.FAILED, SubmissionState.REMOVED])
    def test_after_the_grace(self, state: SubmissionState) -> None:
        ended = (submission(state=state, ended_at=after(hours=2)),)
        watch = Watch(exposure(state=submitted().state, submissions=ended))
        assert watch.look(after(hours=2, minutes=29)).ccd().state is CcdState.PENDING
        ccd = watch.look(after(hours=2, minutes=30)).ccd()
        assert ccd.state is CcdState.LOST
        assert ccd.settled_at is not None
        said = "the queue has not said yet what became of its job"
        assert ccd.reason == f"its DAG ended at 2026-11-22T02:00:00Z ({state}) and left no sign; {said}"

    def test_not_without_a_look(self) -> None:
        watch = Watch(submitted(dag=SubmissionState.DONE))
        watch.look(after(minutes=1))
        watch.pnfs.broken = "Input/output error"
        ccd = watch.look(after(hours=20)).ccd()
        assert ccd.state is CcdState.PENDING
        watch.pnfs.broken = None
        assert watch.look(after(hours=20, minutes=1)).ccd().state is CcdState.LOST

    def test_a_dag_that_never_ends(self) -> None:
        watch = Watch()
        assert watch.look(after(hours=71)).ccd().state is CcdState.PENDING
        ccd = watch.look(after(hours=72)).ccd()
        assert ccd.state is CcdState.LOST
        assert ccd.reason == "no sign 3 d after its DAG was submitted at 2026-11-22T00:00:00Z"

    def test_somebody_elses_dag(self) -> None:
        watch = Watch(adopted())
        watch.look(after(minutes=1))
        watch.pnfs.complete(1, after(hours=5))
        watch.look(after(hours=5))
        assert watch.look(after(hours=16)).ccd(3).state is CcdState.PENDING
        assert watch.look(after(hours=17, minutes=1)).ccd(3).state is CcdState.LOST

    def test_it_stays_lost_whatever_moves(self) -> None:
        """Going to attention is news of the exposure; it must not bring its CCDs back."""
        watch = Watch(adopted())
        for hours in (1, 14):
            watch.cycle(after(hours=hours))
        lost = watch.ccd(3)
        assert lost.state is CcdState.LOST
        watch.look_at_all(after(hours=16))
        assert watch.ccd(3).state is CcdState.LOST
        assert watch.ccd(3).reason == lost.reason

    def test_a_late_sign_counts(self) -> None:
        watch = Watch(submitted(dag=SubmissionState.DONE))
        watch.look(after(hours=1))
        watch.pnfs.complete(1, after(hours=2))
        assert watch.look_at_all(after(hours=2)).ccd().state is CcdState.COMPLETE


class TestUnseen:
    """What could not be seen keeps its state, with its age."""

    def test_one_folder(self) -> None:
        watch = Watch()
        watch.pnfs.tarball(1, after(hours=1))
        before = watch.look(after(hours=1)).ccd()
        watch.pnfs.ccds[1].broken = "i_01: Input/output error"
        watch.look(after(hours=1, minutes=9))
        assert watch.ccd() == before
        assert watch.exposure.unseen_since == after(hours=1, minutes=9)
        assert watch.exposure.unseen_problem == "i_01: Input/output error"
        assert watch.exposure.as_of == after(hours=1)
        watch.look(after(hours=1, minutes=10))
        assert watch.exposure.unseen_since == after(hours=1, minutes=9)

    def test_several(self) -> None:
        watch = Watch()
        for ccd in (1, 3, 4):
            watch.pnfs.ccds[ccd].broken = f"i_{ccd:02d}: Input/output error"
        assert watch.look(after(hours=1)).exposure.unseen_problem == "i_01: Input/output error (and 2 more)"

    def test_others_are_seen_all_the_same(self) -> None:
        watch = Watch()
        watch.pnfs.ccds[1].broken = "i_01: Input/output error"
        watch.pnfs.complete(3, after(hours=1))
        assert watch.look(after(hours=1)).ccd(3).state is CcdState.COMPLETE

    def test_seen_again(self) -> None:
        watch = Watch()
        watch.pnfs.broken = "Input/output error"
        watch.look(after(hours=1))
        watch.pnfs.broken = None
        watch.look(after(hours=2))
        assert (watch.exposure.unseen_since, watch.exposure.as_of) == (None, after(hours=2))

    def test_a_full_look_that_did_not_see_all_is_none(self) -> None:
        watch = Watch()
        watch.pnfs.ccds[1].broken = "i_01: Input/output error"
        assert watch.look_at_all(after(hours=1)).exposure.full_look_at is None
        watch.pnfs.ccds[1].broken = None
        assert watch.look_at_all(after(hours=2)).exposure.full_look_at == after(hours=2)

    def test_a_place_that_is_not_known(self) -> None:
        unknown = exposure(nite=None)
        request = LookRequest(exposure_id=1, key=Watch().pnfs.key, forcefiles=True, folders=True, ccds=None)
        with pytest.raises(ValueError, match="no place"):
            assess(unknown, request, (), POLICY, START)


class TestDoubt:
    """A folder that held results and is shown empty is doubted at first, and believed when it stays so."""

    def full(self) -> Watch:
        watch = Watch()
        for ccd in watch.pnfs.ccds:
            watch.pnfs.complete(ccd, after(hours=1))
        return watch.look_at_all(after(hours=1))

    def assert_doubted(self, watch: Watch) -> None:
        before = watch.exposure
        watch.look_at_all(after(hours=2))
        assert [(ccd.state, ccd.settled_at) for ccd in watch.exposure.ccds] == [
            (CcdState.COMPLETE, ccd.settled_at) for ccd in before.ccds
        ]
        assert [file.name for file in watch.exposure.forcefiles] == [file.name for file in before.forcefiles]
        assert watch.exposure.unseen_since == after(hours=2)
        assert "doubted" in (watch.exposure.unseen_problem or "")
        assert watch.exposure.full_look_at == before.full_look_at

    def test_a_ccd(self) -> None:
        watch = self.full()
        watch.pnfs.ccds[1].files.clear()
        self.assert_doubted(watch)
        assert watch.look_at_all(after(hours=2, minutes=9)).ccd().state is CcdState.COMPLETE
        assert watch.look_at_all(after(hours=2, minutes=10)).ccd().state is CcdState.PENDING
        assert watch.exposure.unseen_since is None

    def test_a_ccd_folder_that_is_gone(self) -> None:
        watch = self.full()
        del watch.pnfs.ccds[1]
        self.assert_doubted(watch)
        watch.look_at_all(after(hours=2, minutes=10))
        assert watch.look_at_all(after(hours=2, minutes=15)).ccd().state is CcdState.MISSING

    def test_the_exposures_folder(self) -> None:
        watch = self.full()
        watch.pnfs.there = False
        self.assert_doubted(watch)
        watch.look_at_all(after(hours=2, minutes=10))
        assert {ccd.state for ccd in watch.exposure.ccds} == {CcdState.PENDING}
        assert watch.exposure.folders_at is None

    def test_all_ccd_folders(self) -> None:
        watch = self.full()
        watch.pnfs.ccds.clear()
        self.assert_doubted(watch)

    def test_the_forcefiles(self) -> None:
        watch = self.full()
        assert watch.pnfs.force is not None
        watch.pnfs.force.files.clear()
        self.assert_doubted(watch)
        watch.look_at_all(after(hours=2, minutes=10))
        assert watch.exposure.forcefiles == ()

    def test_the_forcephoto_folder(self) -> None:
        watch = self.full()
        watch.pnfs.force = None
        self.assert_doubted(watch)

    def test_back_in_time(self) -> None:
        watch = self.full()
        before = watch.exposure
        force, watch.pnfs.force = watch.pnfs.force, None
        watch.look_at_all(after(hours=2))
        watch.pnfs.force = force
        watch.look_at_all(after(hours=2, minutes=1))
        assert watch.exposure.forcefiles == tuple(
            replace(file, as_of=file.as_of + timedelta(hours=1, minutes=1)) for file in before.forcefiles
        )
        assert watch.exposure.unseen_since is None

    def test_another_problem_before_it_does_not_shorten_the_doubt(self) -> None:
        watch = self.full()
        watch.pnfs.ccds[5].broken = "i_05: Permission denied"
        watch.look_at_all(after(hours=2))
        watch.pnfs.ccds[1].files.clear()
        watch.look_at_all(after(hours=12))
        assert watch.ccd().state is CcdState.COMPLETE
        watch.look_at_all(after(hours=12, minutes=10))
        assert watch.ccd().state is CcdState.PENDING

    def test_one_file_less_is_no_doubt(self) -> None:
        """People move files away, and remove FAILs by hand."""
        watch = self.full()
        assert watch.pnfs.force is not None
        del watch.pnfs.force.files[fits(1)]
        watch.look_at_all(after(hours=2))
        assert watch.exposure.unseen_since is None
        assert len(watch.exposure.forcefiles) == 117


class TestNews:
    """news_at is the last time that anything about the exposure changed."""

    def test_only_changes_are_news(self) -> None:
        watch = Watch()
        assert watch.look(after(hours=1)).exposure.news_at == START
        assert watch.look(after(hours=2)).exposure.news_at == START
        watch.pnfs.tarball(1, after(hours=3))
        assert watch.look(after(hours=3)).exposure.news_at == after(hours=3)
        watch.pnfs.pair(1, after(hours=3))
        assert watch.look(after(hours=3, minutes=1)).exposure.news_at == after(hours=3, minutes=1)
        assert watch.look(after(hours=4)).exposure.news_at == after(hours=3, minutes=1)


class TestCounts:
    """An exposure that was looked at has 59 CCDs, each in one state."""

    def test_after_any_look(self) -> None:
        watch = Watch()
        del watch.pnfs.ccds[62]
        watch.pnfs.tarball(1, after(hours=1))
        watch.pnfs.fail(3, after(hours=1))
        watch.pnfs.tarball(4, after(hours=1), size=0)
        for hours in (1, 2, 80):
            counts = Counter(ccd.state for ccd in watch.look(after(hours=hours)).exposure.ccds)
            assert counts.total() == EXPECTED_CCDS
        assert counts == {
            CcdState.COMPLETE: 1,
            CcdState.FAILED: 1,
            CcdState.BROKEN: 1,
            CcdState.MISSING: 1,
            CcdState.LOST: 55,
        }
