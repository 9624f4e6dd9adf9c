"""The daemon as a process: one at a time, an end within seconds, and what runs by itself is found again."""

from __future__ import annotations

import signal
from collections.abc import Callable

from desgw_daemon.report.events import Event

from .house import House, night_of, planned
from .results import put_results


class TestOneAtATime:
    """A second daemon, and a tick beside the daemon, are refused in one clear line."""

    def test_is_refused(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(938524)))
        house.start()
        house.until(lambda: house.log("daemon_started"), "the daemon works")
        assert house.daemon is not None
        for command in ("run", "tick", "db"):
            words = ("db", "upgrade") if command == "db" else (command,)
            line = house.refused(*words, code=1)
            assert f"process {house.daemon.pid}" in line and "only one may" in line
        # A daemon that was killed keeps nobody out.
        house.stop(signal.SIGKILL)
        house.tick()


class TestTheEnd:
    """SIGTERM ends the daemon within seconds; its children go on and are found again."""

    def test_by_sigterm(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(938524), planned(938525), job=1200))
        house.ok("queue", "add", "938524", "938525", "--season", "2206")
        house.start()
        house.until(lambda: len(house.runs("SEdiff.sh")) > 4, "jobs run")
        assert house.stop() < 15
        seen = len(house.runs("SEdiff.sh"))
        house.until(lambda: len(house.runs("RUNMON.sh")) == 2, "the DAGs come to their ends without a daemon")
        assert len(house.runs("SEdiff.sh")) == 2 * 59 > seen
        house.start()
        house.wait_for("done", 938524, 938525)
        for expnum in (938524, 938525):
            assert house.history(expnum, "submission")[-1] == "done"
        assert house.made(938524) == 1

    def test_in_the_middle_of_post_processing(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(938524), step=700))
        put_results(house.sandbox, 938524)
        house.ok("queue", "adopt", "--season", "2206", "--yes")
        house.start()
        house.until(lambda: house.runs("run_postproc.py"), "post-processing runs")
        house.stop(signal.SIGINT)
        house.start()
        house.wait_for("done", 938524)
        (run,) = house.runs("run_postproc.py")
        assert run.rc == 0


class TestHistory:
    """Every change of state stands in the history, each following the one before; the log tells each once."""

    def test_of_a_whole_night(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(938524)))
        house.ok("queue", "add", "938524", "--season", "2206")
        house.start()
        house.wait_for("done", 938524)
        house.stop()
        assert house.history(938524) == [
            *("queued", "making", "submitting", "processing", "ready", "postprocessing", "done")
        ]
        assert house.history(938524, "dagmaker_run")[-2:] == ["running", "made"]
        submission = house.history(938524, "submission")
        assert submission[:3] == ["intent", "submitting", "queued"] and submission[-1] == "done"
        rows = house.rows("SELECT * FROM v_history ORDER BY id")
        run = [row["after"] for row in rows if row["kind"] == "postproc_run"]
        assert run[:2] == ["intent", "running"] and run[-1] == "done"
        ccds = [row for row in rows if row["kind"] == "ccd"]
        assert sorted(row["ccd"] for row in ccds) == [ccd for ccd in range(1, 63) if ccd not in (2, 31, 61)]
        assert {(row["before"], row["after"]) for row in ccds} == {("pending", "complete")}
        assert all(row["why"] and row["who"] and row["season"] == 2206 for row in rows)
        before: dict[tuple[str, str], str | None] = {}
        for row in rows:
            if row["kind"] in ("exposure", "submission", "dagmaker_run"):
                thing = (row["kind"], row["subject"])
                assert row["before"] == before.get(thing, row["before"])
                before[thing] = row["after"]
        # The log: what people follow, with the exposure bound.
        told = house.log(Event.EXPOSURE_MOVED)
        assert [record["text"].split(":")[0] for record in told][:2] == ["new -> queued", "queued -> making"]
        assert len(told) == 7
        for event in (
            *(Event.EXPOSURE_MOVED, Event.DAGMAKER_STARTED, Event.DAGMAKER_ENDED),
            *(Event.DAG_SUBMITTED, Event.DAG_ENDED),
        ):
            records = house.log(event)
            assert records, event
            for record in records:
                bound = (record["expnum"], record["nite"], record["season"])
                assert bound == (938524, "20200304", 2206), record
        assert {record["season"] for record in house.log(Event.POSTPROC_STARTED)} == {2206}
        names = set(Event)
        text = (house.state / "desgw-daemon.log").read_text()
        assert all(any(f'"event": "{name}"' in line for name in names) for line in text.splitlines())
        assert house.log(Event.LIBRARY_WARNING) == []
        assert house.log(Event.CYCLE_FAILED) == []


class TestAlerts:
    """An alert is raised and told once, however often the daemon starts again, and its end is told once."""

    def test_across_restarts(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(938524, making="crash")))
        house.ok("queue", "add", "938524", "--season", "2206")
        house.start()
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
            house.until(lambda: house.log(Event.ALERT_RAISED), "the alert is told")
            house.cycles(3)
            house.stop(number)
            house.start()
        house.ok("queue", "remove", "938524")
        house.until(lambda: house.log(Event.ALERT_CLEARED), "its end is told")
        house.stop()
        (alert,) = house.alerts("exposure_attention")
        assert alert["cleared_at"] is not None
        (raised,) = house.log(Event.ALERT_RAISED)
        (cleared,) = house.log(Event.ALERT_CLEARED)
        for record in (raised, cleared):
            assert (record["expnum"], record["season"]) == (938524, 2206)
