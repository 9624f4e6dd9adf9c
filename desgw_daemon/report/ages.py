"""How old numbers are that were read from a tree, and whether that must be said with them: docs/mounts.md has the rule.

Must stay light (the standard library only) and must not look at anything but the database.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from desgw_daemon.report.statustypes import Age, Cycle, Silence

#: A number that may still change is shown with its age when it is older than so many poll intervals.
OLD_AFTER: Final = 2
#: ... but never sooner than this: a cycle takes its time, however short the interval.
OLD_AT_LEAST: Final = timedelta(seconds=5)
#: A last cycle that began longer ago than so many poll intervals is overdue: the daemon seems not to run.
OVERDUE_AFTER: Final = 3
#: ... but never sooner than this: a cycle that starts many things takes its time, however short the interval.
OVERDUE_AT_LEAST: Final = timedelta(seconds=15)
#: What follows when something does not answer.
_MEANS: Final = {
    "pnfs": "what is said of CCDs and files is as of then",
    "engine": "what is said of DAGs is as of then; nothing is taken for ended or lost, and new ones wait",
    "workflow": "nothing is made or submitted that needs it",
    "postprocessing": "no run is started, and none that goes on is taken for dead",
    "making": "no DAG is made; what is made, watched or post-processed goes on",
}
#: Exposures whose numbers are those with which they went into post-processing, or that nobody asks about any more.
_CLOSED: Final = ("postprocessing", "done", "removed")


class Watch(NamedTuple):
    """How the trees were looked at of late. looked_at: beginning of the newest cycle that came to look.

    run_seen_at: the same of the newest one in which Post-Processing answered, or was not asked.
    """

    now: datetime
    interval: timedelta
    last_cycle: Cycle | None
    silent: list[Silence]
    looked_at: str | None
    run_seen_at: str | None

    @property
    def has_stopped(self) -> bool:
        """Whether the daemon seems not to run: what was silent may have answered since."""
        return self.looked_at is None or self.last_cycle is None or self.last_cycle["overdue"]

    def is_old(self, seen: str | None) -> bool:
        """Whether something last seen then is older than two polls."""
        return seen is None or self.now - datetime.fromisoformat(seen) > max(OLD_AFTER * self.interval, OLD_AT_LEAST)

    def silent_since(self, what: str) -> str | None:
        """Since when a tree has not answered; None when it does."""
        return next((silence["since"] for silence in self.silent if silence["what"] == what), None)


def read_watch(db: sqlite3.Connection, *, now: datetime, interval: timedelta) -> Watch:
    """From the rows that the cycles have left. interval: of the polls."""
    looked = "SELECT started_at FROM v_poll WHERE look_seconds IS NOT NULL"
    newest = "ORDER BY id DESC LIMIT 1"
    return Watch(
        now=now,
        interval=interval,
        last_cycle=_last_cycle(db, now, interval),
        silent=_silent(db),
        looked_at=_value(db, f"{looked} {newest}"),
        run_seen_at=_value(db, f"{looked} AND postprocessing_problem IS NULL {newest}"),
    )


def may_change(*, pending: int, found: int, expected: int, ready: str, dag: str | None) -> bool:
    """Whether something may still appear by itself: CCDs (unless its DAG, of this state, has not begun), or files."""
    return dag != "queued" and (pending > 0 or (found < expected and ready != "full"))


def exposure_age(state: str, as_of: str | None, unseen_since: str | None, watch: Watch, *, changing: bool) -> Age:
    """Of the numbers of an exposure: its CCDs, its forcephoto files, and what follows from them.

    changing: `may_change`. What has settled is looked at seldom, and is not stale while it could be looked at.
    """
    if state == "removed" or not watch.is_old(as_of):
        return _fresh(as_of)
    if unseen_since is None and (as_of is None or state in _CLOSED):
        return _fresh(as_of)
    tree = watch.silent_since("pnfs")
    if watch.has_stopped:
        return _stale(as_of, "daemon", watch.looked_at or unseen_since or as_of)
    if tree is not None:
        return _stale(as_of, "pnfs", tree)
    if unseen_since is not None:
        return _stale(as_of, "exposure", unseen_since)
    # What the newest look has seen was looked at because it may change.
    if (as_of or "") >= (watch.looked_at or ""):
        return _stale(as_of, "daemon", watch.looked_at)
    return _stale(as_of, "schedule", as_of) if changing else _fresh(as_of)


def run_age(state: str, started_at: str | None, ended_at: str | None, watch: Watch) -> Age:
    """Of the step of a run of post-processing. What has ended stays as it is."""
    if state != "running" or started_at is None:
        return _fresh(ended_at)
    seen = watch.run_seen_at if (watch.run_seen_at or "") > started_at else None
    if not watch.is_old(seen or started_at):
        return _fresh(seen)
    tree = watch.silent_since("postprocessing")
    if tree is not None and not watch.has_stopped:
        return _stale(seen, "postprocessing", tree)
    return _stale(seen, "daemon", watch.looked_at or started_at)


def oldest(ages: Collection[Age]) -> Age | None:
    """The stale one that is oldest, for what is said of several at once; None when none is stale."""
    return min((age for age in ages if age["stale"]), key=lambda age: age["as_of"] or "", default=None)


def _fresh(as_of: str | None) -> Age:
    return Age(as_of=as_of, stale=False, stale_because=None, stale_since=None)


def _stale(as_of: str | None, because: str, since: str | None) -> Age:
    return Age(as_of=as_of, stale=True, stale_because=because, stale_since=since)


def _last_cycle(db: sqlite3.Connection, now: datetime, interval: timedelta) -> Cycle | None:
    for row in _rows(db, "SELECT * FROM v_poll ORDER BY id DESC LIMIT 1"):
        age = now - datetime.fromisoformat(row["started_at"])
        return Cycle(
            started_at=row["started_at"],
            ended_at=row["ended_at"],
            age_seconds=age.total_seconds(),
            overdue=age > max(OVERDUE_AFTER * interval, OVERDUE_AT_LEAST),
            listings=row["listings"],
            stats=row["stats"],
            reads=row["reads"],
            error=row["error"],
        )
    return None


def _silent(db: sqlite3.Connection) -> list[Silence]:
    """What did not answer in the newest cycle that came so far as to ask, and since which cycle it has not."""
    asked = "SELECT * FROM v_poll WHERE look_seconds IS NOT NULL"
    found = []
    for newest in _rows(db, f"{asked} ORDER BY id DESC LIMIT 1"):
        for what in ("pnfs", "engine", "workflow", "postprocessing", "making"):
            problem = newest[f"{what}_problem"]
            if problem is None:
                continue
            good = [row["id"] for row in _rows(db, f"{asked} AND {what}_problem IS NULL ORDER BY id DESC LIMIT 1")]
            first = _rows(db, f"{asked} AND id > ? ORDER BY id LIMIT 1", good or [0])
            found += [Silence(what=what, since=row["started_at"], problem=problem, means=_MEANS[what]) for row in first]
    return found


def _value(db: sqlite3.Connection, query: str) -> str | None:
    return next((row[0] for row in _rows(db, query)), None)


def _rows(db: sqlite3.Connection, query: str, values: Sequence[object] = ()) -> Iterable[sqlite3.Row]:
    cursor = db.cursor()
    cursor.row_factory = sqlite3.Row
    return cursor.execute(query, list(values))
