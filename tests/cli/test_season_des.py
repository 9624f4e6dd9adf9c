"""`season` and `queue add` with a DES database, and the places where its password could show."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.night.house import House, night_of, planned
from tests.postgres import Server

from .des import Des
from .program import program

SECRET = "s3cr3t"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path / "sandbox", night_of(planned(938524)), {})
    yield house
    house.close()


class TestWithADatabase:
    """What it says counts, in each command that takes a season."""

    def test_season(self, house: House, postgres: Server) -> None:
        des = Des.on(postgres)
        des.use("SNFORCE", 2206, 2001)
        house.configure("databases.des", f"'{des.url}'")
        house.configure("databases.des_schema", f'"{des.schema}"')
        done = house.command("season", "check", "2206")
        assert done.returncode == 1 and "SEASON of SNFORCE" in done.stdout
        assert house.ok("season", "check", "2207").endswith("season 2207 is free\n")
        assert house.ok("season", "new", "--range", "2001-2002") == "2002\n"
        line = house.refused("queue", "add", "938524", "--season", "2206", code=1)
        assert "used elsewhere (des: SEASON of SNFORCE)" in line and "--reuse 2206" in line
        done = house.command("queue", "add", "938524", "--season", "2207")
        assert (done.returncode, done.stderr) == (0, "")
        (_, row) = json.loads(house.ok("season", "list", "--json"))
        assert row["unverified"] == [] and row["answers"]["des"].startswith("free: in none of the 10 tables")

    def test_wrong_password(self, house: House, postgres: Server) -> None:
        des = Des.on(postgres)
        house.configure("databases.des", f"'{des.url_with(SECRET)}'")
        for words in (
            ("season", "check", "2207", "--json"),
            ("season", "new"),
            ("queue", "add", "938524", "--season", "2206"),
        ):
            done = house.command(*words)
            assert done.returncode == 1
            assert "password authentication failed" in done.stdout + done.stderr
            assert SECRET not in done.stdout + done.stderr
        house.ok("queue", "add", "938524", "--season", "2206", "--accept-unverified", "des")
        (row,) = house.rows("SELECT * FROM season")
        assert json.loads(row["unverified"]) == ["des"] and "authentication failed" in row["answers"]
        for file in house.state.glob("desgw.db*"):
            assert SECRET.encode() not in file.read_bytes()


class TestConfiguration:
    """The configuration is shown, and refused, without its passwords."""

    def test_show(self, tmp_path: Path) -> None:
        (tmp_path / "state").mkdir()
        url = f"postgresql://me:{SECRET}@host:5432/name"
        (tmp_path / "daemon.toml").write_text(f'[paths]\nstate = "state"\n[databases]\ndes = "{url}"\n')
        shown = program("config", "show", cwd=tmp_path).stdout
        assert "postgresql://me:***@host:5432/name" in shown and SECRET not in shown
        told = program("config", "show", "--json", cwd=tmp_path).stdout
        assert json.loads(told)["values"]["databases.des"]["value"] == "postgresql://me:***@host:5432/name"
        assert SECRET not in told

    @pytest.mark.parametrize(
        "line",
        [
            f'des = "postgre://me:{SECRET}@host/name"',
            f'des = ["postgresql://me:{SECRET}@host/name"]',
            f'dess = "postgresql://me:{SECRET}@host/name"',
            f'timeout = "postgresql://me:{SECRET}@host/name"',
        ],
    )
    def test_refused(self, tmp_path: Path, line: str) -> None:
        (tmp_path / "state").mkdir()
        (tmp_path / "daemon.toml").write_text(f'[paths]\nstate = "state"\n[databases]\n{line}\n')
        done = program("config", "check", "--json", cwd=tmp_path)
        assert done.returncode == 2 and SECRET not in done.stdout + done.stderr

    def test_taken_while_it_runs(self, house: House) -> None:
        """The log tells of a changed key, and of no password."""
        house.start()
        house.cycles(1)
        house.configure("databases.des", f'"postgresql://me:{SECRET}@host/name"')
        (said,) = house.until(lambda: house.log("config_taken"), "the new value is taken")
        assert "-> postgresql://me:***@host/name" in said["text"]
        house.stop()
        assert SECRET not in (house.state / "desgw-daemon.log").read_text() + (house.root / "daemon.err").read_text()
