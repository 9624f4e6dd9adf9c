"""Runs of post-processing that fail, are asked for or come again: where they start, and what is said of them."""

from __future__ import annotations

import getpass
import json
import shutil
import signal
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from desgw_daemon.sandbox.scenario import Postproc
from tests.sandbox import byhand

from .house import House, night_of, planned
from .results import finish_ccd, put_results


def adopted(
    make_house: Callable[..., House], *, postproc: Postproc | None = None, settings: Mapping[str, str] | None = None
) -> House:
    """A house with one exposure that is ready, and a daemon that has begun to run."""
    house = make_house(night_of(planned(938524), planned(938525, "z"), postproc=postproc, step=20), settings)
    put_results(house.sandbox, 938524)
    house.ok("queue", "adopt", "--season", "2206", "--yes")
    house.start()
    return house


def newest(house: House) -> dict[str, Any]:
    """The season's newest run, {} before there is one."""
    return next(iter(house.rows("SELECT * FROM v_postproc ORDER BY number DESC")), {})


def skipto(house: House) -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(house.ok("skipto", "--season", "2206", "--json"))
    return shown


def ended(house: House, number: int, state: str) -> None:
    house.until(
        lambda: (newest(house).get("number"), newest(house).get("state")) == (number, state), f"run {number} is {state}"
    )


class TestAFailedRun:
    """A run that dies brings its exposures to attention with one alert; asked for again, it starts where its evidence
    says, never above 5."""

    def test_starts_where_its_evidence_says(self, make_house: Callable[..., House]) -> None:
        house = adopted(make_house, postproc=Postproc(dies=(3, "middle")))
        ended(house, 1, "failed")
        house.wait_for("attention", 938524)
        (alert,) = house.until(lambda: house.alerts("postproc_failed"), "an alert")
        reason = str(house.exposure(938524)["reason"])
        for words in (alert["text"], reason):
            assert "exit code 1 at step 3" in words
            assert "step 3 died (middle)" in words
        assert skipto(house)["skipto"] == 3
        # It does not start again by itself.
        assert house.history(938524).count("postprocessing") == 1

        house.order_postproc(dies=[6, "before"])
        house.ok("postproc", "run", "--season", "2206")
        ended(house, 2, "failed")
        house.until(lambda: len(house.alerts("postproc_failed")) == 2, "an alert of the second run")
        first, _ = house.alerts("postproc_failed")
        assert first["cleared_at"] is not None
        assert skipto(house)["skipto"] == 5, "a start at 6 dies at step 7, whatever is on disk"

        house.order_postproc(dies=None)
        house.ok("postproc", "run", "--season", "2206")
        ended(house, 3, "done")
        house.wait_for("done", 938524)
        house.until(lambda: all(alert["cleared_at"] for alert in house.alerts("postproc_failed")), "no alert is up")
        starts = [run.option("--SKIPTO") for run in house.runs("run_postproc.py")]
        assert starts == [None, "3", "5"]
        assert (house.sandbox.postprocessing / "postproc_run.out").readlink().name == "postproc_run_2206_3.out"

    def test_from_scratch_when_the_table_cannot_be_read(self, make_house: Callable[..., House]) -> None:
        house = adopted(make_house, postproc=Postproc(dies=(5, "middle"), prelim_readable=False))
        ended(house, 1, "failed")
        assert skipto(house)["skipto"] == 5
        house.order_postproc(dies=None)
        house.ok("postproc", "run", "--season", "2206")
        ended(house, 2, "done")
        assert [run.option("--SKIPTO") for run in house.runs("run_postproc.py")] == [None, None]
        assert newest(house)["skipto"] == 0
        assert "the trial read of the FITS table failed" in newest(house)["skipto_reason"]

    def test_from_scratch_when_an_exposure_was_added(self, make_house: Callable[..., House]) -> None:
        house = adopted(make_house, postproc=Postproc(dies=(5, "middle")))
        ended(house, 1, "failed")
        house.wait_for("attention", 938524)
        house.order_postproc(dies=None)
        # The second one would start a run of its own without the first.
        house.ok("pause")
        put_results(house.sandbox, 938525, "z")
        house.ok("queue", "adopt", "--season", "2206", "--yes")
        house.wait_for("ready", 938525)
        shown = skipto(house)
        assert (shown["skipto"], shown["expnums"]) == (0, [938524, 938525])
        house.ok("postproc", "run", "--season", "2206")
        house.ok("resume")
        ended(house, 2, "done")
        _, second = house.runs("run_postproc.py")
        assert second.option("--SKIPTO") is None
        (seen,) = [event for event in second.events if event["event"] == "ini"]
        assert seen["list"] == [938524, 938525]

    def test_that_nobody_saw_end(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(938524), step=60_000))
        put_results(house.sandbox, 938524)
        house.ok("queue", "adopt", "--season", "2206", "--yes")
        house.start()
        house.until(lambda: newest(house).get("state") == "running", "it runs")
        house.kill_child(house.state / "runs" / "S2206_1")
        ended(house, 1, "lost")
        house.wait_for("attention", 938524)
        assert "nobody saw its end" in str(house.exposure(938524)["reason"])
        (alert,) = house.until(lambda: house.alerts("postproc_failed"), "an alert")
        assert alert["cleared_at"] is None


