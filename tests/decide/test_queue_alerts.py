"""Alerts about what is in the queue, or should be."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from desgw_daemon.decide.backoff import retry_of
from desgw_daemon.domain.actions import AlertWanted
from desgw_daemon.domain.alertrules import RULES
from desgw_daemon.domain.snapshot import Exposure
from desgw_daemon.domain.states import ENDED, ExposureState, SubmissionState
from desgw_daemon.domain.submissions import SubmitTry
from tests.decide.build import (
    EXPNUM,
    POLICY,
    START,
    after,
    claimed,
    exposure,
    foreign,
    making,
    raised_of,
    snapshot,
    submission,
    submitted,
    tried,
)


def up(*exposures: Exposure, now: Any = None, **values: Any) -> dict[str, AlertWanted]:
    """The alerts by their keys."""
    alerts = raised_of(snapshot(*exposures, **values), POLICY, now or after(minutes=1))
    assert len({alert.key for alert in alerts}) == len(alerts)
    return {alert.key: alert for alert in alerts}


class TestBreaker:
    """An open breaker is one alert, as long as something waits because of it and no other cause is known."""

    TRIES: tuple[SubmitTry, ...] = tuple(tried(of=n, ended_at=START - timedelta(minutes=5 - n)) for n in range(1, 6))
    LINE = (*(claimed(n) for n in range(1, 6)), exposure(6, state=ExposureState.SUBMITTING, makings=(making(6),)))

    def test_up(self) -> None:
        (alert,) = up(*self.LINE, tries=self.TRIES).values()
        assert (alert.key, RULES[alert.rule].severity) == ("submit_breaker", "critical")
        assert alert.text == (
            "the last 5 submissions failed for the same cause (no_schedd), from 2026-11-21T23:56:00Z to"
            " 2026-11-22T00:00:00Z: No schedds satisfying the constraint were found. 6 DAGs wait for that:"
            f" {EXPNUM}, {EXPNUM + 1}, {EXPNUM + 2}, {EXPNUM + 3}, {EXPNUM + 4} and 1 more. Only one at a time is"
            " submitted, on trial; the next trial is at 2026-11-22T00:05:00Z. Mend the cause, or tell those who run the"
            " queue; it goes on by itself when one is taken"
        )

    def test_it_is_told_alone(self) -> None:
        """That they wait for long has the same cause."""
        late = after(hours=3)
        tries = tuple(replace(t, ended_at=late) for t in self.TRIES)
        assert list(up(*self.LINE, now=late, tries=tries)) == ["submit_breaker"]

    def test_nothing_waits(self) -> None:
        held = [replace(one, held=True) for one in self.LINE]
        assert up(*held, submitted(7), tries=self.TRIES) == {}

    @pytest.mark.parametrize(
        ("values", "also"),
        [
            ({"engine_silent": (START, "no answer")}, ["engine_silent"]),
            ({"credential_bad": (START, "it has ended")}, ["credential"]),
            ({"paused": True, "paused_reason": "disk full", "paused_since": START}, []),
        ],
    )
    def test_another_cause_is_known(self, values: dict[str, Any], also: list[str]) -> None:
        assert list(up(*self.LINE, tries=self.TRIES, now=after(minutes=2), **values)) == also


class TestUnknown:
    """The doubt counts from when it was handed over, not from when it was claimed."""

    def test_after_a_long_line(self) -> None:
        doubt = replace(claimed(), submissions=(submission(state=SubmissionState.UNKNOWN, job_id=None, as_of=None),))
        tries = (tried(outcome="unclear", ended_at=after(hours=3)),)
        assert up(doubt, now=after(hours=3, minutes=3), tries=tries) == {}
        assert list(up(doubt, now=after(hours=3, minutes=4), tries=tries)) == ["submission_unknown"]


class TestNotTaken:
    """A DAG that is not taken for long is told, with the moment of the next try."""

    def test_when_next(self) -> None:
        now = after(hours=2)
        tries = tuple(tried(n, ended_at=now, cause=f"cause {n % 2}") for n in range(1, 4))
        subject = claimed()
        due = retry_of(snapshot(subject, tries=tries), subject.submissions[0], POLICY)
        assert due is not None
        text = up(subject, now=now, tries=tries)["submission_waits"].text
        assert f"It is tried again at {due.due:%Y-%m-%dT%H:%M:%SZ};" in text
        assert "It is tried again in the next cycle" in up(claimed(), now=now)["submission_waits"].text


class TestStuck:
    """A hand-over that does not end is told after an hour, from its begin."""

    HANDED = replace(
        claimed(),
        submissions=(submission(state=SubmissionState.SUBMITTING, job_id=None, reason="jobsub_submit_dag runs"),),
    )

    def test_up(self) -> None:
        tries = (tried(outcome=None, ended_at=after(hours=5, seconds=5)),)
        assert up(self.HANDED, now=after(hours=5, minutes=59), tries=tries) == {}
        alert = up(self.HANDED, now=after(hours=6), tries=tries)["submission_stuck"]
        assert f"The first, {EXPNUM}, was handed to local at 2026-11-22T05:00:00Z: jobsub_submit_dag runs" in alert.text
        assert list(up(self.HANDED, now=after(hours=1))) == ["submission_stuck"]

    def test_the_queue_is_silent(self) -> None:
        assert list(up(self.HANDED, now=after(hours=6), engine_silent=(START, "frozen"))) == ["engine_silent"]


class TestHeld:
    """DAGs that are held for longer than the limit are one alert: why, since when, which, and what to do."""

    def held(self, number: int, **values: Any) -> Exposure:
        reason = "Job credentials are not available"
        dag = submission(number, SubmissionState.HELD, **({"held_since": START, "hold_reason": reason} | values))
        return replace(submitted(number), submissions=(dag,))

    def test_up(self) -> None:
        night = (self.held(1), self.held(2), self.held(3, held_since=after(hours=1)))
        assert up(*night, now=after(hours=1, minutes=59)) == {}
        (alert,) = up(*night, now=after(hours=2)).values()
        assert (alert.key, RULES[alert.rule].severity) == ("dag_held", "critical")
        assert alert.text == (
            f"2 DAGs held for more than 2 h: {EXPNUM} (job local.1, since 2026-11-22T00:00:00Z), {EXPNUM + 1} (job"
            " local.2, since 2026-11-22T00:00:00Z). The queue's reason: Job credentials are not available. Others have"
            " their places in the grid, and nobody their templates. When the cause is mended, release the job in the"
            f" queue; `desgw-daemon queue remove --dag {EXPNUM}` ends a DAG, and what it has done stays"
        )

    def test_told_once(self) -> None:
        """After three days it is still this alert, and not one more."""
        assert list(up(self.held(1), now=after(days=4))) == ["dag_held"]


class TestOverdue:
    """The days of a DAG count from its submission, and only while the queue has it."""

    def test_from_its_submission(self) -> None:
        late = replace(submitted(), submissions=(submission(submitted_at=after(days=2)),))
        assert up(late, now=after(days=4)) == {}
        assert list(up(late, now=after(days=5))) == ["dag_overdue"]

    def test_one_that_was_never_taken(self) -> None:
        assert list(up(claimed(), now=after(days=5))) == ["submission_waits"]

    @pytest.mark.parametrize("state", sorted(ENDED))
    def test_ended(self, state: SubmissionState) -> None:
        assert "dag_overdue" not in up(submitted(1, state), now=after(days=5))


class TestForeign:
    """A foreign DAG that keeps an exposure of the queue back is told when it stays."""

    def test_up(self) -> None:
        assert up(exposure(), now=after(minutes=59), foreign_dags=(foreign(),)) == {}
        alert = up(exposure(), now=after(hours=1), foreign_dags=(foreign(),))["foreign_dag"]
        assert f"{EXPNUM} (dp2299_{EXPNUM}_a1, job 163.0@schedd of desgw, running, seen since 2026" in alert.text

    @pytest.mark.parametrize(
        "subject", [exposure(held=True), submitted(), exposure(2), exposure(state=ExposureState.DONE)]
    )
    def test_nobody_waits_for_it(self, subject: Exposure) -> None:
        assert up(subject, now=after(hours=3), foreign_dags=(foreign(),)) == {}


class TestDuplicate:
    """A second job under the tag of a DAG in flight is told at once."""

    def test_up(self) -> None:
        mine = submitted()
        twin = foreign(tag=mine.submissions[0].tag, job_id="local.7", first_seen=after(minutes=1))
        (alert,) = up(mine, foreign_dags=(twin,)).values()
        assert (alert.key, RULES[alert.rule].severity) == ("duplicate_dag", "critical")
        assert f"({EXPNUM}: local.1 is followed, and local.7 is there too)" in alert.text
