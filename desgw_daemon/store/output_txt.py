"""Which exposures are made, and what was last written of them to output.txt.

Made is an exposure whose DAG DAGMaker has made in its present attempt, until it is removed. Those that are only watched
were made by somebody else.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Select, delete, func, insert, select

from desgw_daemon.domain.output_txt import output_text
from desgw_daemon.domain.states import ExposureState, MakingState
from desgw_daemon.store.tables import ExposureRow, MakingRow, OutputRow, table

#: The newest made exposure is looked for among so many DAGMakers, in every cycle: more than start while one runs.
_RECENT: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """The made exposures of one season and nite, by number, each with its band."""

    season: int
    nite: str
    exposures: tuple[tuple[int, str], ...]

    @property
    def text(self) -> str:
        """They as output.txt has them."""
        return output_text(self.exposures, nite=self.nite, season=self.season)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What was written last."""

    season: int
    path: str
    text: str
    written_at: datetime


def made(connection: Connection, *, season: int | None = None, nite: str | None = None) -> Made | None:
    """The made exposures of the season and nite of the one that was made last, within a season or a nite if those are
    said. None when none is made.
    """
    exposures, makings = table(ExposureRow).c, table(MakingRow).c
    newest = _made(exposures.season, exposures.nite).order_by(makings.ended_at.desc(), makings.id.desc()).limit(1)
    if season is not None:
        newest = newest.where(exposures.season == season)
    if nite is not None:
        newest = newest.where(exposures.nite == nite)
    if season is None and nite is None:
        newest = newest.where(makings.id > select(func.max(makings.id) - _RECENT).scalar_subquery())
    found = connection.execute(newest).first()
    if found is None:
        return None
    all_of_them = (
        _made(exposures.expnum, exposures.band)
        .where(exposures.season == found.season, exposures.nite == found.nite)
        .distinct()
        .order_by(exposures.expnum)
    )
    listed = tuple((row.expnum, row.band) for row in connection.execute(all_of_them))
    return Made(season=found.season, nite=found.nite, exposures=listed)


def _made(*columns: Any) -> Select[Any]:
    exposures, makings = table(ExposureRow), table(MakingRow)
    return (
        select(*columns)
        .select_from(exposures.join(makings, exposures.c.id == makings.c.exposure_id))
        .where(
            makings.c.state == MakingState.MADE.value,
            makings.c.attempt == exposures.c.attempt,
            exposures.c.state != ExposureState.REMOVED.value,
            exposures.c.watch_only.is_(False),
        )
    )


def last_written(connection: Connection) -> Written | None:
    """The last file that was written, of whatever season."""
    rows = table(OutputRow)
    row = connection.execute(select(rows).order_by(rows.c.written_at.desc()).limit(1)).mappings().first()
    return None if row is None else Written(**row)


def record_written(connection: Connection, made: Made, path: str, *, at: datetime) -> None:
    """The file of a season was written."""
    rows = table(OutputRow)
    connection.execute(delete(rows).where(rows.c.season == made.season))
    connection.execute(insert(rows).values(season=made.season, path=path, text=made.text, written_at=at))
