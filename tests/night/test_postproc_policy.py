"""When post-processing starts by itself, with which exposures, and what is tried again: through the real program."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from desgw_daemon.sandbox.build import Sandbox
from desgw_daemon.sandbox.scenario import Postproc

from .house import NITE, SEASON, House, night_of, planned
from .results import put_results

RETRIES = {"postproc.retries": "2"}


def adopted(
    make_house: Callable[..., House],
    *expnums: int,
    postproc: Postproc | None = None,
    settings: Mapping[str, str] | None = None,
    step: int = 20,
) -> House:
    """A house in which these exposures are ready; the daemon is still to be started."""
    house = make_house(night_of(*map(planned, expnums), postproc=postproc, step=step), settings)
    for expnum in expnums:
        put_results(house.sandbox, expnum)
    house.ok("queue", "adopt", "--season", str(SEASON), "--yes")
    return house


def runs(house: House) -> list[dict[str, Any]]:
    """The season's runs, oldest first."""
    return house.rows("SELECT * FROM v_postproc ORDER BY number")


def ended(house: House, number: int) -> dict[str, Any]:
    """The run of that number, once it has come to an end."""
    query = "SELECT * FROM v_postproc WHERE number = ? AND ended_at IS NOT NULL"
    (row,) = house.until(lambda: house.rows(query, number), f"run {number} has ended")
    return row


def lists(house: House) -> list[list[int]]:
    """The list of each run, as run_postproc.py has read it."""
    return [event["list"] for run in house.runs("run_postproc.py") for event in run.events if "list" in event]


def without_folder(sandbox: Sandbox, expnum: int, ccd: int) -> Any:
    """Take a CCD away, as if its folder had never been made; its folder."""
    folder = sandbox.pnfs / "exp" / NITE / str(expnum) / f"dp{SEASON}" / f"i_{ccd:02d}"
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    for file in (sandbox.pnfs / "forcephoto/images" / f"dp{SEASON}" / NITE / str(expnum)).glob(f"*_i_{ccd:02d}+*"):
        file.unlink()
    return folder


class TestTriedAgain:
    """A run that failed is tried again by itself from its SKIPTO, as long as each try comes further."""

    def test_until_it_is_done(self, make_house: Callable[..., House]) -> None:
        house = adopted(
            make_house,
            938524,
            postproc=Postproc(dies=(3, "middle")),
            settings=RETRIES | {"postproc.retry_after": '"3 s"'},
        )
        house.start()
        assert ended(house, 1)["state"] == "failed"
        house.order_postproc(dies=None)
        house.until(lambda: "(try 1 of 2)" in str(house.exposure(938524)["reason"]), "it says when it is tried again")
        house.wait_for("done", 938524)
        first, second = runs(house)
        assert (second["retry_of"], second["asked_by"]) == (first["run_id"], None)
        assert [run.option("--SKIPTO") for run in house.runs("run_postproc.py")] == [None, "3"]
        assert "attention" not in house.history(938524)
        assert house.alerts("postproc_failed") == []

    def test_not_when_it_comes_no_further(self, make_house: Callable[..., House]) -> None:
        house = adopted(make_house, 938524, postproc=Postproc(dies=(3, "middle")), settings=RETRIES)
        house.start()
        house.wait_for("attention", 938524)
        assert len(runs(house)) == 2
        (alert,) = house.until(lambda: house.alerts("postproc_failed"), "an alert")
        assert "As try 1 of run 1 it came no further than the one before." in alert["text"]
        house.cycles(5)
        assert len(runs(house)) == 2

    def test_not_when_there_are_no_candidates(self, make_house: Callable[..., House]) -> None:
        house = adopted(make_house, 938524, postproc=Postproc(candidates=0), settings=RETRIES)
        house.start()
        house.wait_for("done", 938524)
        assert "a result, not a failure" in str(house.exposure(938524)["reason"])
        house.cycles(5)
        assert [run["result"] for run in runs(house)] == ["no_candidates"]


class TestReadyDuringARun:
    """What becomes ready during a run leaves that run alone, and goes into the next one with all the others."""

    def test_the_next_run_has_all(self, make_house: Callable[..., House]) -> None:
        house = adopted(make_house, 938524, step=800, settings={"postproc.min_interval": '"1 s"'})
        house.start()
        house.until(lambda: [run for run in runs(house) if run["step"]], "the first run is under way")
        for expnum in (938525, 938526):
            put_results(house.sandbox, expnum)
        house.ok("queue", "adopt", "--season", str(SEASON), "--yes")
        house.wait_for("ready", 938525, 938526)
        assert [run["state"] for run in runs(house)] == ["running"]
        house.wait_for("done", 938524, 938525, 938526)
        assert lists(house) == [[938524], [938524, 938525, 938526]]


class TestLeftOut:
    """What would kill run_postproc.py is left out by name, with its reason; the others go on."""

    def test_a_missing_folder_and_a_blacklisted_exposure(self, make_house: Callable[..., House]) -> None:
        house = adopted(make_house, 938524, 938525, 938526)
        gone = without_folder(house.sandbox, 938525, 7)
        (house.sandbox.postprocessing / "blacklist.txt").write_text("938526\n")
        house.start()
        house.wait_for("done", 938524)
        house.wait_for("ready", 938525, 938526)
        (run,) = runs(house)
        left_out = json.loads(run["left_out"])
        assert sorted(left_out) == ["938525", "938526"]
        assert "1 folder missing" in left_out["938525"] and "i_07" in left_out["938525"]
        assert "the blacklist" in left_out["938526"]
        for expnum in (938525, 938526):
            assert left_out[str(expnum)] in str(house.exposure(expnum)["reason"])
            assert "left out" in house.history(expnum)
        (alert,) = house.until(lambda: house.alerts("postproc_left_out"), "an alert")
        assert "938525" in alert["text"] and "938526" not in alert["text"]
        house.cycles(5)
        assert len(runs(house)) == 1, "nothing starts for those that are left out alone"

        house.configure("postproc.missing_folders", '"make"')
        house.wait_for("done", 938525)
        assert gone.is_dir()
        assert "folders made" in house.history(938525)
        (house.sandbox.postprocessing / "blacklist.txt").write_text("")
        house.wait_for("done", 938526)
        assert lists(house) == [[938524], [938524, 938525], [938524, 938525, 938526]]
        assert all(alert["cleared_at"] for alert in house.alerts("postproc_left_out"))

    def test_one_that_was_done_and_no_longer_holds(self, make_house: Callable[..., House]) -> None:
        house = adopted(make_house, 938524, 938525)
        house.start()
        house.wait_for("done", 938524, 938525)
        house.ok("pause")
        for folder in sorted((house.sandbox.pnfs / "exp" / NITE / "938525" / f"dp{SEASON}").iterdir())[:12]:
            (folder / "RUN18_combined+expose_hotpants.FAIL").write_text("late\n")
        put_results(house.sandbox, 938526)
        house.ok("queue", "adopt", "--season", str(SEASON), "--yes")
        house.wait_for("ready", 938526)
        house.ok("resume")
        house.wait_for("done", 938526)
        assert lists(house) == [[938524, 938525], [938524, 938526]]
        reason = str(house.exposure(938525)["reason"])
        assert "left out of post-processing run 2 of season 2206: it no longer holds: 47 of 59 CCDs complete" in reason
        assert house.exposure(938525)["state"] == "done"
