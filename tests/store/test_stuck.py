"""Processes that hang on a tree are counted over a restart of the daemon."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from desgw_daemon.observe.abandoned import Abandoned
from desgw_daemon.store.adding import Wish, add
from desgw_daemon.store.database import create_or_check, writing
from desgw_daemon.store.stuck import known_stuck, record_stuck
from tests.observe.traced import until

AT = datetime(2026, 11, 22, 2, 14, 5, tzinfo=UTC)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Engine]:
    engine = create_or_check(tmp_path / "desgw.db")
    yield engine
    engine.dispose()


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """One that takes no notice, as if it hung."""
    process = subprocess.Popen(["sleep", "1000"])
    yield process
    process.kill()
    process.wait()


class TestOverARestart:
    """The next daemon takes over those that live, by pid, start time and boot; one that has died is forgotten."""

    def test_counted_until_it_dies(self, database: Engine, process: subprocess.Popen[bytes]) -> None:
        first, second = Abandoned(), Abandoned()
        first.add(process, tree="pnfs", what="exp/20260101/1200219/dp2206")
        with writing(database) as connection:
            record_stuck(connection, first.living())
            second.take_over(known_stuck(connection))
        assert [(stuck.pid, stuck.what) for stuck in second.living("pnfs")] == [
            (process.pid, "exp/20260101/1200219/dp2206")
        ]
        assert second.living("workflow") == ()
        process.kill()
        process.wait()
        until(lambda: not second.living())
        with writing(database) as connection:
            record_stuck(connection, second.living())
            assert known_stuck(connection) == ()

    def test_not_one_of_another_boot(self, database: Engine, process: subprocess.Popen[bytes]) -> None:
        first, second = Abandoned(), Abandoned()
        first.add(process, tree="pnfs", what="exp")
        with writing(database) as connection:
            record_stuck(connection, first.living())
            connection.execute(text("UPDATE stuck_process SET boot_id = 'another'"))
            second.take_over(known_stuck(connection))
        assert second.living() == ()

    def test_not_another_process_with_its_pid(self, database: Engine, process: subprocess.Popen[bytes]) -> None:
        first, second = Abandoned(), Abandoned()
        first.add(process, tree="pnfs", what="exp")
        with writing(database) as connection:
            record_stuck(connection, first.living())
            connection.execute(text("UPDATE stuck_process SET start = start + 1"))
            second.take_over(known_stuck(connection))
        assert second.living() == ()


class TestLetGo:
    """When a process that hung on /pnfs has died, what was put aside is looked at again at once."""

    @pytest.mark.parametrize(("tree", "hung"), [("pnfs", None), ("workflow", "2026-11-22 02:14:05.000000")])
    def test_put_aside_no_more(
        self, database: Engine, process: subprocess.Popen[bytes], tree: str, hung: str | None
    ) -> None:
        abandoned = Abandoned()
        abandoned.add(process, tree=tree, what="exp/20260101/1200219/dp2206")
        with writing(database) as connection:
            wishes = [Wish(expnum=1200219, band="i", nite="20260101")]
            add(connection, season=2206, wishes=wishes, priority=0, who="observer", at=AT, source="tonight.list")
            connection.execute(text("UPDATE exposure SET hung_at = since"))
            record_stuck(connection, abandoned.living())
        process.kill()
        process.wait()
        until(lambda: not abandoned.living())
        with writing(database) as connection:
            record_stuck(connection, abandoned.living())
            assert connection.execute(text("SELECT hung_at FROM exposure")).scalar_one() == hung
