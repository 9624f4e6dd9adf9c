"""Alerts from cycle to cycle in a real database: they wait, are raised, muted, repeated, cleared; each told once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, update

from desgw_daemon.daemon.alerting import set_alerts
from desgw_daemon.decide.raising import CALM_CYCLES, HEAL_CYCLES
from desgw_daemon.domain.alertrules import AlertRule, Severity
from desgw_daemon.domain.policy import AlertPolicy, Policy
from desgw_daemon.store.database import writing
from desgw_daemon.store.tables import AlertRow, SilenceRow, table
from tests.forms import often

from .alertbook import AlertBook, kinds, wanted

MINUTE = timedelta(minutes=1)


def rule(name: str, *, after: int = 0, muted_by: tuple[str, ...] = (), severity: Severity = "warning") -> AlertRule:
    """A rule of a small catalogue; after in minutes."""
    return AlertRule(
        name=name,
        severity=severity,
        fires="it holds",
        clears="it does not",
        todo="nothing",
        after=after * MINUTE,
        muted_by=muted_by,
    )


CATALOGUE = {
    one.name: one
    for one in (
        rule("mount", after=1, severity="critical"),
        rule("stalled", muted_by=("mount",)),
        rule("idle", after=3, muted_by=("mount", "stalled")),
        rule("plain"),
        rule("done", severity="info"),
    )
}
POLICY = Policy(poll_interval=MINUTE, alerts=AlertPolicy(rules=CATALOGUE))


@pytest.fixture
def book(tmp_path: Path) -> AlertBook:
    return AlertBook(tmp_path / "desgw.db", POLICY)


def silence(book: AlertBook, what: str, *, minutes: int) -> None:
    with writing(book.engine) as connection:
        connection.execute(
            insert(table(SilenceRow)).values(
                what=what, at=book.now, until=book.now + minutes * MINUTE, who="observer", reason="known"
            )
        )


class TestDelay:
    """A condition is an alert when it has held for as long as its rule says; one that goes before is nobody's."""

    def test_raised_after(self, book: AlertBook) -> None:
        assert book.cycle(wanted("mount")) == [] and book.up == [] and book.waiting == {"mount": None}
        assert kinds(book.cycle(wanted("mount"))) == [("raised", "mount")]
        assert book.up == ["mount"] and book.waiting == {}

    def test_gone_before(self, book: AlertBook) -> None:
        book.cycle(wanted("mount"))
        assert book.cycles(10) == [] and book.waiting == {} and book.rows("SELECT * FROM alert") == []

    def test_a_gap_begins_it_anew(self, book: AlertBook) -> None:
        for _ in range(5):
            assert book.cycles(3, wanted("idle")) == []
            assert book.cycle() == []

    def test_kept_over_a_restart(self, book: AlertBook) -> None:
        book.cycles(3, wanted("idle"))
        book.restart()
        assert kinds(book.cycle(wanted("idle"))) == [("raised", "idle")]

    def test_a_cause_that_is_older(self, book: AlertBook) -> None:
        assert kinds(book.cycle(wanted("idle", since=book.now - timedelta(hours=1)))) == [("raised", "idle")]
        (row,) = book.rows("SELECT since, raised_at FROM v_alert")
        assert row == {"since": "2026-11-21T23:00:00Z", "raised_at": "2026-11-22T00:01:00Z"}

    def test_cycles_that_do_not_begin_on_the_dot(self, book: AlertBook) -> None:
        book.cycle(wanted("mount"))
        assert book.cycle(wanted("mount"), after=timedelta(seconds=59)) != []

    def test_at_once(self, book: AlertBook) -> None:
        assert kinds(book.cycle(wanted("plain"))) == [("raised", "plain")]


