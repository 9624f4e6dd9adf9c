"""Takes the numbers for Prometheus after each cycle, when daemon.toml asks for them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from desgw_daemon import __version__
from desgw_daemon.config.model import Config
from desgw_daemon.daemon.after_cycle import Committed
from desgw_daemon.domain.metricnames import PREFIX
from desgw_daemon.store.database import SCHEMA, reading
from desgw_daemon.store.numbers import Calls, Sample, calls_of, read_numbers
from desgw_daemon.store.readonly import wal_size

if TYPE_CHECKING:
    from desgw_daemon.report.metrics import Exporter


class Measuring:
    """A task of `AfterCycle`. Nothing is imported, read or counted while no numbers are wanted."""

    def __init__(self) -> None:
        self._exporter: Exporter | None = None
        self._calls = Calls()
        self._counted = 0

    def cycle_done(self, committed: Committed) -> None:
        """Show the numbers of this cycle. Raises OSError: the port is taken, the file cannot be written."""
        config = committed.house.config
        wanted = config.metrics
        if not wanted.listen and wanted.textfile is None:
            return
        if self._exporter is None:
            from desgw_daemon.report.metrics import Exporter

            self._exporter = Exporter()
            self._counted = committed.number - 1
        with reading(committed.house.database) as connection:
            self._calls += calls_of(connection, after=self._counted, upto=committed.number)
            self._counted = committed.number
            samples = read_numbers(connection, cycle=committed.number)
        self._exporter.take((*samples, *self._own(committed, config)))
        problems = []
        for show in (self._serve, self._write):
            try:
                show(config)
            except OSError as error:
                problems.append(str(error))
        if problems:
            raise OSError("; ".join(problems))

    def _serve(self, config: Config) -> None:
        if self._exporter is not None and config.metrics.listen:
            self._exporter.serve(config.metrics.listen)

    def _write(self, config: Config) -> None:
        if self._exporter is not None and config.metrics.textfile is not None:
            self._exporter.write(config.metrics.textfile)

    def _own(self, committed: Committed, config: Config) -> Iterator[Sample]:
        """What does not stand in the database."""
        calls = self._calls
        yield Sample(f"{PREFIX}build_info", 1, (__version__, SCHEMA))
        yield Sample(f"{PREFIX}poll_interval_seconds", config.poll.interval.total_seconds())
        yield Sample(f"{PREFIX}dagmakers_limit", config.dagmaker.max_at_once)
        yield Sample(f"{PREFIX}dags_in_flight_limit", config.submit.max_in_flight)
        for kind, count in (("listing", calls.listings), ("stat", calls.stats), ("read", calls.reads)):
            yield Sample(f"{PREFIX}pnfs_calls_total", count, (kind,))
        yield Sample(f"{PREFIX}queue_calls_total", calls.queue)
        if committed.credential_until is not None:
            yield Sample(f"{PREFIX}credential_expiry_timestamp_seconds", committed.credential_until.timestamp())
        with suppress(OSError):
            yield Sample(f"{PREFIX}state_free_bytes", shutil.disk_usage(config.paths.state).free)
        with suppress(OSError):
            size = config.database.stat().st_size + wal_size(config.database)
            yield Sample(f"{PREFIX}database_size_bytes", size)
