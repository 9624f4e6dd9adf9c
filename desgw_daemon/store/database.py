"""Opening the SQLite file, bringing its schema up to date, saving a copy.

WAL, foreign keys, a busy time-out, and BEGIN IMMEDIATE for what writes: a transaction that starts as a reader and
then writes could find the file changed under it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.pool import NullPool, QueuePool

import desgw_daemon
from desgw_daemon.errors import DesgwError, Refused
from desgw_daemon.store.onefile import OneFile
from desgw_daemon.store.readonly import BUSY_TIMEOUT, reading_uri, why_not_read
from desgw_daemon.store.restoring import work_without_database

if TYPE_CHECKING:
    from alembic.config import Config

DATABASE: Final = "desgw.db"
#: The revision that this program works with: that of the newest migration. Asking Alembic for it would cost each
#: command a quarter of a second; a test holds it against the migrations.
SCHEMA: Final = "0005"


class SchemaError(DesgwError):
    """The database is behind or ahead of the program, or no database of ours. Exit code 2."""

    exit_code = 2


class OlderSchemaError(SchemaError):
    """The database is of an older program: `upgrade` mends it."""


def make_engine(path: Path) -> Engine:
    """An engine on the file, which it creates on first use. It goes on with no other file of that name."""
    file = OneFile(path)
    engine = create_engine("sqlite://", creator=file.open, poolclass=QueuePool)

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA journal_mode = WAL")
        # NORMAL could lose the last commits when the power fails; an intent that was acted upon must not be lost.
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        mode = "DEFERRED" if connection.get_execution_options().get("reading") else "IMMEDIATE"
        try:
            file.check()
        except sqlite3.OperationalError as error:
            raise OperationalError(f"BEGIN {mode}", None, error) from error
        connection.exec_driver_sql(f"BEGIN {mode}")

    return engine


def make_reading_engine(path: Path) -> Engine:
    """An engine that cannot write, nor leave a file behind. Use `reading` with it.

    Raises Refused when there is no database yet, SchemaError when it does not fit this program.
    """
    if not path.exists():
        raise Refused(f"there is no database yet ({path}): the first `desgw-daemon queue add` or `run` makes it")
    engine = _read_only(reading_uri(path))
    problem = schema_problem(engine, path)
    if problem is not None:
        engine.dispose()
        raise problem
    return engine


def _read_only(uri: str) -> Engine:
    def connect() -> sqlite3.Connection:
        return sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction that writes; committed at the end, rolled back on an exception."""
    with engine.begin() as connection:
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One consistent view of the file that never blocks a writer."""
    with engine.connect().execution_options(reading=True) as connection, connection.begin():
        yield connection


def why_not_written(path: Path, cause: str) -> str:
    """A line for a person from SQLite's words (`cause`) for why a command could not write the file."""
    if "readonly" in cause:
        return f"{path} may not be written by this account: ask for membership of the group that owns it"
    if "full" in cause:
        return f"{path} cannot be written: {cause}; nothing was changed. See `df {path.parent}`"
    return why_not_read(path, cause)


def _migrations() -> Path:
    package = Path(desgw_daemon.__file__).parent
    installed = package / "_installed" / "migrations"
    return installed if installed.is_dir() else package.parent / "migrations"


def _alembic(connection: Connection | None = None) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_migrations()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def head_revision() -> str:
    """The newest revision of the migrations that were installed with the program."""
    from alembic.script import ScriptDirectory

    head = ScriptDirectory.from_config(_alembic()).get_current_head()
    if head is None:
        raise SchemaError("no migrations were installed with the program: install it again")
    return head


