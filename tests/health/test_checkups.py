"""The daemon has itself looked at, and one alert names what fails and no other alert tells."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import Engine

from desgw_daemon.config.loading import load
from desgw_daemon.daemon.after_cycle import Committed
from desgw_daemon.daemon.alerting import set_alerts
from desgw_daemon.daemon.checkups import Checkups
from desgw_daemon.decide.checkup_alerts import checkup_alerts
from desgw_daemon.domain.actions import AlertWanted
from desgw_daemon.domain.checkup import Checkup, Finding, Outcome
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.snapshot import Snapshot
from desgw_daemon.report.logs import Log
from desgw_daemon.store.checkup import load_checkup, record_checkup
from desgw_daemon.store.database import create_or_check, reading, writing
from desgw_daemon.wiring import House

AT = datetime(2026, 11, 22, 2, 14, 5, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LOCK = Finding(name="host_lock", outcome=Outcome.FAIL, text="it cannot be held", todo="chmod g+w it")
PNFS = Finding(name="pnfs", outcome=Outcome.FAIL, text="/pnfs gives no answer", todo="ls it")
SPACE = Finding(name="backup", outcome=Outcome.WARN, text="no copy", todo="make one")


def snapshot(*failed: Finding, rules: tuple[str, ...] = ()) -> Snapshot:
    """What stands in the database."""
    return Snapshot(checkup=Checkup(failed=failed, at=AT, rules=frozenset(rules)))


class TestTheAlert:
    """One names every failure, and leaves out what a rule that is up tells already."""

    def test_one_for_all(self) -> None:
        (alert,) = checkup_alerts(snapshot(LOCK, PNFS))
        assert (alert.key, alert.rule) == ("checkup_failed", "checkup_failed")
        assert alert.text == (
            "`desgw-daemon doctor` finds 2 things that a night needs (checked at 2026-11-22T02:14:05Z): host_lock: it"
            " cannot be held (chmod g+w it); pnfs: /pnfs gives no answer (ls it)"
        )

    def test_told_by_another(self) -> None:
        (alert,) = checkup_alerts(snapshot(LOCK, PNFS, rules=("pnfs_silent",)))
        assert "host_lock" in alert.text and "pnfs" not in alert.text
        assert checkup_alerts(snapshot(PNFS, rules=("pnfs_silent",))) == []
        assert checkup_alerts(Snapshot()) == []


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Engine]:
    """A new database."""
    engine = create_or_check(tmp_path / "desgw.db")
    yield engine
    engine.dispose()


class TestItsRows:
    """A rule that was up at the time of the check or later has told of it, until the next check."""

    def test_rules(self, database: Engine) -> None:
        silent = AlertWanted(key="pnfs_silent", rule="pnfs_silent", text="/pnfs is silent")
        other = AlertWanted(key="inbox", rule="inbox", text="no")
        with writing(database) as connection:
            set_alerts(connection, [other], Policy(), at=AT - 9 * MINUTE)
            set_alerts(connection, [silent], Policy(), at=AT - 5 * MINUTE)  # `inbox` is over before the check
            record_checkup(connection, [PNFS, LOCK, SPACE], at=AT)
            found = load_checkup(connection)
            assert found is not None and found.failed == (PNFS, LOCK)
            assert "pnfs_silent" in found.rules, "it waits for its delay"
            for minutes in range(3):
                set_alerts(connection, [silent], Policy(), at=AT + minutes * MINUTE)
            for minutes in range(3, 30):
                set_alerts(connection, [], Policy(), at=AT + minutes * MINUTE)
            found = load_checkup(connection)
            assert found is not None and "pnfs_silent" in found.rules, "it is over, and the check is older"
            record_checkup(connection, [PNFS], at=AT + timedelta(days=1))
            found = load_checkup(connection)
            assert found is not None and found.rules == frozenset() and found.failed == (PNFS,)
            record_checkup(connection, [SPACE], at=AT + timedelta(days=2))
            assert load_checkup(connection) is None


class Surroundings:
    """A daemon's loop: cycles at times of the test's own, and the real program as the doctor."""

    def __init__(self, root: Path, log: Log) -> None:
        for name in ("state", "pnfs/exp", "workflow", "postproc"):
            (root / name).mkdir(parents=True)
        self.file = root / "daemon.toml"
        self.file.write_text(
            '[paths]\nstate = "state"\npnfs = "pnfs"\nworkflow = "workflow"\npostprocessing = "postproc"\n'
            '[submit]\nengine = "local"\n'
        )
        self.config = load(self.file).config
        self.database = create_or_check(self.config.database)
        self.seconds = 0.0
        self.checkups = Checkups(source=self.file, log=log, clock=lambda: self.seconds)

    def cycle(self, seconds: float) -> None:
        """One, so long after the one before it."""
        self.seconds += seconds
        house = cast(House, SimpleNamespace(config=self.config, database=self.database))
        self.checkups.cycle_done(Committed(number=1, at=datetime.now(UTC), house=house))

    def rows(self) -> list[dict[str, Any]]:
        """What stands in the table."""
        with reading(self.database) as connection:
            return [dict(row) for row in connection.exec_driver_sql("SELECT * FROM v_checkup").mappings()]

    def until_rows(self, name: str, outcome: str) -> None:
        """Cycles, until a check has come to this."""
        end = time.monotonic() + 60
        while not any(row["name"] == name and row["outcome"] == outcome for row in self.rows()):
            assert time.monotonic() < end, self.rows()
            time.sleep(0.05)
            self.cycle(0.01)


class TestTheDaemonLooks:
    """Half a minute after the start, again soon while something fails, then once a day; never at every cycle."""

    def test_a_day(self, tmp_path: Path) -> None:
        log_file = tmp_path / "log"

        def times() -> int:
            return sum(json.loads(line)["event"] == "checkup_done" for line in log_file.read_text().splitlines())

        with Log(level="INFO", file=log_file) as log:
            house = Surroundings(tmp_path / "place", log)
            for _ in range(29):
                house.cycle(1)
            assert house.rows() == []
            house.cycle(1)
            house.until_rows("dagmaker", "fail")
            assert times() == 1
            for name in ("DAGMaker.sh", "setup_img_proc.sh", "dagmaker.rc"):
                path = house.config.paths.workflow / name
                path.write_text("# here\n")
                path.chmod(0o755)
            house.cycle(500)  # not yet
            house.cycle(101)
            house.until_rows("dagmaker", "ok")
            # Other things are still away (exposures.list ...): again in ten minutes.
            assert times() == 2
            house.database.dispose()

    def test_one_that_comes_to_no_end(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is ended and told, and tried again."""
        stand_in = tmp_path / "python"
        stand_in.write_text("#!/bin/sh\nexec sleep 100\n")
        stand_in.chmod(0o755)
        monkeypatch.setattr("sys.executable", str(stand_in))
        with Log(level="INFO", file=None) as log:
            house = Surroundings(tmp_path / "place", log)
            house.cycle(31)
            house.cycle(60)
            with pytest.raises(OSError, match="comes to no end"):
                house.cycle(600)
            house.cycle(60)
            stand_in.write_text("#!/bin/sh\nexit 2\n")
            house.cycle(600)
            with pytest.raises(OSError, match="exit code 2"):
                for _ in range(200):
                    house.cycle(0.01)
                    time.sleep(0.05)
            house.database.dispose()
