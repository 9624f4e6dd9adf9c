"""A real PostgreSQL server for the tests that ask one: Debian's package, on loopback, with a password."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import URL, Engine, create_engine
from sqlalchemy.pool import NullPool

_BINARIES: Final = Path("/usr/lib/postgresql")
_STARTS_IN_S: Final = 120


@dataclass(frozen=True)
class Server:
    """One server. Its owner may do anything; `reader` may only read what it was granted."""

    host: str
    port: int
    owner: str
    password: str
    database: str = "postgres"

    @property
    def url(self) -> URL:
        """The owner's way in."""
        return self.url_of(self.owner, self.password)

    def url_of(self, user: str, password: str | None) -> URL:
        """A user's way in; without a password libpq looks in ~/.pgpass."""
        return URL.create(
            "postgresql+psycopg",
            username=user,
            password=password,
            host=self.host,
            port=self.port,
            database=self.database,
        )

    def engine(self) -> Engine:
        """The owner's engine. No connection is kept: a server can be stopped at any time."""
        return create_engine(self.url, poolclass=NullPool)


def _programs() -> Path:
    """The folder with initdb and pg_ctl. Where they are missing the test is left out; in CI it fails."""
    found = sorted(_BINARIES.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    said = "PostgreSQL's server is missing (a database to ask): apt-get install postgresql"
    if os.environ.get("CI"):
        pytest.fail(said)
    pytest.skip(said)


def _as_nobody_special(folder: Path) -> list[str]:
    """What to put in front of a command: PostgreSQL refuses to be run by root."""
    if os.geteuid() != 0:
        return []
    user = pwd.getpwnam("postgres")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running_server() -> Iterator[Server]:
    """A server for as long as the block lasts."""
    programs = _programs()
    # Not below pytest's own folder, into which only its owner may look.
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    try:
        before = _as_nobody_special(folder)
        server = Server(host="127.0.0.1", port=_free_port(), owner="owner", password="correct horse")
        (folder / "password").write_text(server.password)
        (folder / "password").chmod(0o644)

        def call(*command: str | Path) -> None:
            done = subprocess.run(
                [*before, *command],
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
            )
            log = folder / "log"
            assert done.returncode == 0, done.stdout + (log.read_text() if log.exists() else "")

        data = folder / "data"
        call(
            programs / "initdb",
            f"--pgdata={data}",
            f"--username={server.owner}",
            f"--pwfile={folder / 'password'}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--no-sync",
        )
        options = f"-c listen_addresses=127.0.0.1 -c port={server.port} -c unix_socket_directories='' -c fsync=off"
        call(
            programs / "pg_ctl", "start", "-D", data, "-l", folder / "log", "-w", "-t", str(_STARTS_IN_S), "-o", options
        )
        try:
            yield server
        finally:
            call(programs / "pg_ctl", "stop", "-D", data, "-m", "immediate", "-w")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """One server for all tests of a process: each makes its own schemas or users in it."""
    with running_server() as server:
        yield server
