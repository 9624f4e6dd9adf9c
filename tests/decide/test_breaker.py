"""The circuit breaker: one on trial while submissions fail one after another for the same cause."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from desgw_daemon.decide.breaker import Breaker, breaker_of, on_trial
from desgw_daemon.decide.plan import plan
from desgw_daemon.domain.actions import Action, SubmitDag, Wait
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.snapshot import Exposure
from desgw_daemon.domain.states import ExposureState, SubmissionState
from desgw_daemon.domain.submissions import SubmitTry
from tests.decide.build import EXPNUM, POLICY, START, after, claimed, exposure, making, snapshot, submission, tried


def row(*outcomes: str | None, cause: str = "no_schedd") -> tuple[SubmitTry, ...]:
    """Tries of as many DAGs, a minute after one another; the last has ended at START."""
    count = len(outcomes)
    return tuple(
        tried(
            outcome=outcome,
            of=n,
            ended_at=START - timedelta(minutes=count - n),
            cause=None if outcome == "accepted" else cause,
        )
        for n, outcome in enumerate(outcomes, 1)
    )


def opened(*tries: SubmitTry, of: tuple[Exposure, ...] = ()) -> Breaker | None:
    """The breaker after these tries."""
    return breaker_of(snapshot(*of, tries=tries), POLICY)


def made(number: int) -> Exposure:
    """One whose DAG is made and was never handed over."""
    return exposure(number, state=ExposureState.SUBMITTING, makings=(making(number),))


def planned(*exposures: Exposure, tries: tuple[SubmitTry, ...], now: datetime) -> dict[int, Action]:
    """What is planned for each."""
    actions = plan(snapshot(*exposures, tries=tries), POLICY, now)
    return {a.exposure_id: a for a in actions if isinstance(a, SubmitDag | Wait)}


class TestOpens:
    """It is open after so many failures in a row for one cause, whatever their kind; a success closes it."""

    def test_five_in_a_row(self) -> None:
        assert opened(*row(*["transient"] * 4)) is None
        breaker = opened(*row(*["transient"] * 5))
        assert breaker is not None
        assert (breaker.cause, breaker.number, breaker.since) == ("no_schedd", 5, START - timedelta(minutes=4))

    def test_whatever_the_kind(self) -> None:
        assert opened(*row("permanent", "unclear", "transient", "permanent", "unclear")) is not None

    def test_a_success_closes_it(self) -> None:
        assert opened(*row(*["transient"] * 5, "accepted")) is None
        assert opened(*row("transient", "accepted", *["transient"] * 4)) is None

    def test_another_cause_is_another_row(self) -> None:
        other = tried(of=9, ended_at=START - timedelta(minutes=2, seconds=30), cause="quota")
        assert opened(*row(*["transient"] * 5), other) is None

    def test_a_credential_neither_counts_nor_ends_a_row(self) -> None:
        assert opened(*row(*["credential"] * 9)) is None
        breaker = opened(*row("transient", "transient", "credential", "transient", "transient", "transient"))
        assert breaker is not None and breaker.number == 5

    def test_nor_does_somebody_elses_dag_of_the_same_exposure(self) -> None:
        assert opened(*row(*["transient"] * 9, cause="another_dag")) is None
        other = tried(of=9, ended_at=START - timedelta(minutes=2, seconds=30), cause="another_dag")
        assert opened(*row(*["transient"] * 5), other) is not None

    def test_those_that_go_on_are_ignored(self) -> None:
        assert opened(*row(*["transient"] * 5, None)) is not None
        assert opened(*row(*["transient"] * 4, None)) is None

    def test_by_their_ends(self) -> None:
        """One that began early and was taken late has the last word."""
        early = tried(of=9, outcome="accepted", id=1, ended_at=after(minutes=1))
        assert opened(early, *row(*["transient"] * 5)) is None

    def test_a_time_out_that_had_submitted_is_no_failure(self) -> None:
        late = replace(claimed(5), submissions=(submission(5, SubmissionState.RUNNING),))
        assert opened(*row(*["unclear"] * 5)) is not None
        assert opened(*row(*["unclear"] * 5), of=(late,)) is None


class TestTrials:
    """While it is open one DAG at a time is on trial, at growing intervals from the last failure on."""

    @pytest.mark.parametrize(("failures", "minutes"), [(5, 5), (6, 10), (7, 20), (8, 30), (20, 30)])
    def test_intervals(self, failures: int, minutes: int) -> None:
        breaker = opened(*row(*["transient"] * failures))
        assert breaker is not None and breaker.due == after(minutes=minutes)

    def test_nothing_before_it_is_due(self) -> None:
        actions = planned(made(6), made(7), tries=row(*["transient"] * 5), now=after(minutes=4))
        assert [type(a) for a in actions.values()] == [Wait, Wait]
        assert actions[7].reason == (
            "its DAG is made; the last 5 submissions failed for the same cause (no_schedd), from 2026-11-21T23:56:00Z"
            " to 2026-11-22T00:00:00Z: No schedds satisfying the constraint were found. Only one at a time is"
            " submitted, on trial, until one is taken: the next trial is at 2026-11-22T00:05:00Z"
        )

    def test_one_when_it_is(self) -> None:
        actions = planned(made(6), made(7), tries=row(*["transient"] * 5), now=after(minutes=5))
        assert isinstance(actions[6], SubmitDag)
        assert isinstance(actions[7], Wait)
        assert f"that of {EXPNUM + 5} is on trial now" in actions[7].reason

    def test_none_beside_one_under_way(self) -> None:
        handing = replace(claimed(6), submissions=(submission(6, SubmissionState.SUBMITTING, job_id=None),))
        tries = (*row(*["transient"] * 5), tried(outcome=None, of=6, ended_at=after(minutes=5)))
        actions = planned(handing, made(7), tries=tries, now=after(minutes=50))
        assert isinstance(actions[7], Wait)
        assert "one is on trial since 2026-11-22T00:04:55Z" in actions[7].reason

    def test_the_one_whose_last_try_is_oldest(self) -> None:
        """Those that were never tried first, in their order; a bad one is not tried for all others again and again."""
        tries, refused = row(*["transient"] * 5), [claimed(n) for n in range(1, 6)]
        later = after(hours=1)
        fresh = planned(*refused, made(6), made(7), tries=tries, now=later)
        assert [n for n, a in fresh.items() if isinstance(a, SubmitDag)] == [6]
        again = planned(*refused, tries=tries, now=later)
        assert [n for n, a in again.items() if isinstance(a, SubmitDag)] == [1]

    def test_its_own_intervals_count(self) -> None:
        """A DAG that was refused often would itself wait for longer."""
        tries = tuple(tried(n, ended_at=START - timedelta(minutes=9 - n)) for n in range(1, 10))
        assert isinstance(planned(claimed(), tries=tries, now=after(minutes=30))[1], SubmitDag)

    def test_a_refused_credential_was_a_trial_too(self) -> None:
        breaker = opened(*row(*["transient"] * 5), tried(of=6, outcome="credential", ended_at=after(minutes=5)))
        assert breaker is not None and breaker.due == after(minutes=10)

    def test_closed(self) -> None:
        actions = (SubmitDag(exposure_id=1, expnum=EXPNUM, attempt=1, reason="its DAG is made"),)
        assert on_trial(snapshot(made(1)), actions, POLICY, START) == actions


class TestANightWithoutSchedd:
    """From one cycle to the next, each planned from what is written down: few tries, and each DAG in its turn."""

    POLICY = replace(Policy(), submit_max_in_flight=3, submit_breaker_after=3)

    def cycles(self, hours: float, exposures: list[Exposure], tries: list[SubmitTry]) -> Iterator[list[SubmitDag]]:
        """A cycle a minute, in which whatever is handed over is refused."""
        for minute in range(int(60 * hours)):
            now = after(minutes=minute)
            actions = plan(snapshot(*exposures, tries=tuple(tries)), self.POLICY, now)
            submits = [a for a in actions if isinstance(a, SubmitDag)]
            for action in submits:
                number = action.exposure_id
                exposures[number - 1] = claimed(number)
                times = sum(t.submission_id == number for t in tries)
                tries.append(tried(times + 1, of=number, id=len(tries) + 1, ended_at=now))
            yield submits

    def test_few_tries(self) -> None:
        exposures = [made(n) for n in range(1, 9)]
        tries: list[SubmitTry] = []
        counts = [len(submits) for submits in self.cycles(8, exposures, tries)]
        # The three that have a place, then one after 5, 10, 20 and each further 30 minutes.
        assert counts[0] == 3
        assert max(counts[1:]) == 1
        assert [minute for minute, count in enumerate(counts) if count][:6] == [0, 5, 15, 35, 65, 95]
        assert sum(counts) == 20
        # All three in turn.
        assert max(Counter(t.submission_id for t in tries).values()) == 7
        assert {t.submission_id for t in tries} == {1, 2, 3}
