"""Things that are away for a while: nothing is taken for lost, people are told once, and it goes on by itself."""

from __future__ import annotations

from collections.abc import Callable

from .house import House, night_of, planned
from .results import finish_ccd, put_results

ENVIRONMENT = r"""
export X509_USER_PROXY=/proxy SECRET_OF_MINE=1 BEARER_TOKEN=eyJ
export JOBSUB_EXTRA_LINES=$'+One=1\n+Two=2'
jobsub_here() { echo here; echo there; }
export -f jobsub_here
"""


def up(house: House, rule: str) -> bool:
    return any(alert["cleared_at"] is None for alert in house.alerts(rule))


def over(house: House, rule: str) -> bool:
    return [alert["cleared_at"] is not None for alert in house.alerts(rule)] == [True]


class TestTheSetUp:
    """While setup_img_proc.sh fails nothing is made, and the reason is its own words; watching goes on."""

    def test_fails_and_is_mended(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(938524), planned(938525, "z")))
        script = house.sandbox.workflow / "setup_img_proc.sh"
        good = script.read_text()
        script.write_text("echo the software area does not answer >&2\nreturn 4\n")
        put_results(house.sandbox, 938525, "z")
        house.ok("queue", "adopt", "--season", "2206", "--yes")
        house.ok("queue", "add", "938524", "--season", "2206")
        # Nothing may come of what only watches while the other waits.
        house.configure("postproc.auto", "false")
        house.start()
        house.wait_for("ready", 938525)
        house.until(lambda: up(house, "making_blocked"), "an alert")
        (alert,) = house.alerts("making_blocked")
        house.until(lambda: "no DAG can be made" in str(house.exposure(938524)["reason"]), "the exposure says so")
        for words in (alert["text"], str(house.exposure(938524)["reason"])):
            assert "exit code 4: the software area does not answer" in words
            assert f"Source it by hand in {house.sandbox.workflow} to see why" in words
        assert house.made(938524) == 0
        script.write_text(good)
        house.wait_for("ready", 938524)
        assert over(house, "making_blocked")

    def test_environment_reaches_the_jobs_alone(self, make_house: Callable[..., House]) -> None:
        """Submissions get what the set-up has set, and none of the daemon's own secrets."""
        house = make_house(night_of(planned(938524)))
        script = house.sandbox.workflow / "setup_img_proc.sh"
        script.write_text(script.read_text() + ENVIRONMENT)
        job = house.sandbox.workflow / "dummyjob.sh"
        job.write_text(job.read_text() + f"env > {house.root}/job.env\n")
        house.ok("queue", "add", "938524", "--season", "2206")
        house.start()
        house.wait_for("done", 938524)
        environment = (house.root / "job.env").read_text()
        assert "X509_USER_PROXY=/proxy\n" in environment
        assert "JOBSUB_EXTRA_LINES=+One=1\n+Two=2\n" in environment
        assert "SECRET_OF_MINE" not in environment and "BEARER_TOKEN" not in environment
        # Functions are captured, and go no further.
        (captured,) = house.state.glob("setup/*/environment")
        assert b"\0BASH_FUNC_jobsub_here%%=() {  echo here;\n echo there\n}\0" in b"\0" + captured.read_bytes()
        assert "jobsub_here" not in environment

    def test_that_leaves_the_shell(self, make_house: Callable[..., House]) -> None:
        """`exit 0` in it would end DAGMaker's shell, too, and look like success."""
        house = make_house(night_of(planned(938524)))
        (house.sandbox.workflow / "setup_img_proc.sh").write_text("echo all is set up\nexit 0\n")
        house.ok("queue", "add", "938524", "--season", "2206")
        house.start()
        house.until(lambda: "no DAG can be made" in str(house.exposure(938524)["reason"]), "the exposure says so")
        reason = str(house.exposure(938524)["reason"])
        assert "exit code 0 (by `exit`, where `return` is meant): all is set up. Source it by hand in" in reason


