"""Writing output.txt: the made exposures of the nite that was made last, for whoever goes on by hand.

One file holds one nite, as its readers expect it. Nothing waits for it: the daemon itself goes by the database.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine

from desgw_daemon.act.outputfile import write_own
from desgw_daemon.observe.door import Way
from desgw_daemon.store.database import reading, writing
from desgw_daemon.store.output_txt import last_written, made, record_written


def keep_current(database: Engine, *, path: Path, workflow: Path, way: Way, now: datetime) -> None:
    """Write the file if what it should say has changed since it was last written. Raises OSError."""
    with reading(database) as connection:
        wanted, last = made(connection), last_written(connection)
    if wanted is None:
        return
    if last is not None and (last.season, last.path, last.text) == (wanted.season, str(path), wanted.text):
        return
    way.change(write_own, path, wanted.text, workflow)
    # Cut off before this, it is written once more, with the same words.
    with writing(database) as connection:
        record_written(connection, wanted, str(path), at=now)
