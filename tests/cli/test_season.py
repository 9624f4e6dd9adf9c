"""`season check|new|list` and the season of `queue add`, without a DES database: see test_season_des.py for one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.night.house import House, night_of, planned
from tests.tools import needed

NO_DES = ("--accept-unverified", "des")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A sandbox that knows 938524 and 938525."""
    house = House(tmp_path / "sandbox", night_of(planned(938524), planned(938525)), {})
    yield house
    house.close()


def images(house: House) -> Path:
    return house.sandbox.pnfs / "forcephoto" / "images"


def check(house: House, season: int, *words: str, code: int) -> dict[str, Any]:
    """What `season check --json` says; code: its exit code."""
    done = house.command("season", "check", str(season), *words, "--json")
    assert done.returncode == code, done.stdout + done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["free"] == (code == 0)
    return told


def says(told: dict[str, Any]) -> dict[str, str]:
    """Each source's answer."""
    return {source: answer["answer"] for source, answer in told["answers"].items()}


class TestCheck:
    """Each source is shown with its answer, and only a season that is free everywhere is free."""

    def test_no_database_to_ask(self, house: House) -> None:
        told = check(house, 2207, code=1)
        assert says(told) == {"reserved": "free", "des": "unknown", "pnfs": "free", "own": "free"}
        assert "databases.des is not set" in told["answers"]["des"]["why"]
        assert "exp/ is too big to be searched" in told["answers"]["pnfs"]["why"]
        assert not (house.state / "desgw.db").exists()
        told = check(house, 2207, *NO_DES, code=0)
        assert says(told)["des"] == "unknown" and told["accepted"] == ["des"]

    def test_reserved(self, house: House) -> None:
        told = check(house, 42, *NO_DES, code=1)
        assert says(told)["reserved"] == "used" and "--testing" in told["answers"]["reserved"]["why"]
        assert told["says"] == "season 42 may not be taken"
        check(house, 42, *NO_DES, "--testing", code=0)
        check(house, 5000, *NO_DES, "--testing", code=1)

    def test_folders_on_pnfs(self, house: House) -> None:
        """Also one that is a link or a file; one that is named alike is another."""
        for name in ("dp2207", "dp2209_old", "xdp2209", "dp22090"):
            (images(house) / name).mkdir()
        (images(house) / "dp2208").symlink_to("nowhere")
        (images(house) / "dp02210").touch()
        assert house.ok("season", "new", *NO_DES, "--range", "2207-2210") == "2209\n"

    def test_pnfs_away(self, house: House) -> None:
        house.sandbox.pnfs.rename(house.root / "away")
        told = check(house, 2207, *NO_DES, code=1)
        assert says(told)["des"] == says(told)["pnfs"] == "unknown" and "No such file" in told["answers"]["pnfs"]["why"]
        check(house, 2207, *NO_DES, "--accept-unverified", "pnfs", code=0)

    def test_for_people(self, house: House) -> None:
        done = house.command("season", "check", "2207")
        assert (done.returncode, done.stderr) == (1, "")
        heads, *rows, last = done.stdout.splitlines()
        assert heads.split() == ["SOURCE", "ANSWER", "WHY"]
        assert [row.split()[:2] for row in rows] == [
            *(["reserved", "free"], ["des", "unknown"], ["pnfs", "free"], ["own", "free"]),
        ]
        assert last == "whether season 2207 is free is not known (--accept-unverified des goes on without)"

    def test_own(self, house: House) -> None:
        house.ok("queue", "add", "938524", "938525", "--season", "2206")
        house.ok("queue", "remove", "938524", "938525")
        told = check(house, 2206, *NO_DES, code=1)
        assert says(told)["own"] == "used" and "2 exposures here" in told["answers"]["own"]["why"]

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (("check", "dp2206"), "is no season"),
            (("check", "0"), "is no season"),
            (("check", "1000000"), "is no season"),
            (("check", "2207", "--accept-unverified", "de"), "did you mean des?"),
            (("new", "--range", "2207"), "two seasons with a dash"),
            (("new", "--range", "2300-2200"), "larger"),
            (("new", "--range", "1-99"), "--testing"),
            (("new", "--range", "5000-5000"), "no number that may be taken"),
        ],
    )
    def test_wrong_use(self, house: House, words: tuple[str, ...], said: str) -> None:
        assert said in house.refused("season", *words, code=2)


