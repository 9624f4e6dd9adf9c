"""A DES database on the tests' PostgreSQL: the ten tables in a schema, and a user who may only read them."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import text

from tests.postgres import Server

TABLES: Final = (
    *("SNAUTOSCAN", "SNAUTOSCAN_SAVE", "SNCAND", "SNFAKEIMG", "SNFAKEMATCH"),
    *("SNFORCE", "SNOBS", "SNOBSINFO", "SNOBS_SAVE", "SNSCAN"),
)
#: With everything that a URL must have escaped.
PASSWORD: Final = "pa:ss/w@rd%41?&#"


@dataclass(frozen=True)
class Des:
    """One schema and its reader."""

    server: Server
    schema: str
    reader: str

    @classmethod
    def on(cls, server: Server) -> Des:
        """A new schema, its tables empty."""
        name = f"marcelle_{uuid.uuid4().hex[:12]}"
        des = cls(server, name.upper(), f"reader_{name}")
        des.sql(
            f"CREATE SCHEMA {name}",
            *(f"CREATE TABLE {name}.{table} (SNID bigint, SEASON integer)" for table in TABLES),
            f"CREATE ROLE {des.reader} LOGIN PASSWORD '{PASSWORD}'",
            f"GRANT USAGE ON SCHEMA {name} TO {des.reader}",
            f"GRANT SELECT ON ALL TABLES IN SCHEMA {name} TO {des.reader}",
        )
        return des

    @property
    def url(self) -> str:
        """The reader's way in, its password escaped in it."""
        return self.url_with(PASSWORD)

    def url_with(self, password: str | None) -> str:
        """The reader's way in with another password, or with none."""
        return self.server.url_of(self.reader, password).render_as_string(hide_password=False)

    def sql(self, *statements: str) -> None:
        """Carry out statements as the owner."""
        engine = self.server.engine()
        with engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement.replace("%", "%%"))
        engine.dispose()

    def use(self, table: str, *seasons: int | None) -> None:
        """Put rows of these seasons into a table, each several times."""
        engine = self.server.engine()
        with engine.begin() as connection:
            for season in seasons:
                statement = f"INSERT INTO {self.schema}.{table} SELECT i, :season FROM generate_series(1, 20) i"
                connection.execute(text(statement), {"season": season})
        engine.dispose()

    def written(self) -> Iterable[int]:
        """How many rows each table has."""
        engine = self.server.engine()
        with engine.connect() as connection:
            counts = [connection.execute(text(f"SELECT count(*) FROM {self.schema}.{table}")) for table in TABLES]
            found = [int(count.scalar_one()) for count in counts]
        engine.dispose()
        return found
