"""The numbers of the database for Prometheus: read after each cycle, so they must stay cheap.

How many there are must not grow with the nights: seasons are named only while something of theirs is open.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, text

from desgw_daemon.domain.decam import EXPECTED_CCDS
from desgw_daemon.domain.metricnames import PREFIX
from desgw_daemon.domain.states import (
    ENDED,
    IN_FLIGHT,
    CcdState,
    DeliveryState,
    ExposureState,
    MakingState,
    RunState,
    SubmissionState,
)

#: What may be silent, by its column of `poll`.
_SOURCES: Final = {
    "pnfs": "pnfs_problem",
    "queue": "engine_problem",
    "workflow": "workflow_problem",
    "postprocessing": "postprocessing_problem",
}
_TREES: Final = ("pnfs", "workflow", "postprocessing")
_OUTCOMES: Final = ("accepted", "transient", "permanent", "credential", "unclear")
_RUN_ENDED: Final = (RunState.DONE, RunState.FAILED, RunState.LOST)
_DONE_WITH: Final = (ExposureState.DONE, ExposureState.REMOVED)


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of a metric."""

    name: str
    value: float
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """What cycles have cost: calls on /pnfs, and commands that asked the queue."""

    listings: int = 0
    stats: int = 0
    reads: int = 0
    queue: int = 0

    def __add__(self, other: Calls) -> Calls:
        return Calls(
            listings=self.listings + other.listings,
            stats=self.stats + other.stats,
            reads=self.reads + other.reads,
            queue=self.queue + other.queue,
        )


def calls_of(connection: Connection, *, after: int, upto: int) -> Calls:
    """The cost of the cycles after one (poll.id) up to another."""
    row = connection.execute(
        text(
            "SELECT coalesce(sum(listings), 0), coalesce(sum(stats), 0), coalesce(sum(reads), 0),"
            " coalesce(sum(engine_calls), 0) FROM poll WHERE id > :after AND id <= :upto"
        ),
        {"after": after, "upto": upto},
    ).one()
    return Calls(listings=row[0], stats=row[1], reads=row[2], queue=row[3])


def read_numbers(connection: Connection, *, cycle: int) -> tuple[Sample, ...]:
    """All that the database tells, as of this cycle (poll.id)."""
    found = (
        _cycles(connection, cycle),
        _sources(connection),
        _exposures(connection),
        _dags(connection),
        _postproc(connection),
        _people(connection),
    )
    return tuple(sample for samples in found for sample in samples)


def _cycles(connection: Connection, cycle: int) -> Iterator[Sample]:
    yield _one("cycles_total", cycle)
    row = _row(
        connection,
        f"SELECT {_seconds('started_at')}, coalesce(seconds, 86400 * (julianday(ended_at) - julianday(started_at))),"
        " look_seconds, unseen, (SELECT count(*) FROM json_each(part_errors)) FROM poll WHERE id = :cycle",
        cycle=cycle,
    )
    names = (
        "last_cycle_timestamp_seconds",
        "cycle_duration_seconds",
        "pnfs_look_duration_seconds",
        "unseen_exposures",
        "cycle_failed_parts",
    )
    for name, value in zip(names, row or (), strict=False):
        if value is not None:
            yield _one(name, value)
    yield _one("daemon_starts_total", _count(connection, "SELECT count(*) FROM daemon_run"))
    yield _one("paused", _count(connection, "SELECT count(*) FROM setting WHERE key = 'paused'"))


def _sources(connection: Connection) -> Iterator[Sample]:
    # A cycle that was cut off before it had asked proves nothing.
    asked = "look_seconds IS NOT NULL"
    for source, column in _SOURCES.items():
        newest = _row(connection, f"SELECT {column} IS NULL FROM poll WHERE {asked} ORDER BY id DESC LIMIT 1")
        if newest is not None:
            yield _one("source_up", newest[0], source)
        good = _row(
            connection,
            f"SELECT {_seconds('started_at')} FROM poll WHERE {asked} AND {column} IS NULL ORDER BY id DESC LIMIT 1",
        )
        if good is not None:
            yield _one("source_last_answer_timestamp_seconds", good[0], source)
    stuck = _rows(connection, "SELECT tree, count(*) FROM stuck_process GROUP BY tree")
    yield from _each("stuck_processes", stuck, [(tree,) for tree in _TREES])
    oldest = _row(connection, f"SELECT {_seconds('min(as_of)')} FROM exposure WHERE state = 'processing'")
    if oldest is not None and oldest[0] is not None:
        yield _one("pnfs_oldest_look_timestamp_seconds", oldest[0])


