"""When a DAG that was not taken is handed over again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from desgw_daemon.decide.backoff import Retry, growing, retry_of
from desgw_daemon.decide.plan import plan
from desgw_daemon.domain.actions import Action, SubmitDag, Wait
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.submissions import SubmitTry
from tests.decide.build import POLICY, START, after, claimed, snapshot, tried

#: One cause after another, so that they are no row of the same.
CAUSES = ("quota", "no_schedd")


def retry(*tries: SubmitTry, policy: Policy = POLICY) -> Retry:
    """When the one DAG of these tries is handed over again."""
    subject = claimed()
    found = retry_of(snapshot(subject, tries=tries), subject.submissions[0], policy)
    assert found is not None
    return found


def refused(times: int, outcome: str = "transient") -> tuple[SubmitTry, ...]:
    """So many tries, the last of which ended at START."""
    return tuple(
        tried(n, outcome, ended_at=START - timedelta(hours=times - n), cause=CAUSES[n % 2]) for n in range(1, times + 1)
    )


def action(*tries: SubmitTry, now: Any, **values: Any) -> Action:
    """What is planned for it."""
    (found,) = (
        a
        for a in plan(snapshot(claimed(), tries=tries, **values), POLICY, now)
        if isinstance(a, SubmitDag | Wait) and a.exposure_id == 1
    )
    return found


class TestGrowing:
    """Twice as long after each failure, up to a limit."""

    def test_doubled(self) -> None:
        minutes = [growing(timedelta(minutes=2), n, timedelta(minutes=30)) / timedelta(minutes=1) for n in range(6)]
        assert minutes == [2, 4, 8, 16, 30, 30]

    @given(st.integers(0, 10**6))
    def test_never_more(self, doublings: int) -> None:
        assert growing(timedelta(seconds=1), doublings, timedelta(days=7)) <= timedelta(days=7)


class TestBackOff:
    """A DAG that was refused for a cause that passes waits longer each time; it says how often, and until when."""

    def test_waits(self) -> None:
        due = retry(*refused(3)).due
        found = action(*refused(3), now=due - timedelta(seconds=1))
        assert isinstance(found, Wait)
        assert found.reason == (
            "its DAG was handed to local 3 times and not taken, the last time at 2026-11-22T00:00:00Z: No schedds"
            f" satisfying the constraint were found. It is handed over again at {due:%Y-%m-%dT%H:%M:%SZ}"
        )
        assert isinstance(action(*refused(3), now=due), SubmitDag)

    def test_never_tried(self) -> None:
        assert isinstance(action(now=START), SubmitDag)

    @given(st.integers(1, 40))
    def test_grows_up_to_the_limit(self, times: int) -> None:
        whole = growing(POLICY.submit_retry_after, times - 1, POLICY.submit_retry_at_most)
        waits = retry(*refused(times)).due - START
        assert 0.75 * whole - timedelta(seconds=1) <= waits <= whole <= POLICY.submit_retry_at_most

    def test_an_unclear_answer_counts(self) -> None:
        """It was proven since that the queue does not have it: a time-out each time is no reason to hurry."""
        assert retry(*refused(3, "unclear")).due == retry(*refused(3)).due

    def test_those_of_other_dags_do_not(self) -> None:
        others = tuple(tried(n, of=2) for n in range(1, 4))
        assert retry(*refused(1), *others) == retry(*refused(1))

    def test_not_all_at_the_same_moment(self) -> None:
        subjects = [claimed(n) for n in range(1, 21)]
        facts = snapshot(*subjects, tries=tuple(tried(of=n) for n in range(1, 21)))
        found = [retry_of(facts, subject.submissions[0], POLICY) for subject in subjects]
        assert len({each.due for each in found if each is not None}) > 10

    def test_the_same_after_a_restart(self) -> None:
        assert retry(*refused(2)) == retry(*refused(2))


class TestCredential:
    """A refused credential is nobody's failure: the interval stays the first, whatever went before."""

    def test_does_not_count(self) -> None:
        bad = tuple(tried(n, "credential", ended_at=START - timedelta(hours=9 - n)) for n in range(1, 9))
        last = tried(9, "credential")
        assert retry(*bad, last).due - START <= POLICY.submit_retry_after
        again = retry(*bad, last, tried(10, ended_at=after(hours=1))).due
        assert again - after(hours=1) <= POLICY.submit_retry_after

    def test_waits_while_it_is_bad(self) -> None:
        found = action(tried(1, "credential"), now=after(hours=5), credential_bad=(START, "the token has ended"))
        assert isinstance(found, Wait)
        assert "nothing is made or submitted since 2026-11-22T00:00:00Z: the token has ended" in found.reason

    def test_one_retry_when_the_daemon_sees_no_fault_in_it(self) -> None:
        assert isinstance(action(tried(1, "credential"), now=after(minutes=1)), Wait)
        assert isinstance(action(tried(1, "credential"), now=after(minutes=2)), SubmitDag)

    def test_also_while_the_breaker_is_open(self) -> None:
        policy = replace(POLICY, submit_breaker_after=1, submit_breaker_probe=timedelta(seconds=1))
        tries = (tried(1), tried(2, "credential", ended_at=after(minutes=1)))
        (found,) = (
            a
            for a in plan(snapshot(claimed(), tries=tries), policy, after(minutes=2))
            if isinstance(a, SubmitDag | Wait)
        )
        assert isinstance(found, Wait)
