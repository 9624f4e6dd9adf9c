"""The credential: without a good one nothing is made or submitted, all else goes on, and a renewed one is enough."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from .credentials import SECRET, place, token
from .house import House, night_of, planned
from .test_away import over, up

HOUR = timedelta(hours=1)
SETTINGS = {"credential.kind": '"token"', "credential.path": '"bt"'}


def everything_written(house: House) -> str:
    """All that the daemon has written or said: its log, its database, its folders."""
    files = [path for path in [*house.state.rglob("*"), house.root / "daemon.err"] if path.is_file()]
    return "\n".join(path.read_bytes().decode(errors="replace") for path in files)


class TestRenewal:
    """A token that has ended keeps back what is to be made; what is under way goes on; a new one is taken by itself."""

    def test_a_night(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(938524), planned(938525), dagmaker=1500), SETTINGS)
        file = house.root / "bt"
        good, old, renewed = token(3 * HOUR), token(-HOUR), token(2 * HOUR)
        place(file, good)
        job = house.sandbox.workflow / "dummyjob.sh"
        job.write_text(job.read_text() + f"env > {house.root}/job.env\n")
        house.configure("postproc.auto", "false")
        house.ok("queue", "add", "938524", "--season", "2206")
        house.start()
        house.wait_for("processing", 938524)
        # It ends while the one is in the grid, and the other comes.
        place(file, old)
        house.ok("queue", "add", "938525", "--season", "2206")
        house.until(lambda: up(house, "credential"), "an alert")
        house.wait_for("ready", 938524)
        (alert,) = house.alerts("credential")
        assert (alert["key"], alert["severity"]) == ("credential", "critical")
        for words in (alert["text"], str(house.exposure(938525)["reason"])):
            assert f"the bearer token {file} has ended at 20" in words and "htgettoken" in words
            assert "nothing is made or submitted since" in words and "by itself" in words
        assert "has ended at 20" in house.ok("explain", "938525")
        assert house.exposure(938525)["state"] == "queued" and house.made(938525) == 0
        place(file, renewed)
        # It ends again while the DAG is being made: that is not submitted.
        house.until(lambda: house.made(938525), "it is made")
        place(file, old)
        house.until(lambda: house.history(938525)[-1] == "submitting", "its DAG is made")
        house.until(lambda: "has ended at" in str(house.exposure(938525)["reason"]), "it says why it waits")
        house.cycles(2)
        assert house.history(938525, "submission") == []
        place(file, renewed)
        house.wait_for("ready", 938525)
        assert house.made(938525) == 1
        house.until(lambda: not up(house, "credential"), "no alert is up")
        assert f"BEARER_TOKEN_FILE={file}" in (house.root / "job.env").read_text().splitlines()
        house.stop()
        written = everything_written(house)
        for secret in (SECRET, *(part for each in (good, old, renewed) for part in each.split(".")[1:])):
            assert secret not in written

    def test_soon(self, make_house: Callable[..., House]) -> None:
        """People are told before it stops the submissions, as long as something waits."""
        house = make_house(night_of(planned(938524), job=200), SETTINGS)
        place(house.root / "bt", token(timedelta(minutes=40)))
        house.ok("queue", "add", "938524", "--season", "2206")
        house.ok("queue", "hold", "938524")
        house.start()
        house.cycles(2)
        assert house.alerts("credential") == []
        house.ok("queue", "release", "938524")
        house.wait_for("done", 938524)
        (alert,) = house.alerts("credential")
        assert (alert["key"], alert["severity"]) == ("credential_soon", "warning")
        assert "the credential ends at 20" in alert["text"] and "Renew it before" in alert["text"]
        assert over(house, "credential")