class TestMuting:
    """While a cause is up or waits, its consequences wait, or are not repeated; both are over with one message."""

    def test_a_pending_cause_mutes(self, book: AlertBook) -> None:
        assert book.cycle(wanted("mount"), wanted("stalled")) == []
        assert book.waiting == {"mount": None, "stalled": "mount"}
        assert kinds(book.cycle(wanted("mount"), wanted("stalled"))) == [("raised", "mount")]
        assert book.waiting == {"stalled": "mount"}

    def test_it_heals_with_its_cause(self, book: AlertBook) -> None:
        book.cycles(9, wanted("mount"), wanted("stalled"))
        assert book.cycle(wanted("stalled")) == []
        assert kinds(book.cycles(2 * CALM_CYCLES)) == [("cleared", "mount")]

    def test_it_does_not_heal(self, book: AlertBook) -> None:
        book.cycles(9, wanted("mount"), wanted("stalled"))
        assert kinds(book.cycles(HEAL_CYCLES, wanted("stalled"))) == []
        assert kinds(book.cycle(wanted("stalled"))) == [("raised", "stalled")]

    def test_its_delay_begins_anew(self, book: AlertBook) -> None:
        old = wanted("idle", since=book.now - timedelta(hours=5))
        book.cycles(9, wanted("mount"), old)
        assert kinds(book.cycles(3, old)) == []
        assert kinds(book.cycle(old)) == [("raised", "idle")]

    def test_raised_before_its_cause(self, book: AlertBook) -> None:
        book.cycle(wanted("stalled"))
        both = (wanted("stalled"), wanted("mount"))
        said = [telling for _ in range(20) for telling in book.cycle(*both, after=timedelta(hours=1))]
        assert kinds(said)[:2] == [("raised", "mount"), ("still", "mount")]
        assert ("still", "stalled") not in kinds(book.said)

    def test_over_together(self, book: AlertBook) -> None:
        book.cycle(wanted("stalled"))
        book.cycles(5, wanted("stalled"), wanted("mount"))
        (end,) = book.cycles(2 * CALM_CYCLES)
        assert (end.kind, end.key, end.over) == ("cleared", "mount", ("stalled",))

    def test_over_before_its_cause(self, book: AlertBook) -> None:
        book.cycle(wanted("stalled"))
        book.cycles(5, wanted("stalled"), wanted("mount"))
        assert book.cycles(3 * CALM_CYCLES, wanted("mount")) == []
        (end,) = book.cycles(2 * CALM_CYCLES)
        assert (end.key, end.over) == ("mount", ("stalled",))

    def test_over_after_its_cause(self, book: AlertBook) -> None:
        book.cycle(wanted("stalled"))
        book.cycles(5, wanted("stalled"), wanted("mount"))
        assert kinds(book.cycles(2 * CALM_CYCLES, wanted("stalled"))) == [("cleared", "mount")]
        assert kinds(book.cycles(2 * CALM_CYCLES)) == [("cleared", "stalled")]

    def test_a_chain(self, book: AlertBook) -> None:
        everything = [wanted(name) for name in ("idle", "stalled", "mount")]
        assert kinds(book.cycles(20, *everything)) == [("raised", "mount")]
        assert book.waiting == {"stalled": "mount", "idle": "mount"}

    def test_one_on_trial_mutes_nothing(self, tmp_path: Path) -> None:
        policy = replace(POLICY, alerts=replace(POLICY.alerts, on_trial=frozenset({"mount"})))
        book = AlertBook(tmp_path / "desgw.db", policy)
        assert kinds(book.cycle(wanted("mount"), wanted("stalled"))) == [("raised", "stalled")]


class TestOneForACause:
    """One alert for a key, however often it is wanted; its words are those of now."""

    def test_text(self, book: AlertBook) -> None:
        book.cycle(wanted("plain", text="20 CCDs", expnum=1))
        assert book.cycle(wanted("plain", text="37 CCDs"), wanted("plain", text="again")) == []
        (row,) = book.rows("SELECT key, text, told_text, expnum FROM v_alert")
        assert row == {"key": "plain", "text": "37 CCDs", "told_text": "20 CCDs", "expnum": None}

    def test_keys(self, book: AlertBook) -> None:
        book.cycle(wanted("plain", "plain:1"), wanted("plain", "plain:2"))
        assert book.up == ["plain:1", "plain:2"]


