"""What the DES database says of seasons, asked by the real process: a real PostgreSQL, and servers that are none.

Oracle's driver is run against what refuses and what stays silent, for want of a database.
"""

from __future__ import annotations

import os
import socket
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from desgw_daemon.domain.seasons import Known, Source
from desgw_daemon.observe.season_sources import ask_elsewhere
from tests.cli.des import PASSWORD, TABLES, Des
from tests.postgres import Server

FREE = 999


@pytest.fixture
def des(postgres: Server) -> Des:
    """A schema of its own."""
    return Des.on(postgres)


def ask(url: str, root: Path, schema: str = "MARCELLE", seconds: float = 20) -> Known:
    """The DES database's answer; whatever it is, it holds no password."""
    known = ask_elsewhere(pnfs=root, des=url, des_schema=schema, timeout=timedelta(seconds=seconds))[Source.DES]
    assert PASSWORD not in str(known) and "secret" not in str(known)
    return known


def problem(known: Known) -> str:
    assert known.problem is not None
    return known.problem


class TestTables:
    """The distinct SEASON of all ten tables, each with the name of the table."""

    def test_each(self, des: Des, tmp_path: Path) -> None:
        for season, table in enumerate(TABLES, start=2301):
            des.use(table, season, 2206, None)
        before = des.written()
        known = ask(des.url, tmp_path, des.schema)
        assert known.problem is None
        singles = {season: f"SEASON of {table}" for season, table in enumerate(TABLES, start=2301)}
        assert known.used == {**singles, 2206: f"SEASON of {', '.join(TABLES)}"}
        assert before == des.written()

    def test_other_types_of_the_column(self, des: Des, tmp_path: Path) -> None:
        des.sql(
            *(f"ALTER TABLE {des.schema}.{t} ALTER COLUMN season TYPE numeric" for t in TABLES),
            f"ALTER TABLE {des.schema}.snobs ALTER COLUMN season TYPE text",
            f"INSERT INTO {des.schema}.snscan VALUES (1, 2207.0), (2, 2208.5), (3, 'NaN')",
            f"INSERT INTO {des.schema}.snobs VALUES (1, '2209 '), (2, 'none'), (3, '')",
        )
        assert set(ask(des.url, tmp_path, des.schema).used) == {2207, 2209}

    def test_one_is_missing(self, des: Des, tmp_path: Path) -> None:
        """Unknown, and which one; what the others know counts."""
        des.use("SNSCAN", 2206)
        des.sql(f"DROP TABLE {des.schema}.snforce")
        known = ask(des.url, tmp_path, des.schema)
        assert set(known.used) == {2206}
        assert problem(known) == f'cannot read SNFORCE: relation "{des.schema.lower()}.snforce" does not exist'

    def test_some_may_not_be_read(self, des: Des, tmp_path: Path) -> None:
        des.sql(f"REVOKE SELECT ON {des.schema}.snobs, {des.schema}.sncand FROM {des.reader}")
        assert problem(ask(des.url, tmp_path, des.schema)) == (
            "cannot read SNCAND, SNOBS: permission denied for table sncand"
        )

    def test_another_schema(self, des: Des, tmp_path: Path) -> None:
        said = problem(ask(des.url, tmp_path, "no such; --"))
        assert said.startswith("cannot read all 10 tables: ") and "does not exist" in said

    def test_nothing_can_be_written(self, des: Des, tmp_path: Path) -> None:
        """Not even by a view that would, with its owner's rights."""
        schema = des.schema
        des.sql(
            f"CREATE FUNCTION {schema}.writes() RETURNS integer LANGUAGE sql SECURITY DEFINER"
            f" AS 'INSERT INTO {schema}.snobs VALUES (1, 2210) RETURNING season'",
            f"DROP TABLE {schema}.snscan",
            f"CREATE VIEW {schema}.snscan AS SELECT {schema}.writes() AS season",
            f"GRANT SELECT ON {schema}.snscan TO {des.reader}",
        )
        assert "SNSCAN: cannot execute INSERT in a read-only transaction" in problem(ask(des.url, tmp_path, schema))


class TestNotLetIn:
    """Why not, in the server's words, and never the password."""

    def test_wrong_password(self, des: Des, tmp_path: Path) -> None:
        said = problem(ask(des.url_with("secret"), tmp_path, des.schema))
        assert f'password authentication failed for user "{des.reader}"' in said

    def test_password_of_pgpass(self, des: Des, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        escaped = PASSWORD.replace("\\", "\\\\").replace(":", "\\:")
        (tmp_path / ".pgpass").write_text(f"*:*:*:{des.reader}:{escaped}\n")
        (tmp_path / ".pgpass").chmod(0o600)
        monkeypatch.setenv("PGPASSFILE", str(tmp_path / ".pgpass"))
        assert ask(des.url_with(None), tmp_path, des.schema).problem is None

    @pytest.mark.parametrize(
        ("url", "words"),
        [
            ("postgresql://u:secret@127.0.0.1:{closed}/x", "Connection refused"),
            ("oracle://u:secret@127.0.0.1:{closed}/?service_name=x", "Connection refused"),
            ("postgresql://u:secret@nowhere.invalid/x?password=secret", "nowhere.invalid"),
            ("postgresql://u:secret@127.0.0.1:no/x", "cannot be understood"),
            ("postgresql+wrong://u:secret@127.0.0.1/x", "wrong"),
            ("postgresql://u@127.0.0.1/x?passwrd=secret", "passwrd"),
            ("sqlite:////nowhere/secret.db?password=secret", "unable to open database file"),
        ],
    )
    def test_nobody_there(self, tmp_path: Path, url: str, words: str) -> None:
        with socket.socket() as bound:  # and does not listen
            bound.bind(("127.0.0.1", 0))
            said = problem(ask(url.format(closed=bound.getsockname()[1]), tmp_path))
        assert words in said

    def test_sqlite_is_not_made(self, tmp_path: Path) -> None:
        problem(ask(f"sqlite:///{tmp_path}/new.db", tmp_path))
        assert not (tmp_path / "new.db").exists()


@contextmanager
def silent() -> Iterator[int]:
    """The port of a server that lets everybody in and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        yield port


@contextmanager
def falls_silent(before: Server, word: bytes) -> Iterator[int]:
    """The port of a way to the server on which nothing comes through any more once the client has said this word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_pass_on, args=(server, before, word), daemon=True).start()
        port: int = server.getsockname()[1]
        yield port


