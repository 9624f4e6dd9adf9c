"""The credential: without a good one nothing is made or submitted, all else goes on, and a renewed one is enough."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta

import pytest

from .credentials import SECRET, place, proxy, token
from .house import House, night_of, planned
from .test_away import up

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
        good, old, renewed = token(timedelta(minutes=40)), token(-HOUR), token(2 * HOUR)
        place(file, good)
        job = house.sandbox.workflow / "dummyjob.sh"
        job.write_text(job.read_text() + f"env > {house.root}/job.env\n")
        script = house.sandbox.workflow / "setup_img_proc.sh"
        script.write_text(script.read_text() + f'echo "$BEARER_TOKEN_FILE" >>{house.root}/sourced\n')
        house.configure("postproc.auto", "false")
        house.ok("queue", "add", "938524", "--season", "2206")
        house.start()
        house.wait_for("processing", 938524)
        # It is good for now, and people were told that it will not be for long.
        (soon,) = house.alerts("credential_soon")
        assert (soon["key"], soon["severity"]) == ("credential_soon", "warning")
        assert "the credential ends at 20" in soon["text"] and "Renew it before" in soon["text"]
        # It ends while the one is in the grid, and the other comes.
        place(file, old)
        house.ok("queue", "add", "938525", "--season", "2206")
        house.until(lambda: house.alerts("credential"), "an alert")
        house.wait_for("ready", 938524)
        alert = house.alerts("credential")[-1]
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
        assert (house.root / "sourced").read_text().splitlines()[-1] == str(file)
        assert f"BEARER_TOKEN_FILE={file}" in (house.root / "job.env").read_text().splitlines()
        house.stop()
        written = everything_written(house)
        for secret in (SECRET, *(part for each in (good, old, renewed) for part in each.split(".")[1:])):
            assert secret not in written


class TestProxy:
    """The proxy is where the set-up script says, unless daemon.toml names it."""

    def test_of_the_set_up(self, make_house: Callable[..., House]) -> None:
        house = make_house(night_of(planned(938524), job=100), {"credential.kind": '"proxy"'})
        file = house.root / "proxy.pem"
        script = house.sandbox.workflow / "setup_img_proc.sh"
        script.write_text(script.read_text() + f"export X509_USER_PROXY={file}\n")
        house.ok("queue", "add", "938524", "--season", "2206")
        house.start()

        def waits(words: str) -> bool:
            return words in str(house.exposure(938524)["reason"])

        house.until(lambda: waits(f"there is no X.509 proxy {file}: make a new one with voms-proxy-init"), "missing")
        place(file, proxy(5 * HOUR), mode=0o640)
        house.until(lambda: waits(f"is open to others (mode 0640), who could use it: `chmod 600 {file}`"), "open")
        place(file, proxy(5 * HOUR, -HOUR))
        house.until(lambda: waits("has ended at 20"), "its chain has ended")
        assert house.made(938524) == 0
        place(file, proxy(5 * HOUR, 9 * HOUR))
        house.wait_for("processing", 938524)


class TestNotNeeded:
    """Where none is configured, none is looked at, and what would read it is not even loaded."""

    @pytest.mark.parametrize(("kind", "loaded"), [("none", False), ("token", True)])
    def test_libraries(self, make_house: Callable[..., House], kind: str, loaded: bool) -> None:
        house = make_house(night_of(planned(938524)), {"credential.kind": f'"{kind}"', "credential.path": '"bt"'})
        place(house.root / "bt", token(HOUR))
        house.ok("queue", "add", "938524", "--season", "2206")
        command = [sys.executable, "-X", "importtime", "-m", "desgw_daemon", "tick"]
        done = subprocess.run(command, cwd=house.root, capture_output=True, text=True, check=True)
        modules = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
        assert "desgw_daemon.observe.credential" in modules
        assert bool({"jwt", "cryptography"} & modules) is loaded