class TestRepeats:
    """One that stays up is told again at growing intervals, with what has changed since."""

    def test_growing(self, book: AlertBook) -> None:
        for _ in range(4 * 24 * 2 + 1):
            book.cycle(wanted("plain"), after=30 * MINUTE)
        # 4 h, 8 h, 16 h, then each day.
        hours = [0, 4, 12, 28, 52, 76]
        assert [t.kind for t in book.said] == ["raised"] + ["still"] * (len(hours) - 1)

    def test_what_changed(self, book: AlertBook) -> None:
        book.cycle(wanted("plain", text="20 CCDs of nite 20261121 failed"))
        (again,) = book.cycle(wanted("plain", text="37 CCDs of nite 20261121 failed"), after=timedelta(hours=4))
        assert again.changed == "was: 20 CCDs; now: 37 CCDs"
        (again,) = book.cycle(wanted("plain", text="37 CCDs of nite 20261121 failed"), after=timedelta(hours=8))
        assert again.changed is None

    def test_good_news_is_told_once(self, book: AlertBook) -> None:
        assert kinds([t for _ in range(48) for t in book.cycle(wanted("done"), after=timedelta(hours=1))]) == [
            ("raised", "done")
        ]
        assert book.cycles(2 * CALM_CYCLES) == [] and book.up == []


class TestEnds:
    """The end of one that was told is told when it has lasted; one that comes back before is the same alert."""

    def test_told_once(self, book: AlertBook) -> None:
        book.cycle(wanted("plain"))
        assert book.cycles(CALM_CYCLES) == [] and book.up == []
        assert kinds(book.cycles(20)) == [("cleared", "plain")]

    def test_flapping(self, book: AlertBook) -> None:
        for _ in range(30):
            book.cycles(2, wanted("plain"))
            book.cycles(CALM_CYCLES - 1)
        book.cycles(20)
        assert kinds(book.said) == [("raised", "plain"), ("cleared", "plain")]
        assert len(book.rows("SELECT * FROM alert")) == 1

    def test_another_episode(self, book: AlertBook) -> None:
        for _ in range(2):
            book.cycle(wanted("plain"))
            book.cycles(2 * CALM_CYCLES)
        assert kinds(book.said) == 2 * [("raised", "plain"), ("cleared", "plain")]

    def test_of_one_that_nobody_heard_of(self, book: AlertBook) -> None:
        silence(book, "plain", minutes=60)
        book.cycle(wanted("plain"))
        assert book.cycles(100) == []


class TestToldElsewhere:
    """What people heard while it could not be written down is the alert whose end they have not been told."""

    @pytest.mark.parametrize("calm", [False, True], ids=["end waits for its cause", "end was told"])
    def test_the_same_or_another(self, book: AlertBook, *, calm: bool) -> None:
        book.cycles(2, wanted("mount"))
        book.cycle(wanted("stalled"))
        book.cycles(3)
        # The cause comes back, and puts the end off for longer than an end must last.
        book.cycle(wanted("mount"))
        book.cycles(2 * CALM_CYCLES if calm else 2)
        again = wanted("stalled")
        with writing(book.engine) as connection:
            set_alerts(connection, [again], POLICY, at=book.now, told=again)
        assert len(book.rows("SELECT id FROM alert WHERE key = 'stalled'")) == (2 if calm else 1)
        assert book.up == ["stalled"] and book.cycle(again) == []


class TestAcknowledged:
    """One that somebody has seen to is not repeated while it stays up; its end is told."""

    def test_no_repeat(self, book: AlertBook) -> None:
        book.cycle(wanted("plain"))
        with writing(book.engine) as connection:
            connection.execute(update(table(AlertRow)).values(acked_at=book.now, acked_by="observer"))
        assert [book.cycle(wanted("plain"), after=timedelta(hours=6)) for _ in range(9)] == 9 * [[]]
        assert kinds(book.cycles(2 * CALM_CYCLES)) == [("cleared", "plain")]


