"""A realistic night for the reading commands, made once and copied for each test."""

from __future__ import annotations

import shutil
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from .filled import fill

TOML = '[paths]\nstate = "."\npnfs = "{0}/pnfs"\nworkflow = "{0}/workflow"\npostprocessing = "{0}/postproc"\n'


@pytest.fixture(scope="session")
def filled_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database that the tests' copies are made of."""
    path = tmp_path_factory.mktemp("filled") / "desgw.db"
    fill(path, datetime.now(UTC).replace(microsecond=0))
    return path


@pytest.fixture
def night(filled_once: Path, tmp_path: Path) -> Path:
    """A state folder with daemon.toml, a night's database, and a cycle that has just ended. The trees are away."""
    (tmp_path / "daemon.toml").write_text(TOML.format(tmp_path / "nowhere"))
    shutil.copy(filled_once, tmp_path / "desgw.db")
    cycle(tmp_path, ago=timedelta(seconds=5))
    return tmp_path


def cycle(state: Path, *, ago: timedelta, ended: bool = True, problem: str | None = None) -> None:
    """Add the row of a cycle."""
    begun = datetime.now(UTC) - ago
    end = begun + timedelta(seconds=2) if ended else None
    change(
        state,
        "INSERT INTO poll (started_at, ended_at, look_seconds, pnfs_problem, exposures, listings, stats, reads, unseen,"
        " actions) VALUES (?, ?, ?, ?, 0, 0, 0, 0, 0, 0)",
        sql_time(begun),
        end and sql_time(end),
        1.0 if ended else None,
        problem,
    )


def change(state: Path, statement: str, *values: object) -> None:
    """Change the database by hand, and close it cleanly."""
    db = sqlite3.connect(state / "desgw.db")
    with db:
        db.execute(statement, values)
    db.close()


def sql_time(moment: datetime) -> str:
    """As the tables have it: UTC without a zone."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"
