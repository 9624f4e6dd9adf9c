"""The outbox by itself: what goes where, in which order, how much of it, and what a crash leaves of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from desgw_daemon.decide.delivering import delivery_alerts, given_up, hour_before, next_batches, next_try
from desgw_daemon.domain.messages import UNCERTAIN, Delivery, Message, Outcome
from desgw_daemon.domain.policy import AlertPolicy
from desgw_daemon.domain.states import DeliveryState
from desgw_daemon.report.messages import digest_of
from desgw_daemon.store.database import create_or_check, writing
from desgw_daemon.store.outbox import (
    ask_test,
    claim_batch,
    forget_deliveries,
    give_up,
    load_deliveries,
    load_delivery,
    load_undelivered,
    put_out,
    record_test,
    sent_since,
    settle,
    withdraw,
)
from desgw_daemon.store.tables import AlertRow, table

MINUTE = timedelta(minutes=1)
SENT = Outcome(sent=True, begun=True)
REFUSED = Outcome(sent=False, begun=True, problem="error=500")


class Outbox:
    """One database and one clock; a step of delivery at a time, with an answer of the test's."""

    def __init__(self, path: Path, **policy: Any) -> None:
        self.path = path
        self.engine = create_or_check(path)
        self.now = datetime(2026, 11, 22, tzinfo=UTC)
        self.policy = AlertPolicy(**{"channels": {"mail": "warning", "phone": "critical"}, **policy})

    def put(self, title: str, severity: str = "warning", **values: Any) -> None:
        message = Message(
            **{"kind": "raised", "severity": severity, "title": title, "body": f"{title} holds", **values}
        )
        with writing(self.engine) as connection:
            put_out(connection, [message], self.policy.channels, at=self.now)

    def step(self, answer: Outcome = SENT, channel: str = "mail") -> list[str]:
        """Give up what is too old, hand over what may go by a channel, and have this answer to the first failure on.

        The titles of what was handed over.
        """
        with writing(self.engine) as connection:
            for delivery, why in given_up(load_deliveries(connection, DeliveryState.WAITING), self.policy, self.now):
                give_up(connection, delivery, why, at=self.now)
            waiting = load_deliveries(connection, DeliveryState.WAITING)
            sent = sent_since(connection, hour_before(self.now))
            batches = [b for b in next_batches(waiting, sent, (), self.policy, self.now) if b.channel == channel]
            handed: list[Delivery] = []
            for batch in batches:
                digest = digest_of(batch.deliveries) if batch.digest else None
                handed += claim_batch(connection, batch, digest, folder=f"/{channel}", at=self.now)
        with writing(self.engine) as connection:
            for number, delivery in enumerate(handed):
                outcome = answer if answer.sent or number == 0 else Outcome(sent=False, begun=False)
                again = next_try(delivery.tries, MINUTE, self.now)
                settle(connection, delivery, outcome, next_at=again, at=self.now)
        return [delivery.title for delivery in handed]

    def wait(self, **span: float) -> None:
        self.now += timedelta(**span)

    def alerts(self) -> list[str]:
        with writing(self.engine) as connection:
            return [alert.key for alert in delivery_alerts(load_undelivered(connection), self.policy)]

    def states(self, channel: str = "mail") -> list[tuple[str, str]]:
        connection = sqlite3.connect(self.path)
        rows = connection.execute("SELECT title, state FROM v_delivery WHERE channel = ? ORDER BY id", [channel])
        try:
            return list(rows)
        finally:
            connection.close()


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    found = Outbox(tmp_path / "desgw.db")
    yield found
    found.engine.dispose()


class TestWhereItGoes:
    """A channel is told from its severity on, of an end where it was told the beginning, never of its own failure."""

    def test_from_its_severity_on(self, outbox: Outbox) -> None:
        outbox.put("info", "info")
        outbox.put("warning")
        outbox.put("critical", "critical")
        assert [title for title, _ in outbox.states("mail")] == ["warning", "critical"]
        assert [title for title, _ in outbox.states("phone")] == ["critical"]

    def test_an_end_follows_its_beginning(self, outbox: Outbox) -> None:
        with writing(outbox.engine) as connection:
            for number in (1, 2):
                values = {"id": number, "key": str(number), "rule": "x", "severity": "warning", "text": "x"}
                connection.execute(table(AlertRow).insert().values(**values, raised_at=outbox.now, active=True))
        outbox.put("one", "critical", about=(1,))
        outbox.put("two", "warning", about=(2,))
        outbox.put("end of one", "info", kind="cleared", about=(1,))
        outbox.put("end of two", "info", kind="cleared", about=(2,))
        assert [title for title, _ in outbox.states("phone")] == ["one", "end of one"]
        assert [title for title, _ in outbox.states("mail")] == ["one", "two", "end of one", "end of two"]

    def test_a_report_wakes_nobody_up(self, outbox: Outbox) -> None:
        outbox.put("night", "info", kind="report")
        assert len(outbox.states("mail")) == 1 and not outbox.states("phone")

    def test_its_own_failure_goes_elsewhere(self, outbox: Outbox) -> None:
        outbox.put("mail is dead", "critical", key="delivery_failed:mail")
        assert not outbox.states("mail") and len(outbox.states("phone")) == 1


