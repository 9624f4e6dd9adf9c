"""A state folder and a /pnfs of its own, and the real program at work on them."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.observe.tree import SEASON, Exposure
from tests.warm import run_warm

PROGRAM = (sys.executable, "-m", "desgw_daemon")
#: Settles quickly, gives nothing up: what never gets a sign stays pending.
CONFIG = """\
[paths]
state = "state"
pnfs = "pnfs"
workflow = "gw_workflow"
postprocessing = "Post-Processing"
[readiness]
settle = "100 ms"
[postproc]
auto = false
"""


def list_line(expnum: int, band: str = "i", nite: str = "20200304") -> bytes:
    """A line of exposures.list."""
    return (
        f"{expnum:>8} {nite:>9}  58912.130000  186.000000 -12.000000 {band:>6}    90.00   2019B-0353  object    0.94"
        "  DESGW hex\n"
    ).encode()


class Place:
    """Folders, a daemon.toml, and commands."""

    def __init__(self, folder: Path, config: str = CONFIG) -> None:
        self.folder = folder.resolve()
        self.pnfs, self.state = self.folder / "pnfs", self.folder / "state"
        self.workflow, self.postprocessing = self.folder / "gw_workflow", self.folder / "Post-Processing"
        for path in (self.pnfs / "forcephoto" / "images", self.state, self.workflow, self.postprocessing):
            path.mkdir(parents=True)
        (self.folder / "daemon.toml").write_text(config)
        self._numbers = iter(range(900001, 999999))

    @property
    def database(self) -> Path:
        """The daemon's file."""
        return self.state / "desgw.db"

    def exposure(self) -> Exposure:
        """One more exposure whose jobs have all come to a good end."""
        return Exposure(self.pnfs, next(self._numbers)).make().finish()

    def command(self, *words: str, before: Sequence[str] = (), timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run `desgw-daemon WORDS` to its end. What it says must be lines that a terminal can show, no traceback."""
        env = {key: value for key, value in os.environ.items() if not key.startswith("DESGW_")}
        if before:
            done = subprocess.run(
                [*before, *PROGRAM, *words],
                cwd=self.folder,
                env=env,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=timeout,
            )
        else:
            done = run_warm(words, cwd=self.folder, env=env, timeout=timeout)
        for line in [*done.stdout.splitlines(), *done.stderr.splitlines()]:
            assert line.isprintable(), repr(line)
            assert "Traceback" not in line and "unexpected" not in line, f"{words}: {done.stdout}{done.stderr}"
        return done

    def ok(self, *words: str, before: Sequence[str] = ()) -> str:
        """Run a command that must succeed; what it said, on both of its outputs."""
        done = self.command(*words, before=before)
        assert done.returncode == 0, f"{words}: {done.returncode} {done.stdout} {done.stderr}"
        return done.stdout + done.stderr

    def refused(self, *words: str, code: int, before: Sequence[str] = ()) -> str:
        """Run a command that must end with this code and say one line; the line."""
        done = self.command(*words, before=before)
        assert done.returncode == code, f"{words}: {done.returncode} {done.stdout} {done.stderr}"
        assert done.stderr.startswith("desgw-daemon: ") and done.stderr.count("\n") == 1, done.stderr
        return done.stderr

    def put_list(self, text: bytes) -> None:
        """Write exposures.list, its header first."""
        header = b" EXPNUM NITE MJD_OBS RADEG DECDEG BAND EXPTIME PROPID OBSTYPE TEFF OBJECT\n"
        (self.workflow / "exposures.list").write_bytes(header + text)

    def adopt(self) -> None:
        """Watch every exposure that is on /pnfs."""
        self.ok("queue", "adopt", "--season", str(SEASON), "--yes")

    def explained(self, exposure: Exposure) -> str:
        """What `explain` says of it."""
        return self.ok("explain", str(exposure.expnum))

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """Rows of the database, as people read it."""
        connection = sqlite3.connect(self.database)
        connection.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in connection.execute(query, values)]
        finally:
            connection.close()

    def shown(self, exposure: Exposure) -> dict[str, Any]:
        """The exposure's row."""
        (row,) = self.rows("SELECT * FROM v_exposure WHERE expnum = ?", exposure.expnum)
        return row

    def ccd(self, exposure: Exposure, number: int) -> dict[str, Any]:
        """The row of one of its CCDs."""
        (row,) = self.rows("SELECT * FROM v_ccd WHERE expnum = ? AND ccd = ?", exposure.expnum, number)
        return row