class TestRetryOfAnExposure:
    """`queue retry` after a failed run makes its exposure ready again, with no new attempt: its results are good."""

    def test_starts_a_run(self, make_house: Callable[..., House]) -> None:
        house = adopted(make_house, postproc=Postproc(dies=(2, "after")))
        house.wait_for("attention", 938524)
        house.order_postproc(dies=None)
        assert "ready for post-processing again" in house.ok("queue", "retry", "938524")
        house.wait_for("done", 938524)
        assert house.exposure(938524)["attempt"] == 1


class TestForced:
    """A SKIPTO that a person asks for is taken as it is, and written down with who asked."""

    def test_is_recorded(self, make_house: Callable[..., House]) -> None:
        house = adopted(make_house, postproc=Postproc(dies=(5, "middle")))
        ended(house, 1, "failed")
        house.order_postproc(dies=None)
        house.ok("postproc", "run", "--season", "2206", "--skipto", "4")
        ended(house, 2, "done")
        _, second = house.runs("run_postproc.py")
        assert second.option("--SKIPTO") == "4"
        run = newest(house)
        assert (run["skipto"], run["asked_by"]) == (4, getpass.getuser())
        said = f"asked for by {getpass.getuser()}, whatever the evidence says: SKIPTO 5 (run 1 of the same exposures"
        assert run["skipto_reason"].startswith(said)
        assert [row["possible"] for row in json.loads(run["evidence"])] == [True] * 5 + [False] * 2
        asked = house.rows("SELECT * FROM v_history WHERE after = 'asked for'")
        assert [(row["who"], row["why"]) for row in asked] == [(getpass.getuser(), "asked for by hand, at SKIPTO 4")]
        begun = "SELECT who FROM v_history WHERE kind = 'postproc_run' AND after = 'intent' ORDER BY id"
        assert [row["who"] for row in house.rows(begun)] == ["daemon", getpass.getuser()]


class TestAFolderThatOthersLeft:
    """Where an older automation or a person has begun with the same exposures, the first run goes on from there."""

    @pytest.mark.parametrize(("begun", "skipto"), [((938524,), "4"), ((938524, 938525), None)])
    def test_goes_on(self, make_house: Callable[..., House], begun: tuple[int, ...], skipto: str | None) -> None:
        house = make_house(night_of(planned(938524), planned(938525, "z"), step=20))
        for expnum, band in ((938524, "i"), (938525, "z")):
            put_results(house.sandbox, expnum, band)
        house.order_postproc(dies=[3, "after"], how="kill")
        byhand.write_postproc(house.sandbox, begun, "i,z")
        assert byhand.postproc(house.sandbox).returncode == -signal.SIGKILL
        house.order_postproc(dies=None)
        (house.sandbox.postprocessing / "postproc_2206.ini").unlink()
        shutil.rmtree(house.sandbox.pnfs / "exp" / "20200304" / "938525")
        house.ok("queue", "adopt", "--season", "2206", "--yes")
        house.start()
        ended(house, 1, "done")
        assert house.runs("run_postproc.py")[-1].option("--SKIPTO") == skipto
        reason = newest(house)["skipto_reason"]
        if skipto is None:
            assert reason.startswith("from scratch: no earlier run of season 2206, but files where ")
            assert "names other exposures: it has 938525" in reason
        else:
            assert "template_postproc.ini says; all that a start there reads is whole" in reason