class TestSilenced:
    """What is silenced is raised and shown, and not told before the silence ends; then once."""

    @pytest.mark.parametrize("what", ["plain", "plain:*", "plain:1", "1200201"])
    def test_until_it_ends(self, book: AlertBook, what: str) -> None:
        silence(book, what, minutes=10)
        condition = wanted("plain", "plain:1", expnum=1200201)
        assert book.cycles(9, condition) == [] and book.up == ["plain:1"]
        assert kinds(book.cycles(20, condition)) == [("raised", "plain:1")]

    @pytest.mark.parametrize("what", ["plai", "mount", "plain:2", "120020", "None"])
    def test_others_are_told(self, book: AlertBook, what: str) -> None:
        silence(book, what, minutes=10)
        assert book.cycle(wanted("plain", "plain:1", expnum=1200201)) and book.cycle(wanted("plain", "plain:3"))

    def test_one_that_was_told_before(self, book: AlertBook) -> None:
        """Those who have heard of it hear of its end."""
        book.cycle(wanted("plain"))
        silence(book, "plain", minutes=600)
        assert [book.cycle(wanted("plain"), after=timedelta(hours=1)) for _ in range(9)] == 9 * [[]]
        assert kinds(book.cycles(2 * CALM_CYCLES)) == [("cleared", "plain")]


class TestOnTrial:
    """A rule on trial is raised and marked; when its trial is over, what is up is told as new."""

    TRIAL = replace(POLICY, alerts=replace(POLICY.alerts, on_trial=frozenset({"plain"})))

    def test_marked(self, tmp_path: Path) -> None:
        book = AlertBook(tmp_path / "desgw.db", self.TRIAL)
        (telling,) = book.cycle(wanted("plain"))
        assert telling.trial and [row["active"] for row in book.rows("SELECT active FROM v_alert")] == [0]
        book.policy = POLICY
        (telling,) = book.cycle(wanted("plain"))
        assert telling.kind == "raised" and not telling.trial

    def test_begun_while_it_is_up(self, book: AlertBook) -> None:
        """Whoever has heard of it hears of its end."""
        book.cycle(wanted("plain"))
        book.policy = self.TRIAL
        book.cycle(wanted("plain"))
        (end,) = book.cycles(2 * CALM_CYCLES)
        assert end.kind == "cleared" and not end.trial


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A new database, and a folder for its copies."""
    path = tmp_path_factory.mktemp("night")
    AlertBook(path / "new.db", POLICY).engine.dispose()
    return path / "new.db", path


CONDITIONS = st.lists(st.sets(st.sampled_from(sorted(CATALOGUE))), min_size=1, max_size=12)


class TestAnyNight:
    """Whatever comes and goes, and wherever the process is killed: each episode is told once, and its end once."""

    @pytest.mark.soak
    @given(CONDITIONS, st.lists(st.integers(0, 6) | st.none(), max_size=30), st.sets(st.integers(0, 25)))
    @settings(max_examples=often(30))
    # The end of a consequence waits for that of its cause, which comes back once more; then the consequence does.
    @example([{"mount"}, {"mount"}, {"stalled"}, *[set[str]()] * 3, {"mount"}, set(), {"stalled"}], [], set())
    def test_told_once(
        self,
        place: tuple[Path, Path],
        night: list[set[str]],
        cuts: list[int | None],
        restarts: set[int],
    ) -> None:
        new, path = place
        smooth, rough = (AlertBook(path / f"{name}.db", POLICY, copy_of=new) for name in ("smooth", "rough"))
        everything = [*night, *[set[str]()] * (2 * CALM_CYCLES)]
        for number, names in enumerate(everything):
            now = [wanted(name) for name in sorted(names)]
            smooth.cycle(*now)
            if number in restarts:
                rough.restart()
            cut = cuts[number] if number < len(cuts) else None
            at = rough.now
            rough.cycle(*now, cut=cut)
            if rough.now != smooth.now or cut is not None:
                # The process that is started again does the cycle anew, if it was cut.
                rough.now = at
                rough.cycle(*now)
        assert kinds(rough.said) == kinds(smooth.said)
        self.check(smooth)
        for book in (smooth, rough):
            book.engine.dispose()

    def check(self, book: AlertBook) -> None:
        open_: set[str] = set()
        for telling in book.said:
            match telling.kind:
                case "raised" if telling.severity == "info":
                    # Each episode of it is told, and the end of none.
                    continue
                case "raised":
                    assert telling.key not in open_
                    open_.add(telling.key)
                case "cleared":
                    assert {telling.key, *telling.over} <= open_
                    open_ -= {telling.key, *telling.over}
        assert open_ == set(), "never told to be over"
        assert book.up == [] and book.waiting == {}