class TestTheWorkflowFolder:
    """Away at the start or in the middle, it keeps new DAGs back and nothing else."""

    def test_comes_back(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(938524), job=400))
        away = house.root / "away"
        house.sandbox.workflow.rename(away)
        house.ok("queue", "add", "938524", "--season", "2206")
        house.start()
        house.until(lambda: up(house, "workflow_silent"), "an alert")
        assert "gw_workflow is away" in house.alerts("workflow_silent")[0]["text"]
        assert "gw_workflow is away" in str(house.exposure(938524)["reason"])
        away.rename(house.sandbox.workflow)
        house.wait_for("done", 938524)
        assert house.made(938524) == 1

    def test_only_the_list_is_away(self, make_house: Callable[..., House]) -> None:
        """No DAGMaker is run into it: each would bring its exposure to a person."""
        # Without an exposure database: with one, the daemon writes the list anew by itself.
        house = make_house(night_of(planned(938524), planned(938525)), {"databases.exposures": '""'})
        house.ok("queue", "add", "938525", "--season", "2206")
        listed, away = house.sandbox.workflow / "exposures.list", house.root / "away.list"
        listed.rename(away)
        house.ok("queue", "add", "938524", "--season", "2206")
        house.start()
        house.until(lambda: up(house, "making_blocked"), "an alert")
        for expnum in (938524, 938525):
            assert "exposures.list is away or cannot be read" in str(house.exposure(expnum)["reason"])
        away.rename(listed)
        house.wait_for("done", 938524, 938525)
        assert over(house, "making_blocked")


class TestPnfs:
    """While /pnfs is away every CCD keeps its last state, with its age; one alert; it goes on when it answers."""

    def test_in_the_middle(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(938524)))
        put_results(house.sandbox, 938524, unfinished=[5, 6])
        house.ok("queue", "adopt", "--season", "2206", "--yes")
        house.start()
        house.until(lambda: house.exposure(938524)["ccds_complete"] == 57, "57 CCDs are seen")
        away = house.root / "away"
        house.sandbox.pnfs.rename(away)
        house.until(lambda: up(house, "pnfs_silent"), "an alert")
        house.until(lambda: "not seen since" in str(house.exposure(938524)["reason"]), "it is out of sight")
        row = house.exposure(938524)
        assert (row["state"], row["ccds_complete"], row["ccds_pending"]) == ("processing", 57, 2)
        assert row["unseen_since"] is not None
        assert "keeps its last state" in house.alerts("pnfs_silent")[0]["text"]
        # Commands work all the same.
        house.ok("queue", "hold", "938524")
        house.ok("queue", "release", "938524")
        away.rename(house.sandbox.pnfs)
        house.until(lambda: over(house, "pnfs_silent"), "the alert is over")
        for ccd in (5, 6):
            finish_ccd(house.sandbox, 938524, ccd)
        house.wait_for("done", 938524)
        states = house.rows("SELECT DISTINCT after FROM v_history WHERE kind = 'ccd'")
        assert [state["after"] for state in states] == ["complete"], "no CCD was ever taken for anything else"
        assert house.exposure(938524)["unseen_since"] is None

    def test_from_the_start(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(938524)))
        away = house.root / "away"
        put_results(house.sandbox, 938524)
        house.ok("queue", "adopt", "--season", "2206", "--yes")
        house.sandbox.pnfs.rename(away)
        house.start()
        house.until(lambda: up(house, "pnfs_silent"), "an alert")
        assert house.exposure(938524)["state"] == "processing"
        away.rename(house.sandbox.pnfs)
        house.wait_for("done", 938524)


class TestThePostProcessingFolder:
    """Away when a run is to start, it is waited for: the run is not failed."""

    def test_comes_back(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(938524)))
        put_results(house.sandbox, 938524)
        house.ok("queue", "adopt", "--season", "2206", "--yes")
        away = house.root / "away"
        house.sandbox.postprocessing.rename(away)
        house.start()
        house.until(lambda: up(house, "postprocessing_silent"), "an alert")
        assert f"{house.sandbox.postprocessing} is away" in house.alerts("postprocessing_silent")[0]["text"]
        assert not house.alerts("action_failed")
        assert house.exposure(938524)["state"] == "ready"
        away.rename(house.sandbox.postprocessing)
        house.wait_for("done", 938524)
        assert len(house.runs("run_postproc.py")) == 1
        house.until(lambda: over(house, "postprocessing_silent"), "the alert is over")
