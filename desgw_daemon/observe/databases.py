"""Databases of other people: reached by an SQLAlchemy URL or a section of ~/.desservices.ini, and only ever read.

Whatever goes wrong is `NoAnswer`, in words from which every password was taken out. Must not be used by a process that
cannot be ended from outside: a driver may hang where no time-out of its own reaches.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, quote_plus

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool
from sqlalchemy.sql import Executable

from desgw_daemon.config.secrets import HIDDEN
from desgw_daemon.errors import DesgwError
from desgw_daemon.observe.desservices import FILE, oracle_address

_SECTION: Final = "desservices:"
#: Which driver speaks for a URL that names none.
_DRIVERS: Final = {"postgresql": "postgresql+psycopg", "oracle": "oracle+oracledb"}
#: What to do about a driver that is not there.
_EXTRAS: Final = {
    "oracledb": "the package oracledb is not installed:"
    " pip install 'desgw-daemon[oracle]', or install oracledb beside it"
}
_SECRET: Final = re.compile("pass|pwd|secret|token", re.IGNORECASE)
#: libpq takes less for this.
_SHORTEST_CONNECT_S: Final = 2
_MOST_WORDS: Final = 300


class NoAnswer(DesgwError):
    """A database did not answer, and why. lost: nothing more can be asked over this connection."""

    def __init__(self, words: str, *, lost: bool) -> None:
        super().__init__(words)
        self.lost = lost


def address_of(text: str, *, home: Path) -> URL:
    """How a database is reached; text: the value of daemon.toml. Raises DesgwError with words that hold no password."""
    if text.startswith(_SECTION):
        return oracle_address(home / FILE, text.removeprefix(_SECTION))
    try:
        url = make_url(text)
    except (SQLAlchemyError, ValueError):
        raise NoAnswer("its URL in daemon.toml cannot be understood", lost=True) from None
    return url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))


class Reader:
    """One connection that reads. Every statement is a read-only transaction, and all of them together end in time."""

    def __init__(self, url: URL, *, timeout: timedelta) -> None:
        self._url = url
        self._timeout = timeout
        self._end = time.monotonic() + timeout.total_seconds()
        self._connection: Connection | None = None
        with self._plainly():
            self._connection = self._engine().connect()

    def rows(self, statement: Executable) -> Sequence[Any]:
        """What a statement gives. Raises NoAnswer."""
        assert self._connection is not None
        with self._plainly(), self._connection.begin():
            self._bound()
            return self._connection.execute(statement).all()

    def close(self) -> None:
        """End the connection."""
        if self._connection is not None:
            self._connection.close()

    def _engine(self) -> Engine:
        settings: dict[str, Any] = {}
        options: dict[str, Any] = {}
        dialect, seconds = self._url.get_backend_name(), self._left()
        if dialect == "postgresql":
            settings["connect_args"] = {"connect_timeout": max(_SHORTEST_CONNECT_S, math.ceil(seconds))}
            options["postgresql_readonly"] = True
        elif dialect == "oracle":
            settings["connect_args"] = {"tcp_connect_timeout": seconds}
        elif dialect == "sqlite":
            # Neither made nor written, whatever the URL says.
            settings["creator"] = self._sqlite
        engine = create_engine(
            self._url, poolclass=NullPool, hide_parameters=True, execution_options=options, **settings
        )
        if dialect == "oracle":

            @event.listens_for(engine, "connect")
            def _limit(connection: Any, record: Any) -> None:
                connection.call_timeout = self._left_ms()

        return engine

    def _sqlite(self) -> Any:
        import sqlite3

        return sqlite3.connect(f"file:{quote(self._url.database or '')}?mode=ro", uri=True, timeout=self._left())

    def _bound(self) -> None:
        """Make the transaction one that only reads, and whose statements end in time."""
        assert self._connection is not None
        dialect = self._url.get_backend_name()
        if dialect == "postgresql":
            self._connection.exec_driver_sql(f"SET LOCAL statement_timeout = {self._left_ms()}")
        elif dialect == "oracle":
            driver: Any = self._connection.connection.driver_connection
            driver.call_timeout = self._left_ms()
            self._connection.exec_driver_sql("SET TRANSACTION READ ONLY")

    def _left(self) -> float:
        left = self._end - time.monotonic()
        if left <= 0:
            raise NoAnswer(f"no answer within {self._timeout.total_seconds():g} s", lost=True)
        return left

    def _left_ms(self) -> int:
        return math.ceil(self._left() * 1000)

    @contextmanager
    def _plainly(self) -> Iterator[None]:
        """What the driver says, in one line without secrets. Raises NoAnswer."""
        try:
            yield
        except NoAnswer:
            raise
        except ModuleNotFoundError as error:
            name = error.name or ""
            words = _EXTRAS.get(name, f"the package {name} is not installed, and its URL in daemon.toml names it")
            raise NoAnswer(words, lost=True) from None
        except Exception as error:  # noqa: BLE001 - drivers raise what they like, and nothing of it may show a secret
            raise NoAnswer(self._without_secrets(_words(error)), lost=self._is_lost(error)) from None

    def _is_lost(self, error: Exception) -> bool:
        return not isinstance(error, DBAPIError) or error.connection_invalidated or self._connection is None

    def _without_secrets(self, words: str) -> str:
        secrets = [self._url.password] if self._url.password else []
        secrets += [str(value) for key, value in self._url.query.items() if _SECRET.search(key)]
        for secret in secrets:
            for form in (str(secret), quote(str(secret), safe=""), quote_plus(str(secret))):
                words = words.replace(form, HIDDEN)
        return words


def _words(error: Exception) -> str:
    """What the database or its driver says. SQLAlchemy's own text is left out: it may hold the URL."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    said = getattr(getattr(cause, "diag", None), "message_primary", None) or str(cause)
    line = " ".join(str(said).split()) or type(cause).__name__
    return line if len(line) <= _MOST_WORDS else f"{line[: _MOST_WORDS - 3]}..."