def _pass_on(server: socket.socket, before: Server, word: bytes) -> None:
    client, _ = server.accept()
    with client, socket.create_connection((before.host, before.port)) as there:
        back = threading.Thread(target=_copy, args=(there, client), daemon=True)
        back.start()
        while (said := client.recv(65536)) and word not in said:
            there.sendall(said)
        while client.recv(65536):
            pass


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while said := source.recv(65536):
            target.sendall(said)
    except OSError:
        pass  # the other side has gone


class TestInTime:
    """An answer that does not come is none, and nobody waits for it much longer than the time-out."""

    @pytest.mark.parametrize(
        "url", ["postgresql://u:secret@127.0.0.1:{}/x", "oracle://u:secret@127.0.0.1:{}/?service_name=x"]
    )
    def test_silent_server(self, tmp_path: Path, url: str) -> None:
        with silent() as port:
            begun = time.monotonic()
            said = problem(ask(url.format(port), tmp_path, seconds=2))
        assert time.monotonic() - begun < 20
        assert "timeout" in said or "no answer within 2 s" in said

    def test_silent_in_the_middle(self, des: Des, tmp_path: Path) -> None:
        """The network is cut after the second table: no time-out of the driver's reaches there, ours does."""
        des.use("SNAUTOSCAN", 2206)
        with falls_silent(des.server, b".snautoscan_save") as port:
            url = des.url.replace(f":{des.server.port}/", f":{port}/")
            begun = time.monotonic()
            known = ask(url, tmp_path, des.schema, seconds=3)
        assert time.monotonic() - begun < 20
        assert problem(known) == "no answer within 3 s"
        assert set(known.used) == {2206}

    def test_locked_table(self, des: Des, tmp_path: Path) -> None:
        des.use("SNAUTOSCAN", 2206)
        engine = des.server.engine()
        with engine.begin() as connection:
            connection.exec_driver_sql(f"LOCK TABLE {des.schema}.snobsinfo")
            known = ask(des.url, tmp_path, des.schema, seconds=3)
        engine.dispose()
        assert "SNOBSINFO" in problem(known) and "statement timeout" in problem(known)
        assert set(known.used) == {2206}


class TestDesservices:
    """A section of ~/.desservices.ini; what is wrong with the file is said without what stands in it."""

    GOOD = (
        "[other]\nuser = x\n\n"
        "[des]\n; comment\nuser = me\npasswd = secret%d\nserver = 127.0.0.1\nport = 1\nname = desoper\n"
    )

    def ask(self, home: Path, monkeypatch: pytest.MonkeyPatch, section: str = "des") -> str:
        monkeypatch.setenv("HOME", str(home))
        return problem(ask(f"desservices:{section}", home))

    def write(self, home: Path, text: str, mode: int = 0o600) -> None:
        (home / ".desservices.ini").write_text(text)
        (home / ".desservices.ini").chmod(mode)

    def test_good(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is Oracle, by the thin driver: here its host refuses."""
        self.write(tmp_path, self.GOOD)
        said = self.ask(tmp_path, monkeypatch)
        assert "DPY-6005" in said and "Connection refused" in said

    def test_without_the_driver(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.write(tmp_path, self.GOOD)
        (tmp_path / "oracledb.py").write_text("raise ModuleNotFoundError('gone', name='oracledb')\n")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        assert self.ask(tmp_path, monkeypatch) == (
            "the package oracledb is not installed: pip install 'desgw-daemon[oracle]', or install oracledb beside it"
        )

    @pytest.mark.parametrize(
        ("text", "mode", "words"),
        [
            (GOOD, 0o640, "may be read by others, and holds a password: chmod 600"),
            (GOOD.replace("[des]", "[DES]"), 0o600, "has no section [des]; there is [other], [DES]"),
            (GOOD.replace("port = 1\n", "").replace("name =", "#name ="), 0o600, "section [des] has no port, name"),
            (GOOD.replace("port = 1", "port = secret"), 0o600, "the port of section [des] is no number"),
            ("user = me\npasswd = secret\n", 0o600, "line 1 stands before the first [section]"),
            ("[des]\nuser = me\nsecret\n", 0o600, "line 3 is neither [section] nor key = value"),
            ("[des]\npasswd = secret\npasswd = secret2\n", 0o600, "line 3 sets a key that its section has already"),
            ("[des]\npasswd = secret\n[des]\n", 0o600, "line 3 begins a section that stands there before"),
            ("", 0o600, "has no section [des]; there is none"),
        ],
    )
    def test_bad(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, mode: int, words: str) -> None:
        self.write(tmp_path, text, mode)
        said = self.ask(tmp_path, monkeypatch)
        assert words in said and str(tmp_path / ".desservices.ini") in said

    def test_no_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        assert "is not there" in self.ask(tmp_path, monkeypatch)
        os.mkfifo(tmp_path / ".desservices.ini")
        assert "cannot be read: Not a regular file" in self.ask(tmp_path, monkeypatch)
        assert stat.S_ISFIFO((tmp_path / ".desservices.ini").stat().st_mode)
