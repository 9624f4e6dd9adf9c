"""In what the queue and /pnfs do not say the same of an exposure, written down beside it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, func, update

from desgw_daemon.store.tables import ExposureRow, table


def set_disagreements(connection: Connection, changed: Mapping[int, str | None], *, at: datetime) -> None:
    """Write the sentences of these exposures; None: none any more. It lasts since the first one in a row."""
    rows = table(ExposureRow)
    for exposure_id, text in changed.items():
        since = None if text is None else func.coalesce(rows.c.disagreement_since, at)
        connection.execute(
            update(rows).where(rows.c.id == exposure_id).values(disagreement=text, disagreement_since=since)
        )