class TestNew:
    """A free season is taken at once, and printed alone."""

    def test_printed_alone(self, house: House) -> None:
        done = house.command("season", "new", *NO_DES)
        assert done.returncode == 0
        season = int(done.stdout)
        assert done.stdout == f"{season}\n" and 100 <= season <= 9999 and season not in (5000, 6000)
        assert done.stderr.startswith(f"season {season}: des gave no answer (databases.des is not set in daemon.toml")
        (row,) = house.rows("SELECT * FROM v_season")
        assert (row["season"], row["how"], json.loads(row["unverified"])) == (season, "new", ["des"])
        assert json.loads(row["answers"])["pnfs"].startswith("free: ")
        (row,) = house.rows("SELECT * FROM v_history WHERE kind = 'season'")
        assert (row["subject"], row["after"], row["season"]) == (f"season {season}", "taken", season)

    def test_unknown_takes_nothing(self, house: House) -> None:
        line = house.refused("season", "new", code=1)
        assert "des is unknown" in line and "--accept-unverified des goes on without" in line
        assert house.rows("SELECT * FROM season") == []

    def test_what_is_used_is_left_out(self, house: House) -> None:
        (images(house) / "dp2001").mkdir()
        house.ok("queue", "add", "938524", "--season", "2002")
        assert house.ok("season", "new", *NO_DES, "--range", "2001-2003") == "2003\n"

    def test_testing(self, house: House) -> None:
        assert house.ok("season", "new", *NO_DES, "--testing", "--range", "5-11") == "11\n"

    def test_many_at_the_same_time(self, house: House) -> None:
        """As many as there are numbers: each gets another one, and whoever comes after gets none."""
        words = ("season", "new", *NO_DES, "--range", "2001-2008")
        command = [sys.executable, "-m", "desgw_daemon", *words]
        running = [
            subprocess.Popen(command, cwd=house.root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            for _ in range(8)
        ]
        got = sorted(process.communicate(timeout=120)[0] for process in running)
        assert got == [f"{season}\n" for season in range(2001, 2009)]
        assert "none is free" in house.refused(*words, code=1)
        assert len(house.rows("SELECT * FROM season")) == 8


class TestList:
    """Every season that is known, with who has taken it, and how."""

    def test_all(self, house: House) -> None:
        assert "there is no database yet" in house.refused("season", "list", code=1)
        season = int(house.ok("season", "new", *NO_DES, "--range", "2001-2001"))
        house.ok("queue", "add", "938524", "--season", "2206")
        listed = json.loads(house.ok("season", "list", "--json"))
        assert [(row["season"], row["exposures"], row["how"]) for row in listed] == [
            (season, 0, "new"),
            (2206, 1, "queue"),
        ]
        assert listed[0]["unverified"] == ["des"] and listed[0]["taken_by"]
        text = house.ok("season", "list")
        assert "not verified: des" in text

    def test_exposures_of_an_older_program(self, house: House) -> None:
        """They have no row in the table of seasons, and are known all the same."""
        house.ok("queue", "add", "938524", "--season", "2206")
        subprocess.run(["sqlite3", house.state / "desgw.db", "DELETE FROM season"], check=True)
        (row,) = json.loads(house.ok("season", "list", "--json"))
        assert (row["season"], row["exposures"], row["taken_by"]) == (2206, 1, None)
        done = house.command("queue", "add", "938525", "--season", "2206")
        assert (done.returncode, done.stderr) == (0, "")
        assert house.rows("SELECT * FROM season") == []


class TestQueueAdd:
    """A season that is known here is used further; one that is new here is asked for first."""

    def test_new_here(self, house: House) -> None:
        done = house.command("queue", "add", "938524", "--season", "2206")
        assert done.stderr == "season 2206 is new here; the DES database was not asked: databases.des is not set\n"
        (row,) = house.rows("SELECT * FROM v_season")
        assert (row["how"], json.loads(row["unverified"]), row["exposures"]) == ("queue", ["des"], 1)

    def test_known_here(self, house: House) -> None:
        """Nobody is asked: neither is /pnfs missed, nor is its folder held against the season."""
        house.ok("queue", "add", "938524", "--season", "2206")
        (images(house) / "dp2206").mkdir()
        assert house.command("queue", "add", "938525", "--season", "2206").stderr == ""
        house.sandbox.pnfs.rename(house.root / "away")
        done = house.command("queue", "add", "938525", "--season", "2206")
        assert (done.returncode, done.stderr) == (0, "")

    def test_used_elsewhere(self, house: House) -> None:
        (images(house) / "dp2206").mkdir()
        line = house.refused("queue", "add", "938524", "--season", "2206", code=1)
        assert "used elsewhere (pnfs: a dp folder in " in line and "--reuse 2206" in line
        assert house.rows("SELECT * FROM exposure") == house.rows("SELECT * FROM season") == []
        wrong = house.refused("queue", "add", "938524", "--season", "2206", "--reuse", "2207", code=2)
        assert "--reuse 2207 is not season 2206" in wrong
        done = house.command("queue", "add", "938524", "--season", "2206", "--reuse", "2206")
        assert done.returncode == 0 and "is used again, as you say" in done.stderr
        (row,) = house.rows("SELECT * FROM v_season")
        assert row["reused_by"] == row["taken_by"] and row["reused_at"] == row["taken_at"]
        assert json.loads(row["answers"])["pnfs"].startswith("used: ")
        (row,) = house.rows("SELECT * FROM v_history WHERE kind = 'season'")
        assert (row["after"], row["who"]) == ("reused", house.rows("SELECT * FROM season")[0]["taken_by"])
        assert "used again by" in house.ok("season", "list")

    def test_cannot_be_verified(self, house: House) -> None:
        house.sandbox.pnfs.rename(house.root / "away")
        line = house.refused("queue", "add", "938524", "--season", "2206", code=1)
        assert "pnfs is unknown" in line and "--accept-unverified pnfs" in line
        assert house.rows("SELECT * FROM exposure") == []
        done = house.command("queue", "add", "938524", "--season", "2206", "--accept-unverified", "pnfs")
        assert done.returncode == 0 and "pnfs gave no answer" in done.stderr
        (row,) = house.rows("SELECT * FROM season")
        assert json.loads(row["unverified"]) == ["des", "pnfs"] and row["reused_at"] is None

    def test_testing(self, house: House) -> None:
        assert "--testing" in house.refused("queue", "add", "938524", "--season", "42", code=2)
        assert 11 <= int(season := house.ok("season", "new", *NO_DES, "--testing").strip()) <= 99
        assert house.command("queue", "add", "938525", "--season", season).stderr == ""

    def test_reserved_stays_reserved(self, house: House) -> None:
        line = house.refused("queue", "add", "938524", "--season", "5000", "--reuse", "5000", code=2)
        assert "reserved" in line

    def test_a_wrong_list_takes_no_season(self, house: House) -> None:
        house.refused("queue", "add", "nowhere.list", "--season", "2206", code=2)
        assert house.rows("SELECT * FROM season") == []


class TestWithoutAsking:
    """What a person names by a folder, and what is adopted, is taken without asking anybody."""

    def test_inbox(self, house: House) -> None:
        (images(house) / "dp2206").mkdir()
        folder = house.state / "inbox" / "2206"
        folder.mkdir(parents=True)
        house.configure("queue.inbox_settle", '"1 ms"')
        house.ok("pause")
        (folder / "tonight.list").write_text("938524\n")
        time.sleep(0.01)
        house.tick()
        (row,) = house.rows("SELECT * FROM v_season")
        assert (row["how"], json.loads(row["unverified"]), row["exposures"]) == ("queue", ["des", "pnfs"], 1)
        (said,) = house.log("season_taken")
        assert "season 2206" in said["text"] and "desgw-daemon season check 2206" in said["text"]


class TestHangingMount:
    """/pnfs that never answers is unknown after databases.timeout, whatever becomes of the process that asked."""

    def test_ends(self, house: House, end_tracer: Callable[[int], None]) -> None:
        house.configure("databases.timeout", '"1 s"')
        strace = needed("strace", "strace", "nothing else makes a call hang")
        hang = ("-P", str(images(house)), "-e", "trace=openat", "-e", "inject=openat:delay_enter=60000000")
        words = ("season", "check", "2207", "--json")
        begun = time.monotonic()
        process = subprocess.Popen(
            # The tracer is a process beside it (-D): our child is the command itself.
            [strace, "-D", "-f", "-qq", "-o", "/dev/null", *hang, sys.executable, "-m", "desgw_daemon", *words],
            cwd=house.root,
            stdout=subprocess.PIPE,
            text=True,
        )
        end_tracer(process.pid)
        told = json.loads(process.communicate(timeout=40)[0])
        assert process.returncode == 1
        assert time.monotonic() - begun < 30
        assert told["answers"]["pnfs"] == {"answer": "unknown", "why": "no answer within 1 s"}


@pytest.fixture
def end_tracer() -> Iterator[Callable[[int], None]]:
    """Ends the tracers of these processes when the test is over: what they hold back ends then, too."""
    tracers: list[int] = []

    def remember(pid: int) -> None:
        end = time.monotonic() + 20
        while True:
            status = Path(f"/proc/{pid}/status").read_text()
            (tracer,) = (int(line.split()[1]) for line in status.splitlines() if line.startswith("TracerPid"))
            if tracer:
                tracers.append(tracer)
                return
            assert time.monotonic() < end, "it is not traced"
            time.sleep(0.005)

    yield remember
    for tracer in tracers:
        os.kill(tracer, signal.SIGKILL)
