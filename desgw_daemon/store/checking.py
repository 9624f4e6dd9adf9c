"""Checking the file and its schema against this program: what `db check` says."""

from __future__ import annotations

from sqlalchemy import Engine, text

from desgw_daemon.store.database import SCHEMA, reading, revision_of
from desgw_daemon.store.views import view_drift


def problems_of(engine: Engine) -> tuple[str, ...]:
    """What is wrong with the file: its integrity, its schema's drift from the models, its views."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from sqlmodel import SQLModel

    from desgw_daemon.store import tables

    assert tables.ExposureRow.__tablename__ == "exposure"  # the import fills the metadata

    found: list[str] = []
    with reading(engine) as connection:
        for pragma in ("integrity_check", "foreign_key_check"):
            rows = connection.execute(text(f"PRAGMA {pragma}")).fetchall()
            found += [f"{pragma}: {' '.join(map(str, row))}" for row in rows if row[0] != "ok"]
        if revision_of(connection) != SCHEMA:
            return (*found, f"schema {revision_of(connection)}, the program needs {SCHEMA}")
        found += [f"view {name} is not the program's" for name in view_drift(connection)]
        drift = compare_metadata(MigrationContext.configure(connection), SQLModel.metadata)
        found += [f"the tables differ from the models: {difference}" for difference in drift]
    return tuple(found)
