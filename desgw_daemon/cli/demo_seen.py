"""How far a night has come, for the demo to show: read from the views of the daemon's database."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from desgw_daemon.domain.states import IN_FLIGHT, MAKING_LIVE, RUN_LIVE, ExposureState


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One exposure. complete, bad and pending are CCDs, bad ones with whatever reason; forcefiles are those found.

    partly: it goes on without some of its forcefiles.
    """

    expnum: int
    nite: str
    band: str
    state: str
    partly: bool
    complete: int
    bad: int
    pending: int
    forcefiles: int
    reason: str

    @property
    def label(self) -> str:
        """The state for people."""
        return f"{self.state} partial" if self.partly and self.state != ExposureState.POSTPROCESSING else self.state

    @property
    def over(self) -> bool:
        """Whether nothing more happens to it by itself."""
        return self.state in (ExposureState.DONE, ExposureState.ATTENTION)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The newest run of post-processing; step is None before its first."""

    number: int
    state: str
    step: int | None

    @property
    def live(self) -> bool:
        """Whether it may still be going on."""
        return self.state in RUN_LIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A night at one moment. in_flight: DAGs; making: DAGMakers at work."""

    lines: tuple[Line, ...]
    in_flight: int
    making: int
    run: Run | None

    @property
    def ccds(self) -> int:
        """CCDs with a sign, good or bad."""
        return sum(line.complete + line.bad for line in self.lines)

    @property
    def over(self) -> bool:
        """Whether nothing more will happen by itself."""
        return not (self.run is not None and self.run.live) and all(line.over for line in self.lines)

    @property
    def news(self) -> object:
        """Differs from an earlier one's when something has happened; words that change do not count."""
        lines = [(line.expnum, line.state, line.complete, line.bad, line.forcefiles) for line in self.lines]
        return lines, self.in_flight, self.making, self.run


def read_progress(database: Path) -> Progress | None:
    """The night as it stands; None while the database is not there yet, or is just being made."""
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            connection.execute("BEGIN")
            return _read(connection)
    except sqlite3.OperationalError:
        return None


def _read(connection: sqlite3.Connection) -> Progress:
    lines = connection.execute(
        "SELECT expnum, nite, band, state, ready = 'partial', ccds_complete,"
        " ccds_failed + ccds_missing + ccds_broken + ccds_lost, ccds_pending, forcefiles_found, reason"
        " FROM v_exposure ORDER BY nite, band, expnum"
    ).fetchall()
    run = connection.execute("SELECT number, state, step FROM v_postproc ORDER BY run_id DESC LIMIT 1").fetchone()
    return Progress(
        lines=tuple(
            Line(
                expnum=expnum,
                nite=nite or "?",
                band=band or "?",
                state=state,
                partly=bool(partly),
                complete=complete,
                bad=bad,
                pending=pending,
                forcefiles=forcefiles or 0,
                reason=reason or "",
            )
            for expnum, nite, band, state, partly, complete, bad, pending, forcefiles, reason in lines
        ),
        in_flight=_count(connection, "v_submission", sorted(IN_FLIGHT)),
        making=_count(connection, "v_dagmaker", sorted(MAKING_LIVE)),
        run=None if run is None else Run(number=run[0], state=run[1], step=run[2]),
    )


def _count(connection: sqlite3.Connection, view: str, states: list[str]) -> int:
    marks = ", ".join("?" * len(states))
    (number,) = connection.execute(f"SELECT count(*) FROM {view} WHERE state IN ({marks})", states).fetchone()
    return int(number)