def _exposures(connection: Connection) -> Iterator[Sample]:
    rows = _rows(
        connection,
        "SELECT season, state, count(*), sum(held <> 0) FROM exposure WHERE season IN"
        f" (SELECT season FROM exposure WHERE state NOT IN {_in(_DONE_WITH)}) GROUP BY season, state",
    )
    seasons = sorted({str(row[0]) for row in rows}, key=int)
    states = [(season, state.value) for season in seasons for state in ExposureState]
    yield from _each("exposures", [row[:3] for row in rows], states)
    for season in seasons:
        yield _one("exposures_held", sum(row[3] for row in rows if str(row[0]) == season), season)
    ccds = _rows(
        connection,
        "SELECT e.season, c.state, count(*) FROM ccd c JOIN exposure e ON e.id = c.exposure_id WHERE e.state <>"
        " 'removed' AND c.state <> 'pending' AND e.season IN"
        f" (SELECT season FROM exposure WHERE state NOT IN {_in(_DONE_WITH)}) GROUP BY e.season, c.state",
    )
    for season in seasons:
        wanted = EXPECTED_CCDS * sum(r[2] for r in rows if str(r[0]) == season and r[1] != ExposureState.REMOVED)
        known = {str(row[1]): int(row[2]) for row in ccds if str(row[0]) == season}
        known[CcdState.PENDING.value] = wanted - sum(known.values())
        for state in CcdState:
            yield _one("ccds", known.get(state.value, 0), season, state.value)


def _dags(connection: Connection) -> Iterator[Sample]:
    making = f"SELECT count(*) FROM dagmaker_run WHERE state IN {_in((MakingState.INTENT, MakingState.RUNNING))}"
    yield _one("dagmakers_running", _count(connection, making))
    flying = f"SELECT count(*) FROM submission WHERE state IN {_in(IN_FLIGHT)}"
    yield _one("dags_in_flight", _count(connection, flying))
    tries = "SELECT outcome, count(*) FROM submit_try WHERE outcome IS NOT NULL GROUP BY outcome"
    yield from _each("submissions_total", _rows(connection, tries), [(outcome,) for outcome in _OUTCOMES])
    ended = f"SELECT state, count(*) FROM submission WHERE state IN {_in(ENDED)} GROUP BY state"
    states = [(state.value,) for state in SubmissionState if state in ENDED]
    yield from _each("dags_ended_total", _rows(connection, ended), states)


def _postproc(connection: Connection) -> Iterator[Sample]:
    for season, count, step, at in _rows(
        connection,
        f"SELECT season, count(*), max(step), {_seconds('max(step_at)')} FROM postproc_run"
        f" WHERE state = '{RunState.RUNNING}' GROUP BY season",
    ):
        yield _one("postproc_running", count, str(season))
        if step is not None:
            yield _one("postproc_step", step, str(season))
        if at is not None:
            yield _one("postproc_step_timestamp_seconds", at, str(season))
    ended = f"SELECT state, count(*) FROM postproc_run WHERE state IN {_in(_RUN_ENDED)} GROUP BY state"
    yield from _each("postproc_runs_total", _rows(connection, ended), [(state.value,) for state in _RUN_ENDED])


def _people(connection: Connection) -> Iterator[Sample]:
    up = "FROM alert WHERE cleared_at IS NULL"
    yield from _each("alerts", _rows(connection, f"SELECT rule, severity, count(*) {up} AND active GROUP BY 1, 2"), [])
    acknowledged = f"SELECT count(*) {up} AND acked_at IS NOT NULL"
    yield _one("alerts_acknowledged", _count(connection, acknowledged))
    yield _one("alerts_pending", _count(connection, "SELECT count(*) FROM alert_pending"))
    sent = _rows(connection, "SELECT channel, state, count(*) FROM delivery GROUP BY channel, state")
    channels = sorted({str(row[0]) for row in sent})
    yield from _each("deliveries", sent, [(channel, state.value) for channel in channels for state in DeliveryState])
    failing = "SELECT channel, count(*) FROM delivery WHERE state = 'waiting' AND tries > 0 GROUP BY channel"
    yield from _each("deliveries_failing", _rows(connection, failing), [(channel,) for channel in channels])
    outcomes = _rows(connection, f"SELECT outcome, count(*), {_seconds('max(at)')} FROM checkup GROUP BY outcome")
    if outcomes:
        yield from _each("checkup", [row[:2] for row in outcomes], [("ok",), ("warn",), ("fail",)])
        yield _one("checkup_timestamp_seconds", max(row[2] for row in outcomes))


def _one(name: str, value: float, *labels: str) -> Sample:
    return Sample(PREFIX + name, float(value), labels)


def _each(name: str, rows: Iterable[tuple[Any, ...]], always: Iterable[tuple[str, ...]]) -> Iterator[Sample]:
    """Rows of labels and, last, a value. always: labels that are 0 when they have no row."""
    found: Mapping[tuple[str, ...], float] = {tuple(map(str, labels)): value for *labels, value in rows}
    for labels in dict.fromkeys((*always, *found)):
        yield _one(name, found.get(labels, 0), *labels)


def _seconds(column: str) -> str:
    """A time as seconds since 1970."""
    return f"CAST(strftime('%s', {column}) AS INTEGER)"


def _in(states: Iterable[str]) -> str:
    return "(" + ", ".join(f"'{state}'" for state in sorted(states)) + ")"


def _rows(connection: Connection, query: str, **values: object) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in connection.execute(text(query), values)]


def _row(connection: Connection, query: str, **values: object) -> tuple[Any, ...] | None:
    return next(iter(_rows(connection, query, **values)), None)


def _count(connection: Connection, query: str) -> int:
    return int(_rows(connection, query)[0][0])