class TestOrderIsKept:
    """What comes later does not overtake what is tried again."""

    def test_after_a_failure(self, outbox: Outbox) -> None:
        for title in "abc":
            outbox.put(title)
        assert outbox.step(REFUSED) == ["a", "b", "c"]
        outbox.put("d")
        assert outbox.step() == []  # not before its time
        outbox.wait(minutes=1)
        assert outbox.step() == ["a", "b", "c", "d"]
        assert {state for _, state in outbox.states()} == {"sent"}

    def test_intervals_grow(self, outbox: Outbox) -> None:
        outbox.put("a")
        tried = []
        for minute in range(130):
            if outbox.step(REFUSED):
                tried.append(minute)
            outbox.wait(minutes=1)
        assert tried == [0, 1, 3, 7, 15, 31, 61, 91, 121]


class TestTheHourIsLimited:
    """At most so many an hour, the last of them for what is critical; what is more is one digest."""

    def test_a_flood(self, outbox: Outbox) -> None:
        sent = []
        for number in range(90):  # one a minute
            outbox.put(f"m{number}")
            sent.append(outbox.step())
            outbox.wait(minutes=1)
        assert sent[:9] == [[f"m{number}"] for number in range(9)]
        assert sent[9:60] == [[]] * 51
        assert [title.partition(" (")[0] for title in sent[60]] == ["52 messages"]
        for hour in range(30):
            assert sum(map(len, sent[hour : hour + 60])) <= 10
        told = [title for titles in sent for title in titles]
        digested = [title for title, state in outbox.states() if state == "digested"]
        waiting = [title for title, state in outbox.states() if state == "waiting"]
        singles = [title for title in told if title.startswith("m")]
        assert sorted(singles + digested + waiting) == sorted(f"m{number}" for number in range(90))

    def test_what_is_critical_is_not_held_back(self, outbox: Outbox) -> None:
        for number in range(12):
            outbox.put(f"m{number}")
            outbox.step()
        outbox.put("fire", "critical")
        assert [title.partition(" (")[0] for title in outbox.step()] == ["4 messages, 1 critical"]


class TestADeadChannelComesBack:
    """What has piled up goes out as one; what is too old is given up; and the channel is an alert meanwhile."""

    def test_one_digest_of_three_hundred(self, outbox: Outbox) -> None:
        for number in range(300):
            outbox.put(f"m{number}")
            outbox.step(REFUSED)
            outbox.wait(minutes=1)
        assert outbox.alerts() == ["delivery_failed:mail"]
        outbox.wait(minutes=30)
        assert [title.partition(" (")[0] for title in outbox.step()] == ["300 messages"]
        assert outbox.step() == [] and outbox.alerts() == []
        assert all(state in ("sent", "digested") for _, state in outbox.states())

    def test_given_up(self, outbox: Outbox) -> None:
        outbox.put("a")
        for _ in range(60):
            outbox.step(REFUSED)
            outbox.wait(minutes=15)
        assert outbox.states() == [("a", "too_old")]
        assert outbox.alerts() == ["delivery_failed:mail"]
        with writing(outbox.engine) as connection:
            test = Message(kind="test", severity="info", title="t", body="t")
            record_test(connection, "mail", test, at=outbox.now)
        assert outbox.alerts() == []

    def test_one_that_a_person_waits_for(self, outbox: Outbox) -> None:
        """It goes out as any message does; taken back when it has failed, it is tried no more and is no alert."""
        test = Message(kind="test", severity="info", title="t", body="t")
        for answer, left in ((SENT, [("t", "sent")]), (REFUSED, [("t", "sent")])):
            with writing(outbox.engine) as connection:
                number = ask_test(connection, "mail", test, at=outbox.now)
            assert outbox.step(answer) == ["t"]
            with writing(outbox.engine) as connection:
                found = load_delivery(connection, number)
                assert found is not None and found.problem == answer.problem
                withdraw(connection, number)
            assert outbox.states() == left and outbox.alerts() == []

    def test_a_hiccup_is_no_alert(self, outbox: Outbox) -> None:
        outbox.put("a")
        outbox.step(REFUSED)
        assert outbox.alerts() == []

    def test_a_channel_that_was_taken_away(self, outbox: Outbox) -> None:
        outbox.put("a")
        outbox.step(REFUSED)
        outbox.policy = AlertPolicy(channels={})
        outbox.step()
        assert outbox.states() == [("a", "too_old")] and outbox.alerts() == []

    def test_a_digest_in_doubt_is_sent_again(self, outbox: Outbox) -> None:
        for number in range(7):
            outbox.put(f"m{number}")
        assert len(outbox.step(Outcome(sent=False, begun=True, problem=UNCERTAIN))) == 1
        outbox.wait(minutes=1)
        with writing(outbox.engine) as connection:
            assert {d.problem for d in load_deliveries(connection, DeliveryState.WAITING)} == {UNCERTAIN}
        assert [title.partition(" (")[0] for title in outbox.step()] == ["7 messages"]


class TestOldOnesAreForgotten:
    """Messages that have come to their end are forgotten like cycles; what waits is not."""

    def test_digests_with_their_messages(self, outbox: Outbox) -> None:
        for number in range(7):
            outbox.put(f"m{number}")
        outbox.step()
        outbox.wait(days=61)
        outbox.put("new")
        with writing(outbox.engine) as connection:
            forget_deliveries(connection, before=outbox.now - timedelta(days=60))
        assert outbox.states() == [("new", "waiting")]
