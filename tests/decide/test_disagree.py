"""Where the queue and /pnfs do not say the same of an exposure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from desgw_daemon.decide.disagree import changed_disagreements, disagreement, disagreement_alerts
from desgw_daemon.domain.snapshot import Ccd, Exposure
from desgw_daemon.domain.states import CcdState, ExposureState, SubmissionState
from desgw_daemon.domain.submissions import DagNode, ForeignDag
from tests.decide.build import POLICY, after, exposure, finished, settled_ccds, snapshot, states_of, submission

LATER = after(hours=9)


def node(ccd: int, state: str = "done", **values: Any) -> DagNode:
    """A job of a search CCD; a good one has an exit code of 0."""
    return DagNode(name=f"{ccd:03d}_SEdiff_c{ccd:02d}", ccd=ccd, state=state, **values)


def said(found: Exposure, *foreign: ForeignDag, now: datetime = LATER) -> str:
    """What is said of it; empty when there is nothing."""
    return disagreement(found, foreign, POLICY, now) or ""


def dag(state: SubmissionState, **values: Any) -> dict[str, Any]:
    """The one submission of an exposure, ended after two hours if it has."""
    ended = None if state in (SubmissionState.UNKNOWN, SubmissionState.RUNNING) else after(hours=2)
    return {"submissions": (submission(state=state, **({"ended_at": ended} | values)),)}


class TestNoOutput:
    """The queue says that jobs ended well, and there is nothing of their CCDs: told when the grace is over."""

    def test_all_of_the_dag_ended_well(self) -> None:
        lost = finished(states_of(2, CcdState.LOST), **dag(SubmissionState.DONE), nodes=(node(1, exit_code=0),))
        assert said(lost) == (
            "its DAG ended at 2026-11-22T02:00:00Z (done): 2 CCDs without output, although the queue says that all of"
            " its jobs ended well: i_01, i_03"
        )

    def test_some_of_its_jobs_ended_well(self) -> None:
        nodes = (node(1, exit_code=0, host="h"), node(3, "failed", exit_code=3))
        lost = finished(states_of(3, CcdState.LOST), **dag(SubmissionState.FAILED), nodes=nodes)
        assert "(failed): 1 CCD without output (of 3), although the queue says that their jobs ended" in said(lost)

    def test_they_agree(self) -> None:
        bad = (node(1, "failed", exit_code=3), node(3, "failed", signal=9), node(4, "removed"))
        assert said(finished(states_of(3, CcdState.LOST), **dag(SubmissionState.FAILED), nodes=bad)) == ""
        assert said(finished(states_of(3, CcdState.FAILED), **dag(SubmissionState.DONE))) == ""
        assert said(finished(**dag(SubmissionState.DONE))) == ""

    def test_not_before_the_grace_is_over(self) -> None:
        missing = finished(states_of(1, CcdState.MISSING), **dag(SubmissionState.DONE))
        assert said(missing, now=after(hours=2, minutes=29)) == ""
        assert said(missing, now=after(hours=2, minutes=30)) != ""

    def test_while_it_runs(self) -> None:
        assert said(finished(states_of(1, CcdState.MISSING), **dag(SubmissionState.RUNNING))) == ""

    @pytest.mark.parametrize("state", [ExposureState.DONE, ExposureState.REMOVED])
    def test_not_of_what_is_over(self, state: ExposureState) -> None:
        assert said(finished(states_of(1, CcdState.LOST), state=state, **dag(SubmissionState.DONE))) == ""

    def test_kept_while_it_is_in_a_run(self) -> None:
        in_run = exposure(state=ExposureState.POSTPROCESSING, disagreement="something", **dag(SubmissionState.DONE))
        assert said(in_run) == "something"


def ccds(*written: datetime, fail: bool = False) -> tuple[Ccd, ...]:
    """CCDs without results, but for as many as there are times."""
    found = list(settled_ccds(dict.fromkeys(range(1, 63), CcdState.PENDING)))
    for n, moment in enumerate(written):
        if fail:
            name = "RUN03_x.FAIL"
            found[n] = replace(found[n], fails=(name,), fail_stats={name: (9, moment.timestamp())})
        else:
            found[n] = replace(found[n], tarball_size=9, tarball_mtime=moment.timestamp())
    return tuple(found)


class TestResultsOfNoSubmission:
    """Results came of a DAG that is in no queue, as far as the queue or anybody knows."""

    @pytest.mark.parametrize("fail", [False, True])
    def test_of_unknown_outcome(self, fail: bool) -> None:
        doubt = exposure(
            state=ExposureState.SUBMITTING,
            ccds=ccds(after(hours=1), after(hours=3), fail=fail),
            **dag(SubmissionState.UNKNOWN, job_id=None),
        )
        words = said(doubt)
        assert words.startswith("2 CCDs left results (i_01, i_03; the newest of 2026-11-22T03:00:00Z), although nobody")
        assert f"`desgw-daemon queue resolve {doubt.expnum} --adopt ID`" in words

    def test_results_of_an_earlier_attempt_prove_nothing(self) -> None:
        doubt = exposure(
            state=ExposureState.SUBMITTING, ccds=ccds(after(hours=-1)), **dag(SubmissionState.UNKNOWN, job_id=None)
        )
        assert said(doubt) == ""

    def test_refused(self) -> None:
        refused = exposure(
            state=ExposureState.ATTENTION, ccds=ccds(after(hours=3)), **dag(SubmissionState.REJECTED, job_id=None)
        )
        assert "1 CCD left results" in said(refused)
        assert "although its DAG was refused at 2026-11-22T02:00:00Z" in said(refused)

    @pytest.mark.parametrize(
        ("state", "patience"),
        [(SubmissionState.LOST, POLICY.settle), (SubmissionState.REMOVED, POLICY.grace_after_dag)],
    )
    def test_ended(self, state: SubmissionState, patience: timedelta) -> None:
        """What was on its way when it ended may still come."""
        in_time, late = (
            exposure(state=ExposureState.PROCESSING, ccds=ccds(after(hours=2) + patience + more), **dag(state))
            for more in (timedelta(minutes=-1), timedelta(0))
        )
        assert said(in_time) == ""
        assert "jobs of it ran on" in said(late)


def foreign(tag: str, *, seen: datetime = LATER, **values: Any) -> ForeignDag:
    """A DAG in the queue."""
    known: dict[str, Any] = {"job_id": "7.0@schedd", "expnum": None, "state": "running", "owner": "desgw"}
    return ForeignDag(tag=tag, first_seen=after(hours=3), as_of=seen, **(known | values))


class TestStillInTheQueue:
    """The queue has a DAG of ours that has ended for us, or was never taken."""

    @pytest.mark.parametrize("state", [ExposureState.PROCESSING, ExposureState.DONE, ExposureState.REMOVED])
    def test_ended(self, state: ExposureState) -> None:
        ended = exposure(state=state, **dag(SubmissionState.REMOVED))
        words = said(ended, foreign(ended.submissions[0].tag))
        assert "was removed at 2026-11-22T02:00:00Z, but the queue has it as 7.0@schedd (running, seen since" in words

    def test_not_taken(self) -> None:
        waits = exposure(state=ExposureState.SUBMITTING, **dag(SubmissionState.INTENT, job_id=None, ended_at=None))
        assert "is not taken yet, as far as we know, but the queue has it" in said(
            waits, foreign(waits.submissions[0].tag)
        )

    def test_twice(self) -> None:
        """That has an alert of its own."""
        runs = exposure(state=ExposureState.PROCESSING, **dag(SubmissionState.RUNNING))
        assert said(runs, foreign(runs.submissions[0].tag)) == ""

    def test_what_has_ended_there_too(self) -> None:
        """Some queues show a DAG for days after its end."""
        ended = exposure(state=ExposureState.PROCESSING, **dag(SubmissionState.DONE))
        assert said(ended, foreign(ended.submissions[0].tag, state="done")) == ""

    def test_of_an_earlier_attempt(self) -> None:
        first = submission(state=SubmissionState.LOST, ended_at=after(hours=2))
        second = submission(2, attempt=2, tag="second")
        again = exposure(state=ExposureState.PROCESSING, attempt=2, submissions=(first, second))
        assert "was lost at" in said(again, foreign(first.tag))

    def test_the_queue_may_take_a_moment(self) -> None:
        ended = exposure(state=ExposureState.PROCESSING, **dag(SubmissionState.DONE))
        assert said(ended, foreign(ended.submissions[0].tag, seen=after(hours=2, minutes=1))) == ""

    def test_not_ours(self) -> None:
        assert said(exposure(state=ExposureState.PROCESSING, **dag(SubmissionState.DONE)), foreign("another")) == ""


class TestWrittenDown:
    """Only what has changed is written, and one alert tells of all of it."""

    def test_changed(self) -> None:
        lost = finished(states_of(1, CcdState.LOST), **dag(SubmissionState.DONE))
        told = replace(lost, disagreement=said(lost))
        over = finished(number=2, disagreement="something")
        assert changed_disagreements(snapshot(told), POLICY, LATER) == {}
        assert changed_disagreements(snapshot(lost, over), POLICY, LATER) == {lost.id: said(lost), over.id: None}

    def test_alert(self) -> None:
        first, second = (finished(number=n, disagreement="so", disagreement_since=after()) for n in (1, 2))
        (alert,) = disagreement_alerts(snapshot(first, second, finished(number=3)))
        assert f"of 2 exposures: {first.expnum}, {second.expnum}, the first since 2026-11-22T00:00:00Z" in alert.text
        assert disagreement_alerts(snapshot(finished())) == []
