"""Alembic's entry: it is called by the program, with its connection, never by the alembic command."""

from __future__ import annotations

from alembic import context
from sqlmodel import SQLModel

from desgw_daemon.store import tables

assert tables.ExposureRow.__tablename__ == "exposure"  # the import fills the metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=SQLModel.metadata,
    # SQLite cannot alter a column: alembic copies the table.
    render_as_batch=True,
    compare_type=True,
    user_module_prefix="",
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
