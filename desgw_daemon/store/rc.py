"""What is kept of dagmaker.rc: each change of a key, and each text that a DAGMaker has read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from sqlalchemy import Connection, insert, select

from desgw_daemon.domain.states import MAKING_LIVE
from desgw_daemon.store.tables import ExposureRow, MakingRow, RcChangeRow, RcVersionRow, table


@dataclass(frozen=True, slots=True)
class RcChange:
    """One key, as its value stood in the file before and stands after; None: not set."""

    key: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class LiveMaking:
    """A DAGMaker that may be running."""

    expnum: int
    band: str | None
    season: int
    nite: str | None
    folder: str
    intent_at: datetime


def record_changes(
    connection: Connection, changes: Iterable[RcChange], *, path: str, who: str, why: str, at: datetime
) -> None:
    """Write down what is about to be changed.

    A change that was written down, and that a crash kept from being made, is not written down twice.
    """
    rows = table(RcChangeRow)
    for change in changes:
        values = {
            "who": who,
            "path": path,
            "key": change.key,
            "before": _storable(change.before),
            "after": _storable(change.after),
            "why": why,
        }
        last = connection.execute(
            select(rows)
            .where(rows.c.path == path, rows.c.key == change.key)
            .order_by(rows.c.id.desc())
            .limit(1)
        ).mappings().first()  # fmt: skip
        if last is None or any(last[name] != value for name, value in values.items()):
            connection.execute(insert(rows).values(at=at, **values))


def keep_version(connection: Connection, data: bytes, *, at: datetime) -> str:
    """Keep a text that a DAGMaker reads; its checksum."""
    rows = table(RcVersionRow)
    checksum = sha256(data).hexdigest()
    if connection.execute(select(rows.c.sha256).where(rows.c.sha256 == checksum)).first() is None:
        # What is no UTF-8 is kept as \xNN: the database holds text.
        text = data.decode("utf-8", "backslashreplace")
        connection.execute(insert(rows).values(sha256=checksum, first_read_at=at, text=text))
    return checksum


def live_makings(connection: Connection) -> list[LiveMaking]:
    """The DAGMakers whose end is not known, the oldest first."""
    makings, exposures = table(MakingRow), table(ExposureRow)
    found = connection.execute(
        select(
            exposures.c.expnum,
            exposures.c.band,
            exposures.c.season,
            exposures.c.nite,
            makings.c.folder,
            makings.c.intent_at,
        )
        .join(exposures, exposures.c.id == makings.c.exposure_id)
        .where(makings.c.state.in_([state.value for state in MAKING_LIVE]))
        .order_by(makings.c.intent_at, makings.c.id)
    )
    return [LiveMaking(*row) for row in found]


def _storable(text: str | None) -> str | None:
    return None if text is None else text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
