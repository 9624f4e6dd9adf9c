"""The exposure database of the observatory: read line by line, never written, never waited for without an end.

Must not keep what it reads: 1.2 million lines pass through here. Must not show a password: not in an error either.
"""

from __future__ import annotations

import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import (
    URL,
    ColumnClause,
    Connection,
    Engine,
    Select,
    column,
    create_engine,
    event,
    make_url,
    select,
    table,
    text,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from desgw_daemon.domain.exposureline import exposure_line

_COLUMNS: Final = ("id", "date", "ra", "declination", "filter", "exptime", "propid", "flavor", "qc_teff", "object")
#: As the pipeline's own getExposureInfo asks. 182809 is the first exposure of the nite 20130228.
_WANTED: Final = "flavor = 'object' AND exptime > 29.999 AND ra IS NOT NULL AND id >= 182809"
#: Rows fetched at once: 2 MB, and 240 questions for all of them.
_ROWS_AT_ONCE: Final = 5000
#: The server gives up first, and says so; a server that says nothing is left this long after it.
_AFTER_SERVER: Final = timedelta(seconds=2)
_LOOK_EVERY_S: Final = 0.1
_STALLED: Final = "it has stopped answering"


class ExposureDatabaseError(Exception):
    """The database cannot be reached, has not what is wanted, or has stopped answering. Words for a person."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One exposure: its number, its band, and its line of exposures.list. line: None when it lacks band or date."""

    expnum: int
    band: str | None
    line: str | None


class ExposureDatabase:
    """Where exposures.list comes from.

    SQLite files are opened read-only; a relative one lies in `folder`. On PostgreSQL everything is one read-only
    transaction, with a cursor on the server.
    """

    def __init__(self, url: str, *, schema: str, folder: Path, patience: timedelta) -> None:
        """patience: how long the connection, and each of the thousands of answers, may take.

        Raises ExposureDatabaseError for a URL that cannot be used.
        """
        try:
            self._url = make_url(url)
        except (ArgumentError, ValueError):
            raise ExposureDatabaseError("databases.exposures is no URL of a database") from None
        self._schema = schema or None
        self._folder = folder
        self._patience = patience

    @property
    def name(self) -> str:
        """The database as it may be shown: no user, no password."""
        if self._is_sqlite:
            return str(self._file)
        port = f":{self._url.port}" if self._url.port else ""
        return f"{self._url.database or '?'} at {self._url.host or 'this machine'}{port}"

    def lines(self) -> Iterator[Listed]:
        """Every exposure that the pipeline wants, by number. Raises ExposureDatabaseError, also in the middle."""
        watch = _Watch(self._patience + _AFTER_SERVER)
        try:
            with watch.watching(), self._connected(watch) as connection:
                rows = connection.execution_options(yield_per=_ROWS_AT_ONCE, stream_results=True).execute(self._query())
                for some in rows.partitions():
                    watch.rests()
                    for row in some:
                        yield _listed(tuple(row))
                    watch.waits()
        except (SQLAlchemyError, ArithmeticError, ValueError, TypeError, OSError, ImportError) as error:
            # What the library says of itself holds the URL's parts, and the question.
            raise ExposureDatabaseError(self._words(error, watch)) from None

    @contextmanager
    def _connected(self, watch: _Watch) -> Iterator[Connection]:
        engine = self._engine(watch)
        try:
            with engine.connect() as connection:
                if connection.dialect.name == "postgresql":
                    connection = connection.execution_options(postgresql_readonly=True)
                    limit = round(self._patience / timedelta(milliseconds=1))
                    connection.execute(text(f"SET LOCAL statement_timeout = {limit}"))
                    connection.execute(text("SET LOCAL TIME ZONE 'UTC'"))
                    watch.waits()
                try:
                    yield connection
                except BaseException:
                    # Not given back politely: that would wait for a server that does not answer.
                    connection.invalidate()
                    raise
        finally:
            engine.dispose()

    def _engine(self, watch: _Watch) -> Engine:
        if self._is_sqlite:
            return create_engine("sqlite://", creator=self._open_file, poolclass=NullPool)
        engine = create_engine(self._url, poolclass=NullPool)

        @event.listens_for(engine, "do_connect")
        def _connect(dialect: Any, record: Any, words: Any, options: dict[str, Any]) -> Any:
            if dialect.driver == "psycopg":
                options.setdefault("connect_timeout", max(1, round(self._patience.total_seconds())))
                options.setdefault("application_name", "desgw-daemon")
            connection = dialect.connect(*words, **options)
            watch.waits()
            if dialect.driver == "psycopg":
                watch.may_cut(connection.fileno())
                if connection.info.parameter_status("server_encoding") == "SQL_ASCII":
                    # Texts without an encoding would come as bytes, which SQLAlchemy itself cannot read.
                    connection.execute("SET client_encoding TO 'LATIN1'")
                    connection.commit()
            return connection

        return engine

    def _open_file(self) -> Any:
        import sqlite3

        return sqlite3.connect(f"{self._file.as_uri()}?mode=ro", uri=True, timeout=self._patience.total_seconds())

    @property
    def _is_sqlite(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    @property
    def _file(self) -> Path:
        return (self._folder / (self._url.database or "")).absolute()

    def _query(self) -> Select[Any]:
        names: list[ColumnClause[Any]] = [column(name) for name in _COLUMNS]
        exposure = table("exposure", *names, schema=self._schema)
        return select(*names).select_from(exposure).where(text(_WANTED)).order_by(exposure.c.id)

    def _words(self, error: Exception, watch: _Watch) -> str:
        if watch.cut:
            why = f"{_STALLED} (nothing for {self._patience.total_seconds():g} s; databases.timeout)"
        elif isinstance(error, NoSuchModuleError | ImportError):
            why = f"there is no driver for {self._url.drivername}"
        else:
            said = str(error.orig) if isinstance(error, DBAPIError) else str(error)
            # What follows shows a piece of the question.
            why = next(iter(self._without_secrets(said).strip().splitlines()), type(error).__name__)
        return f"the exposure database {self.name}: {why}"

    def _without_secrets(self, said: str) -> str:
        for secret in _secrets(self._url):
            said = said.replace(secret, "***")
        return said


class _Watch:
    """Ends a connection on which nothing was heard for too long: whoever waits for its next answer gets an error.

    A driver's own time-outs end only with words of the server, and one that hangs has none.
    """

    def __init__(self, limit: timedelta) -> None:
        self._limit = limit.total_seconds()
        self._until: float | None = time.monotonic() + self._limit
        self._socket: socket.socket | None = None
        self._over = threading.Event()
        self.cut = False

    def waits(self) -> None:
        """From now on an answer is waited for."""
        self._until = time.monotonic() + self._limit

    def rests(self) -> None:
        """There was an answer, and nothing is waited for: a slow disk is not the database's fault."""
        self._until = None

    def may_cut(self, descriptor: int) -> None:
        """The connection's socket."""
        self._socket = socket.socket(fileno=os.dup(descriptor))

    @contextmanager
    def watching(self) -> Iterator[None]:
        """For as long as the block lasts."""
        thread = threading.Thread(target=self._watch, name="exposure database", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()
            if self._socket is not None:
                self._socket.close()

    def _watch(self) -> None:
        while not self._over.wait(_LOOK_EVERY_S):
            until = self._until
            # Until there is a socket, the driver's time-out for connecting holds; a file needs none.
            if until is not None and self._socket is not None and time.monotonic() >= until:
                self.cut = True
                with suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)
                return


def _listed(row: tuple[Any, ...]) -> Listed:
    expnum, date, ra, dec, band, exptime, propid, flavor, teff, name = row
    band, taken = _text(band), _moment(date)
    if band is None or taken is None or not band.strip():
        return Listed(int(expnum), None, None)
    line = exposure_line(int(expnum), taken, ra, dec, band, exptime, _text(propid), _text(flavor), teff, _text(name))
    return Listed(int(expnum), line.split(None, 6)[5], line)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _moment(value: Any) -> datetime | None:
    """UTC, where the database does not say otherwise. SQLite has no type for times."""
    if value is None:
        return None
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _secrets(url: URL) -> list[str]:
    """What must never be shown: the password, as it is and as it stands in the URL."""
    found = [url.password] if isinstance(url.password, str) else []
    found += [str(value) for key, value in url.query.items() if re.search("pass|key|secret", key)]
    quoted = [match[1] for match in re.finditer(r":([^:@/]+)@", url.render_as_string(hide_password=False))]
    return sorted({secret for secret in (*found, *quoted) if secret}, key=len, reverse=True)
