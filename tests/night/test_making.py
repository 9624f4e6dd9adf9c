"""DAGMaker: what it leaves is judged by all of its signs; one that outlives the daemon is found again."""

from __future__ import annotations

import signal
from collections.abc import Callable
from functools import partial

from .house import House, night_of, planned

#: What the reason says of each bad end.
REASONS = {
    "hang": ("was ended after its time-out",),
    "no-templates": ("there is no template exposure", "NO TEMPLATE IMAGES"),
    "few-lines": ("47 of 59 search CCDs have a line; missing: 50, 51",),
    "copy-error": ("could not be copied", "Error copying"),
    "crash": ("exit code 3", "awk: cannot open"),
    "killed": ("signal 9",),
    "no-pgpass": ("exit code 2", "missing file ~/.pgpass"),
    "no-nite": ("no value for -n", "too short or blacklisted", "image failed quality test"),
}
GOOD, UNKNOWN = 938530, 938531


class TestBadEnds:
    """Whatever DAGMaker does wrong, its exposure needs a person, who is told the cause and what it said last; it is
    not submitted, and keeps no other back."""

    def test_each(self, make_house: Callable[..., House]) -> None:
        kinds = dict(enumerate(REASONS, start=938540))
        bad = [planned(expnum, making=kind) for expnum, kind in kinds.items()]
        scenario = night_of(*bad, planned(GOOD), planned(UNKNOWN, known=False))
        settings = {"dagmaker.timeout": '"8 s"', "dagmaker.max_at_once": "2", "alerts.repeat_after": '"2 s"'}
        # One that waits for its line in exposures.list is waited for, for a while.
        settings["postproc.quiet_for"] = '"3 s"'
        house = make_house(scenario, settings)
        house.ok("queue", "add", *map(str, kinds), str(GOOD), "--season", "2206")
        # With all that the queue wants to know, but not in the file that DAGMaker reads: it is not even tried.
        (house.root / "more.list").write_text(f"{UNKNOWN} i 20200304\n")
        house.ok("queue", "add", "more.list", "--season", "2206")
        house.start()
        house.wait_for("attention", *kinds)
        house.wait_for("done", GOOD)

        def alerts() -> int:
            return sum(len(house.alerts(rule)) for rule in ("exposure_attention", "no_templates"))

        house.until(lambda: alerts() == len(kinds), "each has its alert")
        house.stop()
        assert "exposures.list has no line for it" in str(house.exposure(UNKNOWN)["reason"])
        assert house.exposure(UNKNOWN)["state"] == "queued" and house.made(UNKNOWN) == 0
        for expnum, kind in kinds.items():
            reason = str(house.exposure(expnum)["reason"])
            assert all(word in reason for word in REASONS[kind]), reason
            assert f"desgw-daemon queue retry {expnum}" in reason
            assert house.history(expnum) == ["queued", "making", "attention"]
            assert house.history(expnum, "submission") == []
            assert house.made(expnum) == 1
        assert [path.name for path in (house.state / "local").glob("dp*")] == [f"dp2206_20200304_{GOOD}_a1"]
        # They were never more than two, though ten waited.
        runs = house.runs("DAGMaker.sh")
        assert max(sum(other.start <= run.start <= other.last for other in runs) for run in runs) == 2
        assert alerts() == len(kinds) and len(house.alerts("no_templates")) == 1

    def test_output_is_kept_in_the_workflow_folder(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(938524, making="crash")))
        house.ok("queue", "add", "938524", "--season", "2206")
        house.start()
        house.wait_for("attention", 938524)
        assert "exposure 938524 band i" in (house.sandbox.workflow / "dagmaker_938524.out").read_text()


class TestFoundAgain:
    """A DAGMaker goes on when the daemon is killed, and the next daemon takes up what it left."""

    def test_after_a_kill(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(938524), dagmaker=4000))
        house.ok("queue", "add", "938524", "--season", "2206")
        house.start()
        house.until(lambda: house.made(938524), "DAGMaker has begun")
        house.stop(signal.SIGKILL)
        (run,) = house.runs("DAGMaker.sh")
        assert run.end is None
        house.start()
        house.wait_for("done", 938524)
        (run,) = house.runs("DAGMaker.sh")
        assert run.rc == 0
        assert house.history(938524, "dagmaker_run") == ["running", "made"]

    def test_one_that_nobody_saw_end(self, make_house: Callable[..., House]) -> None:
        """It is run again, twice at most."""
        house = make_house(night_of(planned(938524, making="hang")))
        house.ok("queue", "add", "938524", "--season", "2206")
        house.start()

        def made(number: int) -> bool:
            return house.made(938524) == number

        for number in (1, 2, 3):
            house.until(partial(made, number), f"DAGMaker number {number}")
            house.kill_child(house.state / "attempts" / "dp2206_20200304_938524_a1" / f"dagmaker-{number}")
        house.wait_for("attention", 938524)
        assert "nobody saw its end" in str(house.exposure(938524)["reason"])
        assert house.history(938524, "dagmaker_run") == ["running", "lost"] * 3
        assert house.made(938524) == 3
        # A person's retry begins to count anew.
        house.ok("queue", "retry", "938524")
        house.until(lambda: house.made(938524) == 4, "DAGMaker of the second attempt")
        house.kill_child(house.state / "attempts" / "dp2206_20200304_938524_a2" / "dagmaker-1")
        house.until(lambda: house.made(938524) == 5, "DAGMaker runs again")


class TestLeftovers:
    """A DAG and a DONE of an earlier making are moved aside, and are never taken for this one's."""

    def test_are_not_believed(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(938524, making="crash")))
        done = house.sandbox.workflow / "mytemp_938524" / "DAGMaker.DONE"
        done.parent.mkdir()
        done.write_text("jobsub_submit_dag of an earlier making\n")
        dag = house.sandbox.workflow / "desgw_pipeline_938524.dag"
        dag.write_text("an earlier DAG\n")
        house.ok("queue", "add", "938524", "--season", "2206")
        house.start()
        house.wait_for("attention", 938524)
        kept = house.state / "attempts" / "dp2206_20200304_938524_a1" / "dagmaker-1"
        assert (kept / f"before-{dag.name}").read_text() == "an earlier DAG\n"
        assert (kept / "before-DAGMaker.DONE").read_text() == "jobsub_submit_dag of an earlier making\n"
        assert house.history(938524, "submission") == []
