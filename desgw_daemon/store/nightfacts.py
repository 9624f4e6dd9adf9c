"""What the CCDs and files of the open exposures come to, counted by SQLite: loading 18,000 rows for it would cost more
than the rest of a cycle.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, bindparam, text

from desgw_daemon.domain.nightfacts import Failures, Leftover, NightFacts, Pace
from desgw_daemon.domain.states import CcdState
from desgw_daemon.store.columns import UtcDateTime

#: Failures of exposures that are done count for so long after their last news: an alert about a host or a step ends
#: when none has come for as long.
FAILURES_COUNT_FOR: Final = timedelta(hours=6)

_FAILURES: Final = (
    text("""
SELECT e.id AS exposure_id, e.season, e.nite, e.expnum, e.state = 'done' AS over, c.state, c.step, c.host,
  count(*) AS count, coalesce(max(c.changed_at), e.news_at) AS newest
FROM exposure e JOIN ccd c ON c.exposure_id = e.id
WHERE c.state IN ('failed', 'lost')
  AND (e.state NOT IN ('done', 'removed') OR (e.state = 'done' AND e.news_at >= :lately))
GROUP BY e.id, c.state, c.step, c.host ORDER BY e.id, c.state, c.step, c.host
""")
    .bindparams(bindparam("lately", type_=UtcDateTime()))
    .columns(newest=UtcDateTime())
)
_COMPLETE: Final = text("""
SELECT e.id, (SELECT count(*) FROM ccd c WHERE c.exposure_id = e.id AND c.state = 'complete') AS complete
FROM exposure e WHERE e.state = 'attention'
""")
#: Of all exposures of the nites of which something is in process; a day is 86400 s.
_PACES: Final = text("""
SELECT w.exposure_id, w.season, w.nite,
  (SELECT s.submitted_at FROM submission s
   WHERE s.exposure_id = w.exposure_id AND s.attempt = w.attempt) AS submitted_at,
  min(w.changed_at) AS first, max(w.changed_at) AS newest, max(w.waited) AS waited, count(*) AS ended
FROM (
  SELECT e.id AS exposure_id, e.season, e.nite, e.attempt, c.changed_at, 86400 * (julianday(c.changed_at)
    - julianday(lag(c.changed_at) OVER (PARTITION BY c.exposure_id ORDER BY c.changed_at))) AS waited
  FROM exposure e JOIN ccd c ON c.exposure_id = e.id
  WHERE (e.season, e.nite) IN (SELECT b.season, b.nite FROM exposure b WHERE b.state = 'processing')
    AND e.state <> 'removed' AND c.state IN ('complete', 'failed') AND c.changed_at IS NOT NULL
) w GROUP BY w.exposure_id
""").columns(submitted_at=UtcDateTime(), first=UtcDateTime(), newest=UtcDateTime())
_LEFTOVERS: Final = text("""
SELECT e.id AS exposure_id, e.season, e.nite, e.expnum, 'surplus' AS kind, count(*) AS count,
  min(f.first_seen) AS since, min(f.name) AS example
FROM exposure e JOIN json_each(e.forcefiles_surplus) j
  JOIN forcefile f ON f.exposure_id = e.id AND f.name = j.value
WHERE e.state IN ('processing', 'ready', 'attention') AND e.forcefiles_surplus <> '[]' GROUP BY e.id
UNION ALL
SELECT e.id, e.season, e.nite, e.expnum, 'forcefile', count(*), min(f.first_seen), min(f.name)
FROM exposure e JOIN forcefile f ON f.exposure_id = e.id
WHERE e.state IN ('processing', 'attention') AND f.size = 0 AND f.kind IS NOT NULL GROUP BY e.id
UNION ALL
SELECT e.id, e.season, e.nite, e.expnum, 'tarball', count(*), min(c.changed_at),
  min(printf('the tarball of %s_%02d', e.band, c.ccd))
FROM exposure e JOIN ccd c ON c.exposure_id = e.id
WHERE e.state IN ('processing', 'attention') AND c.tarball_size = 0 AND c.changed_at IS NOT NULL GROUP BY e.id
""").columns(since=UtcDateTime())


def load_night_facts(connection: Connection, *, at: datetime) -> NightFacts:
    """The facts of that moment."""
    failures = connection.execute(_FAILURES, {"lately": at - FAILURES_COUNT_FOR}).mappings()
    paces = connection.execute(_PACES).mappings()
    return NightFacts(
        failures=tuple(
            Failures(**{**row, "over": bool(row["over"]), "state": CcdState(row["state"])}) for row in failures
        ),
        complete={row.id: row.complete for row in connection.execute(_COMPLETE)},
        paces=tuple(
            Pace(
                **{name: row[name] for name in row if name != "waited"},
                longest=timedelta(seconds=row["waited"] or 0.0),
            )
            for row in paces
        ),
        leftovers=tuple(Leftover(**row) for row in connection.execute(_LEFTOVERS).mappings()),
    )
