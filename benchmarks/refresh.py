"""What a refresh of exposures.list costs, beside psql's \\copy of the same rows from the same server.

python -m benchmarks.refresh [--exposures 1200000]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from sqlalchemy import text

from tests.postgres import running_server

_FILL: Final = (
    "CREATE SCHEMA exposure;"
    "CREATE TABLE exposure.exposure (id bigint PRIMARY KEY, date timestamptz, ra double precision, declination"
    " double precision, filter text, exptime real, propid text, flavor text, qc_teff real, object text);"
    "INSERT INTO exposure.exposure SELECT id, timestamptz '2013-03-01 02:00Z' + id * interval '97 seconds',"
    " (id % 36000) / 100.0, (id % 9000) / -100.0, (ARRAY['u','g','r','i','z','Y','VR'])[1 + id % 7], 30 + id % 300,"
    " '2013B-0' || id % 1000, 'object', (id % 150) / 100.0, 'hex ' || id % 77"
    " FROM generate_series(182809, 182808 + {count}) AS id; ANALYZE"
)
_COPY: Final = (
    r"\copy (SELECT id, to_char(date - interval '12 hours', 'YYYYMMDD'), extract(epoch FROM date), ra, declination,"
    " filter, exptime, propid, flavor, qc_teff, object FROM exposure.exposure WHERE flavor = 'object' AND exptime >"
    " 29.999 AND ra IS NOT NULL AND id >= 182809 ORDER BY id) TO '{file}'"
)


def main() -> None:
    """Fill a server, and ask it in both ways, in turns."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--exposures", type=int, default=1_200_000)
    count = arguments.parse_args().exposures
    with running_server() as server, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with server.engine().begin() as connection:
            for statement in _FILL.format(count=count).split(";"):
                connection.execute(text(statement))
        for each in ("state", "workflow"):
            (folder / each).mkdir()
        url = server.url.render_as_string(hide_password=False).replace(" ", "%20")
        (folder / "daemon.toml").write_text(
            f'[paths]\nstate = "state"\npnfs = "pnfs"\nworkflow = "workflow"\npostprocessing = "postproc"\n'
            f'[databases]\nexposures = "{url}"\n'
        )
        psql = ["psql", url.replace("+psycopg", ""), "-q", "-c", _COPY.format(file=folder / "copied")]
        refresh = [sys.executable, "-m", "desgw_daemon", "exposures", "refresh"]
        print(f"{count} exposures (seconds, seconds of this side's processor, MB at most):")
        for _ in range(2):
            show("psql \\copy, one list", psql, folder)
            show("exposures refresh, eight lists", refresh, folder)
        size = (folder / "workflow" / "exposures.list").stat().st_size
        print(f"exposures.list has {size / 1e6:.0f} MB.")


def show(name: str, command: list[str], folder: Path) -> None:
    begin = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    spent = time.perf_counter() - begin
    print(f"  {name:<32}{spent:>8.1f}{usage.ru_utime + usage.ru_stime:>8.1f}{usage.ru_maxrss / 1024:>8.0f}")


if __name__ == "__main__":
    main()
