"""`queue resolve`: what a person says of a submission of unknown outcome."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .filepool import FilePool, dag_ad
from .house import House, night_of, planned

EXPNUM = 938524
TAG = "dp2206_20200304_938524_a1"


@pytest.fixture
def pool(tmp_path: Path) -> FilePool:
    """A schedd that a test makes silent."""
    return FilePool(tmp_path / "pool")


@pytest.fixture
def house(make_house: Callable[..., House], pool: FilePool) -> House:
    """One exposure, queued for the pool."""
    house = make_house(night_of(planned(EXPNUM), planned(938525)), pool.settings)
    house.ok("queue", "add", str(EXPNUM), "--season", "2206")
    return house


def submission(house: House, expnum: int = EXPNUM) -> dict[str, Any]:
    """The newest submission of the exposure; without a state when there is none."""
    rows = house.rows("SELECT * FROM v_submission WHERE expnum = ? ORDER BY attempt DESC", expnum)
    return rows[0] if rows else {"state": None}


def ticks_until(house: House, state: str, expnum: int = EXPNUM) -> None:
    """Cycles, until its submission is in this state."""

    def there() -> bool:
        house.tick()
        return bool(submission(house, expnum)["state"] == state)

    house.until(there, f"the submission of {expnum} is {state}")


def in_doubt(house: House, pool: FilePool) -> None:
    """Submitted, with an answer that nobody understands, to a schedd that answers no question since."""
    pool.says("Something that was never seen before")
    ticks_until(house, "unknown")
    pool.silent()
    house.tick()


class TestAdopt:
    """`--adopt ID`: it is followed under that id, and the history says who said so, and why."""

    def test_it_is_followed(self, house: House, pool: FilePool) -> None:
        in_doubt(house, pool)
        said = house.ok("queue", "resolve", str(EXPNUM), "--adopt", "163.0", "--reason", "seen by condor_q")
        assert f"its DAG {TAG} is followed as 163.0" in said
        row = submission(house)
        assert (row["state"], row["job_id"]) == ("queued", "163.0")
        assert row["reason"] == "said by hand: it is in the queue as 163.0 (seen by condor_q)"
        (change,) = house.rows("SELECT * FROM v_history WHERE kind = 'submission' AND after = 'queued'")
        assert (change["before"], change["who"], change["why"]) == ("unknown", getpass.getuser(), row["reason"])
        pool.queue([dag_ad(TAG, EXPNUM)])
        pool.silent(False)
        ticks_until(house, "running")
        assert house.exposure(EXPNUM)["state"] == "processing"
        assert pool.submissions() == 1

    def test_another_id_than_the_queue_has(self, house: House, pool: FilePool) -> None:
        in_doubt(house, pool)
        pool.queue([dag_ad(TAG, EXPNUM)])
        pool.silent(False)
        line = house.refused("queue", "resolve", str(EXPNUM), "--adopt", "170.0", code=1)
        assert "the queue knows its DAG as 163.0, not as 170.0" in line
        assert submission(house)["state"] == "unknown"

    def test_the_id_of_another(self, house: House, pool: FilePool) -> None:
        house.ok("queue", "add", "938525", "--season", "2206", "--priority", "1")
        house.ok("queue", "hold", str(EXPNUM))
        pool.queue([dag_ad(TAG.replace("938524", "938525"), 938525)])
        ticks_until(house, "running", 938525)
        pool.queue([])
        house.ok("queue", "release", str(EXPNUM))
        in_doubt(house, pool)
        line = house.refused("queue", "resolve", str(EXPNUM), "--adopt", "163.0", code=1)
        assert "163.0 is the DAG of 938525 (season 2206), attempt 1" in line


class TestAbsent:
    """`--absent`: it was never submitted, and is submitted anew under the same tag; what that risks is said."""

    def test_it_is_submitted_again(self, house: House, pool: FilePool) -> None:
        in_doubt(house, pool)
        done = house.command("queue", "resolve", str(EXPNUM), "--absent")
        assert done.returncode == 0
        assert "taken for never submitted: it is submitted in the next cycle" in done.stdout
        assert done.stderr.startswith("warning: the queue could not be asked (condor_q: exit code 1: Failed to connect")
        assert "its DAG runs twice" in done.stderr and done.stderr.count("\n") == 1
        assert submission(house)["state"] == "intent"
        pool.says("submitted to cluster 164.")
        pool.silent(False)
        ticks_until(house, "queued")
        assert (submission(house)["tag"], submission(house)["job_id"]) == (TAG, "164.0")
        assert (submission(house)["tries"], pool.submissions()) == (2, 2)

    def test_one_that_is_held_waits(self, house: House, pool: FilePool) -> None:
        in_doubt(house, pool)
        house.ok("queue", "hold", str(EXPNUM))
        assert f"queue release {EXPNUM}" in house.ok("queue", "resolve", str(EXPNUM), "--absent")
        pool.silent(False)
        house.tick()
        assert (submission(house)["state"], pool.submissions()) == ("intent", 1)

    def test_the_queue_knows_better(self, house: House, pool: FilePool) -> None:
        in_doubt(house, pool)
        pool.queue([dag_ad(TAG, EXPNUM)])
        pool.silent(False)
        line = house.refused("queue", "resolve", str(EXPNUM), "--absent", code=1)
        assert (
            "the queue knows its DAG as 163.0; the daemon follows it in its next cycle, or now: `desgw-daemon" in line
        )

    def test_one_that_the_queue_had(self, house: House, pool: FilePool) -> None:
        """It is not submitted again: its CCDs are judged by what it has left."""
        pool.queue([dag_ad(TAG, EXPNUM)])
        ticks_until(house, "running")
        pool.queue([])
        ticks_until(house, "unknown")
        assert "taken for lost: its CCDs are judged" in house.ok("queue", "resolve", str(EXPNUM), "--absent")
        assert submission(house)["state"] == "lost"
        house.until(lambda: house.tick() and house.exposure(EXPNUM)["state"] == "attention", "it is judged")
        assert pool.submissions() == 0


class TestWhileItIsUnderWay:
    """Nothing is said of a submission whose command still runs, or which a daemon is about to read."""

    def test_the_command_runs(self, house: House, pool: FilePool) -> None:
        pool.hang()
        ticks_until(house, "submitting")
        for words in (["--absent"], ["--adopt", "163.0"]):
            line = house.refused("queue", "resolve", str(EXPNUM), *words, code=1)
            assert "its submission may still come to something: condor_submit_dag still runs" in line
        pool.hang(False)
        house.until(lambda: list(house.state.glob("htcondor/*/1/keeper/exit")), "it has ended")
        assert house.command("queue", "resolve", str(EXPNUM), "--absent").returncode == 0
        assert submission(house)["state"] == "intent"
        (tried,) = house.rows("SELECT * FROM v_submit_try")
        assert (tried["outcome"], tried["cause"]) == ("transient", "said_absent")
        assert tried["text"] == "said by hand: it was never submitted"

    def test_the_daemon_runs(self, house: House, pool: FilePool) -> None:
        pool.hang()
        house.start()
        house.until(lambda: submission(house)["state"] == "submitting", "it is submitted")
        line = house.refused("queue", "resolve", str(EXPNUM), "--absent", code=1)
        assert "its DAG is being submitted by the daemon, which reads what comes of it in each cycle" in line


class TestRefused:
    """Whatever is not in doubt, or is no id, is refused in one line, and nothing is changed."""

    def test_never_submitted(self, house: House) -> None:
        line = house.refused("queue", "resolve", str(EXPNUM), "--absent", code=1)
        assert "nothing is to be resolved: it is queued, and was never submitted" in line

    def test_known(self, house: House, pool: FilePool) -> None:
        pool.queue([dag_ad(TAG, EXPNUM)])
        ticks_until(house, "running")
        line = house.refused("queue", "resolve", str(EXPNUM), "--absent", code=1)
        assert f"nothing is to be resolved: its DAG {TAG} is running as 163.0" in line

    def test_wrong_use(self, house: House) -> None:
        for words in (
            [],
            ["--absent", "--adopt", "163.0"],
            ["--adopt", "163"],
            ["--adopt", "163.0@"],
            ["--adopt", "163.0@sched d"],
            ["--adopt", "163.0'; DROP TABLE exposure"],
            ["--adopt", "\uff11\uff16\uff13.0"],
            ["--adopt", "163.0\n"],
            ["--absent", "--reason", "x" * 501],
        ):
            house.refused("queue", "resolve", str(EXPNUM), *words, code=2)

    def test_unknown_exposure(self, house: House) -> None:
        house.refused("queue", "resolve", "938599", "--absent", code=1)