def revision_of(connection: Connection) -> str | None:
    """The revision of the file, None for a new one and one that is not ours. Alembic's table, read without Alembic."""
    if not connection.execute(text("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'")).first():
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def create_or_check(path: Path) -> Engine:
    """The engine of a database that fits this program; a new file is created.

    Raises SchemaError when the file is behind or ahead, or is no database: with the command that mends it. Raises
    Refused when it cannot be opened now.
    """
    if not path.exists():
        if work := work_without_database(path.parent):
            raise SchemaError(
                f"{path} is gone, but {work} hold work of it: if the folder's disk is not mounted, mount it; else bring"
                " back a copy (backups/, see docs/database.md) before anything is submitted twice"
            )
        # Writable for the group, as the state folder is; SQLite gives -wal and -shm the same rights.
        path.touch(mode=0o664)
    if path.with_name(path.name + "-journal").exists():
        # Only a first start that was cut off leaves one (later there is a -wal): SQLite rolls it back at the next look
        # that may write.
        try:
            with closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT)) as cut_off:
                cut_off.execute("SELECT count(*) FROM sqlite_master")
        except sqlite3.DatabaseError as error:
            raise SchemaError(why_not_read(path, str(error))) from error
    # Whatever does not fit stays as it is: opening it for writing would make it a WAL database.
    probe = _read_only(f"{path.absolute().as_uri()}?mode=ro")
    try:
        # Not the file's size: a start that was cut off leaves one that is neither empty nor has tables.
        new = _has_no_tables(probe)
    except DatabaseError as error:
        raise _unusable(path, error) from error
    if not new and (problem := schema_problem(probe, path)):
        raise problem
    engine = make_engine(path)
    if new:
        upgrade(engine)
    return engine


def _unusable(path: Path, error: DatabaseError) -> DesgwError:
    """A file that is no database is wrong for good; one that is locked, or on a full disk, is so for now."""
    cause = str(error.orig)
    kind = SchemaError if "not a database" in cause or "malformed" in cause else Refused
    return kind(why_not_read(path, cause))


def schema_problem(engine: Engine, path: Path) -> DesgwError | None:
    """Why the file at `path` does not fit this program, with the command that mends it; None when it does."""
    try:
        with reading(engine) as connection:
            found = revision_of(connection)
            tables = connection.execute(text("SELECT count(*) FROM sqlite_master")).scalar_one()
    except DatabaseError as error:
        return _unusable(path, error)
    if found == SCHEMA:
        return None
    if found is None and tables:
        return SchemaError(f"{path} is a database, but not one of desgw-daemon: move it away, or set paths.state")
    if found is None:
        return SchemaError(f"{path} has no tables yet: the first `desgw-daemon queue add` or `run` makes them")
    if _knows(found):
        return OlderSchemaError(
            f"{path} was made by an older desgw-daemon (schema {found}, this one needs {SCHEMA}):"
            " stop the daemon, then run: desgw-daemon db upgrade (it saves a copy first)"
        )
    return SchemaError(
        f"{path} was made by a newer desgw-daemon (schema {found}, this one knows {SCHEMA}): install the newer program"
    )


def _knows(revision: str) -> bool:
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    try:
        return ScriptDirectory.from_config(_alembic()).get_revision(revision) is not None
    except CommandError:
        return False


def _has_no_tables(engine: Engine) -> bool:
    with reading(engine) as connection:
        return not connection.execute(text("SELECT 1 FROM sqlite_master LIMIT 1")).first()


def upgrade(engine: Engine) -> None:
    """Bring the schema to the head revision, in one transaction.

    Raises SchemaError when a migration leaves rows that refer to nothing: then nothing was changed.
    """
    from alembic import command

    with engine.connect() as connection:
        # A table that others refer to is changed by making it anew, which SQLite refuses while it watches the
        # references. The switch has no effect inside a transaction.
        switch = connection.connection.cursor()
        switch.execute("PRAGMA foreign_keys = OFF")
        try:
            with connection.begin():
                command.upgrade(_alembic(connection), "head")
                if orphans := connection.execute(text("PRAGMA foreign_key_check")).fetchall():
                    raise SchemaError(
                        f"the upgrade would leave {len(orphans)} rows that refer to nothing (the first in"
                        f" {orphans[0][0]}): nothing was changed; this is a mistake of the program"
                    )
        finally:
            switch.execute("PRAGMA foreign_keys = ON")
            switch.close()


def backup(source: Path, target: Path) -> None:
    """Copy the database while others use it, checked before it gets its name.

    Raises SchemaError when the copy does not pass SQLite's integrity check, FileExistsError when target is there.
    """
    if target.exists():
        raise FileExistsError(target)
    unfinished = target.with_name(target.name + ".part")
    unfinished.unlink(missing_ok=True)
    with sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_TIMEOUT) as old:
        new = sqlite3.connect(unfinished)
        try:
            old.backup(new)
            (answer,) = new.execute("PRAGMA integrity_check").fetchone()
        finally:
            new.close()
    old.close()
    if answer != "ok":
        raise SchemaError(f"the copy of {source} is broken ({answer}); it is left as {unfinished}")
    unfinished.rename(target)
