"""Which transitions have been told to the log: how far it has come is written down, so that a restart repeats none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects.sqlite import insert as upsert

from desgw_daemon.store.tables import ExposureRow, SettingRow, TransitionRow, table

_KEY: Final = "log_told"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A transition, with the exposure it is about."""

    id: int
    kind: str
    subject: str
    before: str | None
    after: str
    why: str
    season: int | None
    nite: str | None
    expnum: int | None


def transitions_to_tell(connection: Connection) -> tuple[Told, ...]:
    """The transitions since the last call, which is written down with the caller's transaction."""
    settings, rows, exposures = table(SettingRow), table(TransitionRow), table(ExposureRow)
    known = connection.execute(select(settings.c.value).where(settings.c.key == _KEY)).scalar_one_or_none()
    found = (
        connection.execute(
            select(
                rows.c.id,
                rows.c.kind,
                rows.c.subject,
                rows.c.before,
                rows.c.after,
                rows.c.why,
                func.coalesce(rows.c.season, exposures.c.season).label("season"),
                exposures.c.nite,
                exposures.c.expnum,
            )
            .join(exposures, exposures.c.id == rows.c.exposure_id, isouter=True)
            .where(rows.c.id > int(known or 0))
            .order_by(rows.c.id)
        )
        .mappings()
        .all()
    )
    if found:
        values = {"value": str(found[-1]["id"]), "at": datetime.now(UTC), "who": "daemon"}
        statement = upsert(settings).values(key=_KEY, **values)
        connection.execute(statement.on_conflict_do_update(index_elements=["key"], set_=values))
    return tuple(Told(**row) for row in found)
