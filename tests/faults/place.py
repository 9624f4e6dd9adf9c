"""A small place whose cycles run in this process: the objects that `run` builds, some replaced by broken ones."""

from __future__ import annotations

import io
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import event

from desgw_daemon.config.loading import load
from desgw_daemon.daemon.tick import TickResult, tick
from desgw_daemon.domain.actions import AlertWanted
from desgw_daemon.report.logs import Log
from desgw_daemon.store.adding import Wish, add
from desgw_daemon.store.database import create_or_check, writing
from desgw_daemon.store.seasons import Taking, take
from desgw_daemon.wiring import House, build

START: Final = datetime(2026, 11, 22, 2, tzinfo=UTC)
SEASON: Final = 2206
CONFIG: Final = """\
[paths]
state = "state"
pnfs = "pnfs"
workflow = "gw_workflow"
postprocessing = "Post-Processing"
[submit]
engine = "local"
[credential]
kind = "none"
"""


class Broken:
    """Whatever is asked of it ends with an error that nobody has foreseen."""

    def __init__(self, error: Exception | None = None) -> None:
        self._error = KeyError("nobody has foreseen this") if error is None else error

    def __getattr__(self, name: str) -> Any:
        raise self._error

    def __getitem__(self, name: str) -> Any:
        raise self._error


class Place:
    """A state folder and empty trees."""

    def __init__(self, root: Path, *, config: str = CONFIG) -> None:
        self.root = root
        self.state = root / "state"
        for folder in ("state", "pnfs", "gw_workflow", "Post-Processing"):
            (root / folder).mkdir(parents=True)
        (root / "daemon.toml").write_text(config)
        self.loaded = load(root / "daemon.toml")
        self.database = create_or_check(self.loaded.config.database)
        self.now = START
        self._since_boot = 1000.0
        self.said = io.StringIO()
        self.house = self.built()

    def built(self, **broken: Any) -> House:
        """The objects of a daemon, some replaced."""
        house = build(self.loaded.config, self.database, lambda: self.now, source=self.loaded.source)
        return replace(house, **broken)

    def queue(self, *expnums: int) -> None:
        """Put exposures into the queue."""
        with writing(self.database) as connection:
            take(connection, SEASON, Taking(how="queue", answers={}, unverified=[]), who="me", at=self.now)
            wishes = [Wish(expnum=expnum, nite="20200304", band="i") for expnum in expnums]
            add(connection, season=SEASON, wishes=wishes, priority=0, who="me", at=self.now, source="a test")

    def wait(self, span: timedelta) -> None:
        """Time passes, by both clocks."""
        self.now += span
        self._since_boot += span.total_seconds()

    def tick(
        self, house: House | None = None, *, later: timedelta = timedelta(minutes=1), told: AlertWanted | None = None
    ) -> TickResult:
        """One cycle."""
        self.wait(later)
        with self.log() as log:
            return tick(
                house or self.house, log, clock=lambda: self.now, since_boot=lambda: self._since_boot, told=told
            )

    @contextmanager
    def log(self) -> Iterator[Log]:
        """What goes to the terminal is kept in `said`."""
        with Log(level="INFO", file=self.loaded.config.log_file, terminal=self.said) as log:
            yield log

    def rows(self, query: str) -> list[Any]:
        """Rows of the database, as people read it."""
        with closing(sqlite3.connect(self.loaded.config.database)) as connection:
            return connection.execute(query).fetchall()

    def impatient(self) -> None:
        """Wait for a file that another program has locked for a moment only."""

        @event.listens_for(self.database, "connect")
        def _connect(connection: Any, record: Any) -> None:
            connection.execute("PRAGMA busy_timeout = 50")

        self.database.dispose()

    def up(self) -> set[str]:
        """The keys of the alerts that are up."""
        return {key for (key,) in self.rows("SELECT key FROM alert WHERE cleared_at IS NULL")}

    def remove(self) -> None:
        """Let go of it all."""
        self.database.dispose()
        shutil.rmtree(self.root, ignore_errors=True)