class TestUpstream:
    """postproc.skipto = "upstream" starts where the older automation would, and says that it is unsafe."""

    def test_dies(self, make_house: Callable[..., House]) -> None:
        house = adopted(make_house, postproc=Postproc(dies=(5, "middle")), settings={"postproc.skipto": '"upstream"'})
        ended(house, 1, "failed")
        house.order_postproc(dies=None)
        shown = skipto(house)
        assert (shown["skipto"], shown["upstream"]["skipto"]) == (6, 6)
        assert [row["possible"] for row in shown["rows"]] == [True] * 5 + [False] * 2
        house.ok("postproc", "run", "--season", "2206")
        ended(house, 2, "failed")
        assert newest(house)["skipto"] == 6
        assert newest(house)["skipto_reason"].startswith("UNSAFE, as the older automation chooses: ")
        (alert,) = house.alerts("skipto_unsafe")
        assert "UNSAFE" in alert["text"] and alert["cleared_at"] is None
        assert "UNSAFE" in house.ok("config", "check")


class TestASeasonThatGrows:
    """An exposure that is ready later goes into a second run with all of them, from scratch."""

    def test_by_itself(self, make_house: Callable[..., House]) -> None:
        house = adopted(make_house)
        house.wait_for("done", 938524)
        put_results(house.sandbox, 938525, "z")
        house.ok("queue", "adopt", "--season", "2206", "--yes")
        house.wait_for("done", 938525)
        _, second = house.runs("run_postproc.py")
        (seen,) = [event for event in second.events if event["event"] == "ini"]
        assert seen["list"] == [938524, 938525]
        assert "bands = i,z" in seen["text"]
        assert second.option("--SKIPTO") is None

    def test_one_that_never_ends_keeps_nobody_back(self, make_house: Callable[..., House]) -> None:
        """With nothing new for postproc.quiet_for, a season starts with what is ready."""
        house = make_house(night_of(planned(938524), planned(938525, "z")), {"postproc.quiet_for": '"2 s"'})
        put_results(house.sandbox, 938524)
        put_results(house.sandbox, 938525, "z", unfinished=[7])
        house.ok("queue", "adopt", "--season", "2206", "--yes")
        house.start()
        house.wait_for("done", 938524)
        assert house.exposure(938525)["state"] == "processing"
        assert "1 CCD still to come" in str(house.exposure(938525)["reason"])
        finish_ccd(house.sandbox, 938525, 7, "z")
        house.wait_for("done", 938525)
        lists = [event["list"] for run in house.runs("run_postproc.py") for event in run.events if "list" in event]
        assert lists == [[938524], [938524, 938525]]


class TestAskedFor:
    """`postproc run` starts a season that would not start by itself, and says so when there is nothing to start."""

    def test_by_hand(self, make_house: Callable[..., House]) -> None:
        house = adopted(make_house, settings={"postproc.auto": "false"})
        house.wait_for("ready", 938524)
        house.until(lambda: "postproc.auto is off" in house.ok("postproc", "plan"), "the plan says why it waits")
        house.ok("postproc", "run", "--season", "2206")
        house.wait_for("done", 938524)
        assert newest(house)["asked_by"] == getpass.getuser()
        assert "2210 has no exposures" in house.refused("postproc", "run", "--season", "2210", code=1)
