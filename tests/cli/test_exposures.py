"""`exposures refresh` on a real PostgreSQL: what it writes, and that nothing is harmed by what goes wrong."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
from sqlalchemy import text

from tests.badinput.privileges import bound_by_permissions
from tests.badinput.test_state import small_disk
from tests.postgres import Server

from .program import PROGRAM, program

BANDS: Final = ("u", "g", "r", "i", "z", "Y", "VR")
FIRST: Final = 182809
MANY: Final = 40_000
DATA: Final = Path(__file__).parents[2].parent / "shared" / "data"
_COLUMNS: Final = (
    "id bigint PRIMARY KEY, date timestamptz, ra double precision, declination double precision, filter text,"
    " exptime real, propid text, flavor text, qc_teff real, object text"
)
#: So many exposures, at times at which no sixth digit is a tie, with every band in turn; one in ten has no TEFF.
_MANY: Final = (
    "INSERT INTO {schema}.exposure SELECT id, timestamptz '2013-03-01 02:00:00.00001Z' + id * interval '97 seconds',"
    " (id % 36000) / 100.0, (id % 9000) / -100.0, (ARRAY['u','g','r','i','z','Y','VR','N964'])[1 + id % 8],"
    " 30 + id % 300, '2013B-0' || id % 1000, 'object', CASE WHEN id % 10 = 0 THEN NULL ELSE (id % 150) / 100.0 END,"
    " 'hex ' || id % 77 || ' tiling ' || id % 9 FROM generate_series({first}, {first} + {count} - 1) AS id"
)
#: The lines as the server itself would write them.
_LINES: Final = (
    "SELECT lpad(id::text, 8) || ' ' || lpad(to_char(date AT TIME ZONE 'UTC' - interval '12 hours', 'YYYYMMDD'), 9)"
    " || ' ' || lpad(to_char(extract(epoch FROM date - timestamptz '1858-11-17T00:00:00Z') / 86400,"
    " 'FM99999.000000'), 13) || ' ' || lpad(to_char(ra, 'FM990.000000'), 11) || ' '"
    " || lpad(to_char(declination, 'FM990.000000'), 10) || ' ' || lpad(filter, 6) || ' '"
    " || lpad(to_char(exptime, 'FM99990.00'), 8) || ' ' || lpad(propid, 12) || ' ' || lpad(flavor, 7) || ' '"
    " || lpad(coalesce(to_char(qc_teff, 'FM990.00'), 'NaN'), 7) || ' ' || lpad(object, 50), filter"
    " FROM {schema}.exposure ORDER BY id"
)
HEADER: Final = (
    "  EXPNUM      NITE       MJD_OBS       RADEG     DECDEG   BAND  EXPTIME       PROPID OBSTYPE    TEFF"
    "                                             OBJECT\n"
)
_numbers = count(1)


class Observatory:
    """An exposure database of its own, and a workflow folder for its lists."""

    def __init__(self, server: Server, root: Path) -> None:
        self.server = server
        self.schema = f"observatory_{next(_numbers)}"
        self.root = root
        self.workflow = root / "workflow"
        self.list = self.workflow / "exposures.list"
        for folder in (self.workflow, root / "state"):
            folder.mkdir()
        self.sql(f"CREATE SCHEMA {self.schema}", f"CREATE TABLE {self.schema}.exposure ({_COLUMNS})")
        self.configure()

    def configure(self, *, url: str | None = None, timeout: str = "20 s") -> None:
        url = (url or self.server.url.render_as_string(hide_password=False)).replace(" ", "%20")
        (self.root / "daemon.toml").write_text(
            f'[paths]\nstate = "state"\npnfs = "pnfs"\nworkflow = "workflow"\npostprocessing = "postproc"\n'
            f'[databases]\nexposures = "{url}"\nexposures_schema = "{self.schema}"\ntimeout = "{timeout}"\n'
        )

    def sql(self, *statements: str, **values: Any) -> list[Any]:
        """Run statements as the database's owner; the rows of the last one."""
        engine = self.server.engine()
        with engine.begin() as connection:
            for statement in statements:
                result = connection.execute(text(statement), values)
            return [tuple(row) for row in result] if result.returns_rows else []

    def fill(self, exposures: int, first: int = FIRST) -> None:
        self.sql(_MANY.format(schema=self.schema, first=first, count=exposures))

    def start(self, *words: str, before: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("DESGW_")}
        return subprocess.Popen(
            [*before, *PROGRAM, "exposures", *words],
            cwd=self.root,
            env=inherited,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def refresh(self, *words: str) -> dict[str, Any]:
        """A refresh that must succeed; what it says."""
        done = program("exposures", "refresh", "--json", *words, cwd=self.root)
        assert (done.returncode, done.stderr) == (0, "")
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def refused(self, *words: str, code: int = 1, before: tuple[str, ...] = ()) -> str:
        """A refresh that must fail; its one line. No list is changed by it, and nothing is left."""
        old = self.files()
        with self.start("refresh", *words, before=before) as process:
            out, err = process.communicate(timeout=60)
        assert (process.returncode, out, err.count("\n")) == (code, "", 1), (out, err)
        assert err.startswith("desgw-daemon: ") and self.server.password not in err
        assert self.files() == old
        return err

    def files(self) -> Mapping[str, bytes]:
        return {path.name: path.read_bytes() for path in self.workflow.iterdir()}

    def half_way(self, process: subprocess.Popen[str]) -> None:
        """Wait until a part of the new list has been written."""
        part = self.workflow / ".exposures.list.new"
        until(lambda: process.poll() is not None or (part.exists() and part.stat().st_size > 0))
        assert process.poll() is None, process.communicate()

    def backend(self) -> int:
        """The server's own process for the refresh."""
        ((pid,),) = self.sql("SELECT pid FROM pg_stat_activity WHERE application_name = 'desgw-daemon'")
        return int(pid)


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def observatory(postgres: Server, tmp_path: Path) -> Iterator[Observatory]:
    made = Observatory(postgres, tmp_path)
    yield made
    made.sql(f"DROP SCHEMA {made.schema} CASCADE")


class TestWritten:
    """Every list holds exactly what the server itself would write, in whatever time zone it thinks."""

    def test_byte_for_byte(self, observatory: Observatory) -> None:
        observatory.fill(2000)
        role = f"ALTER ROLE {observatory.server.owner}"
        observatory.sql(f"{role} SET timezone = 'America/Chicago'")
        try:
            said = observatory.refresh()
        finally:
            observatory.sql(f"{role} RESET timezone")
        lines = observatory.sql(_LINES.format(schema=observatory.schema))
        assert observatory.list.read_text() == HEADER + "".join(f"{line}\n" for line, _ in lines)
        for band in BANDS:
            expected = "".join(f"{line}\n" for line, of in lines if of == band)
            assert (observatory.workflow / f"exposures_{band}.list").read_text() == expected
        assert said["bands"] == dict.fromkeys(BANDS, 250)
        assert (said["exposures"], said["before"], said["newest"]) == (2000, None, FIRST + 1999)
        assert {path.name for path in observatory.workflow.iterdir()} == {
            *("exposures.list", *(f"exposures_{band}.list" for band in BANDS))
        }

    def test_only_what_is_wanted(self, observatory: Observatory) -> None:
        observatory.fill(5)
        observatory.sql(
            f"UPDATE {observatory.schema}.exposure SET flavor = 'zero' WHERE id = {FIRST}",
            f"UPDATE {observatory.schema}.exposure SET exptime = 29.9 WHERE id = {FIRST + 1}",
            f"UPDATE {observatory.schema}.exposure SET ra = NULL WHERE id = {FIRST + 2}",
            f"UPDATE {observatory.schema}.exposure SET id = {FIRST - 1} WHERE id = {FIRST + 3}",
        )
        assert observatory.refresh()["newest"] == FIRST + 4
        assert len(observatory.list.read_text().splitlines()) == 2

    def test_odd_values_tear_no_line(self, observatory: Observatory) -> None:
        observatory.fill(12)
        odd = {
            "object": ("two\nlines", "a\ttab\r", "é\u2028\x1b[2J☄", "  ", None, "x" * 300),
            "propid": ("2013 B", None),
            "filter": ("solid plate", None),
            "date": (None,),
            "declination": (None,),
        }
        number = FIRST
        for column, values in odd.items():
            for value in values:
                statement = f"UPDATE {observatory.schema}.exposure SET {column} = :value WHERE id = {number}"
                observatory.sql(statement, value=value)
                number += 1
        said = observatory.refresh()
        assert (said["exposures"], said["left_out"]) == (10, 2)
        body = observatory.list.read_bytes()
        rows = [line.split(None, 10) for line in body.decode().split("\n")[1:-1]]
        assert [row[10].strip() for row in rows[:6]] == ["two lines", "a tab", "é  [2J☄", "None", "None", "x" * 300]
        assert [row[7] for row in rows[6:8]] == ["2013_B", "None"]
        assert rows[8][5] == "solid_plate" and rows[9][4] == "NaN"
        assert all(len(row) == 11 and row[8] == "object" for row in rows)
        assert b"\x1b" not in body and b"\r" not in body

    @pytest.mark.skipif(not DATA.is_dir(), reason="the sample data files are not beside this checkout")
    def test_as_the_real_lines(self, observatory: Observatory) -> None:
        real = (DATA / "sample_exposures.tab").read_text().splitlines()[1]
        expnum, _, mjd, ra, dec, band, exptime, propid, obstype, teff, name, _ = real.split()
        observatory.sql(
            f"INSERT INTO {observatory.schema}.exposure SELECT {expnum}, timestamptz '1858-11-17T00:00:00Z' +"
            f" {mjd} * interval '86400 seconds', {ra}, {dec}, '{band}', {exptime}, '{propid}',"
            f" '{obstype}', {teff}, '{name}'"
        )
        observatory.refresh()
        # The sample has one more column at its end.
        assert observatory.list.read_text().splitlines()[1] == real.rsplit(None, 1)[0].rstrip()

    def test_texts_without_an_encoding(self, observatory: Observatory) -> None:
        name = "without_encoding"
        with observatory.server.engine().execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'"))
        url = observatory.server.url.set(database=name)
        with psycopg.connect(
            host=url.host, port=url.port, dbname=name, user=url.username, password=url.password
        ) as connection:
            connection.execute(f"CREATE SCHEMA {observatory.schema}".encode())
            connection.execute(f"CREATE TABLE {observatory.schema}.exposure ({_COLUMNS})".encode())
            connection.execute(_MANY.format(schema=observatory.schema, first=FIRST, count=3).encode())
            connection.execute(f"UPDATE {observatory.schema}.exposure SET object = E'caf\\xe9'".encode())
        observatory.configure(url=url.render_as_string(hide_password=False))
        assert observatory.refresh()["exposures"] == 3
        assert "café" in observatory.list.read_text()

    def test_links_and_rights_stay(self, observatory: Observatory) -> None:
        observatory.fill(20)
        elsewhere = observatory.root / "elsewhere"
        elsewhere.mkdir()
        (elsewhere / "all").write_text("")
        (elsewhere / "all").chmod(0o640)
        observatory.list.symlink_to(elsewhere / "all")
        observatory.refresh()
        assert observatory.list.is_symlink()
        assert (elsewhere / "all").stat().st_mode & 0o777 == 0o640
        assert len((elsewhere / "all").read_text().splitlines()) == 21


class TestSuspicious:
    """A database that is being loaded never empties the list."""

    def test_nothing(self, observatory: Observatory) -> None:
        for words in ((), ("--force",)):
            assert "no exposures" in observatory.refused(*words)

    def test_much_less(self, observatory: Observatory) -> None:
        observatory.fill(100)
        observatory.refresh()
        observatory.sql(f"DELETE FROM {observatory.schema}.exposure WHERE id % 9 = 0")
        said = observatory.refused()
        assert "has 89 exposures" in said and "has 100" in said and "--force" in said
        assert observatory.refresh("--force")["exposures"] == 89
        observatory.sql(f"DELETE FROM {observatory.schema}.exposure WHERE id % 20 = 0")
        assert observatory.refresh()["before"] == 89


@pytest.fixture(scope="module")
def under_way(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observatory]:
    """With lists that are up to date, and enough exposures to be stopped in the middle."""
    made = Observatory(postgres, tmp_path_factory.mktemp("under_way"))
    made.fill(MANY)
    made.refresh()
    yield made
    made.sql(f"DROP SCHEMA {made.schema} CASCADE")


class TestInTheMiddle:
    """Something ends it half-way: the old lists stay, whole, and the next refresh is as any other."""

    def test_killed_and_two_at_a_time(self, under_way: Observatory) -> None:
        old = under_way.files()
        with under_way.start("refresh") as process:
            under_way.half_way(process)
            process.send_signal(signal.SIGSTOP)
            with under_way.start("refresh") as second:
                said = second.communicate(timeout=60)[1]
            assert second.returncode == 1 and f"(process {process.pid}) refreshes exposures.list already" in said
            process.kill()
        assert {name: data for name, data in under_way.files().items() if not name.startswith(".")} == old
        assert under_way.refresh()["exposures"] == MANY
        assert under_way.files() == old
        with under_way.start("status", "--json") as status:
            rows = json.loads(status.communicate()[0])["refreshes"][:2]
        assert [row["state"] for row in rows] == ["done", "failed"]
        assert "ended without a word" in rows[1]["reason"]

    def test_database_that_stops_answering(self, under_way: Observatory) -> None:
        under_way.configure(timeout="1 s")
        old = under_way.files()
        with under_way.start("refresh") as process:
            under_way.half_way(process)
            backend = under_way.backend()
            os.kill(backend, signal.SIGSTOP)
            try:
                said = process.communicate(timeout=30)[1]
            finally:
                os.kill(backend, signal.SIGCONT)
        assert process.returncode == 1
        assert "has stopped answering (nothing for 1 s; databases.timeout)" in said
        assert under_way.files() == old

    def test_server_that_ends(self, under_way: Observatory) -> None:
        old = under_way.files()
        with under_way.start("refresh") as process:
            under_way.half_way(process)
            under_way.sql(f"SELECT pg_terminate_backend({under_way.backend()})")
            said = process.communicate(timeout=30)[1]
        assert process.returncode == 1 and said.count("\n") == 1
        assert under_way.files() == old


class TestDisk:
    """A disk that is full, a folder that may not be written."""

    def test_full(self, observatory: Observatory) -> None:
        observatory.fill(20)
        with small_disk(observatory.workflow):
            observatory.refresh()
            observatory.fill(10_000, first=FIRST + 20)
            assert "No space left on device" in observatory.refused()

    def test_read_only(self, observatory: Observatory) -> None:
        observatory.fill(20)
        observatory.workflow.chmod(0o555)
        try:
            assert "Permission denied" in observatory.refused(before=bound_by_permissions())
        finally:
            observatory.workflow.chmod(0o755)

    def test_away(self, observatory: Observatory) -> None:
        observatory.fill(20)
        observatory.workflow.rmdir()
        with observatory.start("refresh") as process:
            said = process.communicate(timeout=60)[1]
        assert process.returncode == 1 and "No such file or directory" in said


class TestRefused:
    """What is wrong with the database is said in one line, without a password."""

    def test_column_missing(self, observatory: Observatory) -> None:
        observatory.sql(f"ALTER TABLE {observatory.schema}.exposure DROP COLUMN qc_teff")
        assert "column exposure.qc_teff does not exist;" in observatory.refused()

    def test_wrong_password(self, observatory: Observatory) -> None:
        url = observatory.server.url_of(observatory.server.owner, "battery staple")
        observatory.configure(url=url.render_as_string(hide_password=False))
        said = observatory.refused()
        assert "password authentication failed" in said
        assert "battery" not in said

    def test_not_there(self, observatory: Observatory) -> None:
        url = observatory.server.url.set(port=1)
        observatory.configure(url=url.render_as_string(hide_password=False))
        assert "refused" in observatory.refused()

    def test_not_configured(self, observatory: Observatory) -> None:
        config = observatory.root / "daemon.toml"
        config.write_text(config.read_text().split("[databases]")[0])
        assert "databases.exposures is not set" in observatory.refused(code=2)

    def test_reads_only(self, observatory: Observatory) -> None:
        """A table that would write when it is read: the transaction may not."""
        observatory.fill(5)
        observatory.sql(
            f"ALTER TABLE {observatory.schema}.exposure RENAME TO hidden",
            f"CREATE TABLE {observatory.schema}.touched (n int)",
            f"CREATE FUNCTION {observatory.schema}.touch() RETURNS text LANGUAGE sql AS"
            f" 'INSERT INTO {observatory.schema}.touched VALUES (1) RETURNING n::text'",
            f"CREATE VIEW {observatory.schema}.exposure AS SELECT id, date, ra, declination, filter, exptime, propid,"
            f" flavor, qc_teff, {observatory.schema}.touch() AS object FROM {observatory.schema}.hidden",
        )
        assert "read-only transaction" in observatory.refused()


class TestBounded:
    """However many exposures there are, the memory stays."""

    def test_memory(self, observatory: Observatory, counted: Callable[[str], None]) -> None:
        observatory.fill(10)
        few = self._peak(observatory)
        observatory.fill(200_000, first=FIRST + 10)
        many = self._peak(observatory)
        assert len(observatory.list.read_bytes().splitlines()) == 200_011
        # One copy of the lines alone would be 32 MB, the rows as Python has them four times that.
        assert many - few < 20_000, f"{few} kB with 10 exposures, {many} kB with 200,010"
        counted(f"{few / 1024:.0f} MB with 10 exposures, {many / 1024:.0f} MB with 200,010")

    def _peak(self, observatory: Observatory) -> int:
        process = observatory.start("refresh")
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, process.communicate()
        process.communicate()
        return usage.ru_maxrss


class TestTerminal:
    """On a terminal there is a bar; elsewhere there are plain lines."""

    def test_both(self, observatory: Observatory) -> None:
        observatory.fill(30_000)
        with observatory.start("refresh") as process:
            out, err = process.communicate()
        assert err == ""
        first, second = out.splitlines()
        assert first.startswith(
            f"{observatory.list}: 30000 exposures (there was none before), the newest 212808; u 3750"
        )
        assert second.startswith(f"from postgres at 127.0.0.1:{observatory.server.port}, in ")
        ours, theirs = pty.openpty()
        script = shutil.which("env")
        assert script is not None
        process = subprocess.Popen(
            [script, "TERM=xterm", "COLUMNS=100", *PROGRAM, "exposures", "refresh"],
            cwd=observatory.root,
            stdout=subprocess.PIPE,
            stderr=theirs,
            text=True,
        )
        os.close(theirs)
        shown = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # a terminal without a writer ends like this
                break
            if not piece:
                break
            shown += piece
        os.close(ours)
        with process:
            assert "30000 before" in process.communicate()[0]
        assert b"30000/30000" in shown and "━".encode() in shown
