"""When the age of a number must be said with it: a class for each part of the rule."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from desgw_daemon.domain.times import utc
from desgw_daemon.report.ages import Watch, exposure_age, may_change, oldest, run_age
from desgw_daemon.report.statustypes import Age, Cycle, Silence

NOW = datetime(2026, 11, 22, 2, 14, tzinfo=UTC)


def ago(**span: float) -> str:
    return utc(NOW - timedelta(**span))


def watch(*, looked: str, silent: str | None = None, since: str = "", overdue: bool = False) -> Watch:
    """Polls of a minute; `looked`: when the newest look began. silent: a tree, since when."""
    cycle = Cycle(
        started_at=looked, ended_at=looked, age_seconds=0, overdue=overdue, listings=0, stats=0, reads=0, error=None
    )
    silences = [] if silent is None else [Silence(what=silent, since=since, problem="EIO", means="")]
    run_seen_at = ago(minutes=9) if silent == "postprocessing" else looked
    return Watch(NOW, timedelta(minutes=1), cycle, silences, looked, run_seen_at)


WORKS = watch(looked=ago(seconds=20))
SILENT = watch(looked=ago(seconds=20), silent="pnfs", since=ago(minutes=6))
STOPPED = watch(looked=ago(minutes=30), overdue=True)
LATE = watch(looked=ago(seconds=130))


def because(age: Age) -> tuple[str | None, str | None]:
    assert age["stale"] is (age["stale_because"] is not None)
    return age["stale_because"], age["stale_since"]


def of(state: str, as_of: str | None, seen: Watch, *, unseen: str | None = None, changing: bool = False) -> Age:
    return exposure_age(state, as_of, unseen, seen, changing=changing)


class TestTwoPolls:
    """A number that was seen within two polls is fresh, whatever is silent now."""

    @pytest.mark.parametrize("seen", [WORKS, SILENT, LATE])
    def test_fresh(self, seen: Watch) -> None:
        age = of("processing", ago(minutes=2), seen, unseen=ago(minutes=1), changing=True)
        assert age == Age(as_of=ago(minutes=2), stale=False, stale_because=None, stale_since=None)

    def test_short_intervals(self) -> None:
        """A cycle takes its time: nothing is old within 5 s."""
        quick = LATE._replace(interval=timedelta(milliseconds=200))
        assert because(of("processing", ago(seconds=5), quick, unseen=ago(seconds=4))) == (None, None)
        assert because(of("processing", ago(seconds=6), quick, unseen=ago(seconds=4))) == ("exposure", ago(seconds=4))


class TestSettled:
    """What has settled is not called old while it could be looked at: it is looked at seldom, on purpose."""

    @pytest.mark.parametrize("state", ["ready", "processing", "attention"])
    def test_tree_answers(self, state: str) -> None:
        assert because(of(state, ago(minutes=50), WORKS)) == (None, None)

    def test_tree_is_silent(self) -> None:
        assert because(of("ready", ago(minutes=50), SILENT)) == ("pnfs", ago(minutes=6))

    def test_daemon_stopped(self) -> None:
        assert because(of("ready", ago(minutes=50), STOPPED)) == ("daemon", ago(minutes=30))

    @pytest.mark.parametrize("state", ["postprocessing", "done", "removed"])
    @pytest.mark.parametrize("seen", [SILENT, STOPPED])
    def test_over(self, state: str, seen: Watch) -> None:
        """The numbers with which it went into post-processing stay what they are."""
        assert because(of(state, ago(hours=9), seen)) == (None, None)


class TestMayChange:
    """What may still change by itself is old after two polls, whyever it was not looked at."""

    def test_looked_at_seldom(self) -> None:
        assert because(of("attention", ago(minutes=50), WORKS, changing=True)) == ("schedule", ago(minutes=50))

    def test_cycle_is_late(self) -> None:
        """Not overdue yet, but what the newest look saw was looked at because it may change."""
        assert because(of("processing", ago(seconds=130), LATE)) == ("daemon", ago(seconds=130))
        assert because(of("ready", ago(minutes=50), LATE)) == (None, None)

    def test_what_may(self) -> None:
        def may(pending: int, found: int, ready: str = "no", dag: str | None = "running") -> bool:
            return may_change(pending=pending, found=found, expected=10, ready=ready, dag=dag)

        assert may(1, 10) and may(0, 9) and may(0, 9, "partial") and may(59, 10, dag=None)
        assert not may(0, 10) and not may(0, 9, "full")
        # None of its jobs has begun.
        assert not may(59, 10, dag="queued")


class TestUnseen:
    """What was looked for in vain is old, whatever its state; the tree is named when it is silent as a whole."""

    @pytest.mark.parametrize("state", ["processing", "ready", "attention", "done"])
    def test_folder(self, state: str) -> None:
        age = of(state, ago(minutes=9), WORKS, unseen=ago(minutes=8))
        assert because(age) == ("exposure", ago(minutes=8))

    def test_tree(self) -> None:
        assert because(of("processing", ago(minutes=9), SILENT, unseen=ago(minutes=8))) == ("pnfs", ago(minutes=6))

    def test_daemon_stopped(self) -> None:
        """What was silent may have answered since."""
        gone = SILENT._replace(last_cycle=STOPPED.last_cycle, looked_at=ago(minutes=4))
        for unseen in (None, ago(minutes=8)):
            assert because(of("ready", ago(minutes=9), gone, unseen=unseen)) == ("daemon", ago(minutes=4))

    def test_never(self) -> None:
        """Numbers that nobody has ever seen are 0, and are said to be so; before the first look there are none."""
        assert because(of("processing", None, WORKS, unseen=ago(seconds=20))) == ("exposure", ago(seconds=20))
        assert because(of("queued", None, SILENT)) == (None, None)


class TestRuns:
    """The step of a run is as old as the last cycle in which Post-Processing answered."""

    def test_fresh(self) -> None:
        assert run_age("running", ago(minutes=50), None, WORKS) == Age(
            as_of=ago(seconds=20), stale=False, stale_because=None, stale_since=None
        )

    def test_silent(self) -> None:
        silent = watch(looked=ago(seconds=20), silent="postprocessing", since=ago(minutes=8))
        age = run_age("running", ago(minutes=50), None, silent)
        assert (age["as_of"], because(age)) == (ago(minutes=9), ("postprocessing", ago(minutes=8)))
        # Its tree has nothing to do with /pnfs.
        assert because(run_age("running", ago(minutes=50), None, SILENT)) == (None, None)

    def test_begun_since(self) -> None:
        silent = watch(looked=ago(seconds=20), silent="postprocessing", since=ago(minutes=8))
        age = run_age("running", ago(minutes=4), None, silent)
        assert (age["as_of"], age["stale"]) == (None, True)
        assert run_age("running", ago(seconds=10), None, silent)["stale"] is False

    def test_daemon_stopped(self) -> None:
        age = run_age("running", ago(hours=2), None, STOPPED)
        assert (age["as_of"], because(age)) == (ago(minutes=30), ("daemon", ago(minutes=30)))

    def test_ended(self) -> None:
        age = run_age("done", ago(hours=5), ago(hours=2), STOPPED)
        assert (age["as_of"], age["stale"]) == (ago(hours=2), False)


class TestSeveral:
    """What is said of several rests on the oldest number of them."""

    def test_oldest(self) -> None:
        fresh = of("ready", ago(minutes=50), WORKS)
        old, older = (of("ready", ago(minutes=n), SILENT) for n in (10, 20))
        never = of("processing", None, SILENT, unseen=ago(minutes=5))
        assert oldest([fresh, old, older]) == older
        assert oldest([old, never, older]) == never
        assert oldest([fresh]) is None
