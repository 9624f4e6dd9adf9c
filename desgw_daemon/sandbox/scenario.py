"""A scenario: which exposures the sandbox has, how its programs behave, and what must come of it.

The stand-ins read it from scenario.json; what must come of it (`end`, `ready`) is for the judge only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Literal

from desgw_daemon.sandbox import moves
from desgw_daemon.sandbox.moves import (
    Fate,
    Moves,
)

#: Processed for a search exposure: all of the camera's CCDs but 2, 31 and 61.
SEARCH_CCDS: Final = tuple(ccd for ccd in range(1, 63) if ccd not in (2, 31, 61))

Making = Literal[
    "good",
    "no-templates",  # says so near its end; DONE and exit 0 all the same, no serial block
    "few-lines",  # 47 search lines, no other sign
    "copy-error",  # `Error copying` in its output
    "crash",  # exit 3 in the middle
    "killed",  # killed by a signal in the middle
    "hang",  # never ends
    "no-pgpass",  # exit 2
    "no-nite",  # a short or blacklisted exposure: lines without a nite
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long the stand-ins take. The real ones take hours for most of this."""

    dagmaker: timedelta = timedelta(seconds=1)
    #: A search job, before its copy-back; jobs differ by 30% either way.
    job: timedelta = timedelta(milliseconds=600)
    #: Between two files of a copy-back.
    copy: timedelta = timedelta(milliseconds=60)
    #: How long a late file stays at size 0.
    late: timedelta = timedelta(seconds=1)
    template: timedelta = timedelta(milliseconds=50)
    #: One step of run_postproc.py.
    step: timedelta = timedelta(milliseconds=300)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """The numbers of the sandbox's daemon.toml; see the comments of the shipped one."""

    interval: timedelta = timedelta(seconds=1)
    settle: timedelta = timedelta(seconds=3)
    grace_after_dag: timedelta = timedelta(seconds=3)
    zero_size_after: timedelta = timedelta(seconds=4)
    quiet_for: timedelta = timedelta(seconds=60)
    postproc_min_interval: timedelta = timedelta(milliseconds=200)
    postproc_retry_after: timedelta = timedelta(seconds=1)
    #: A night shows a run that failed, unless it is told to show how it is tried again.
    postproc_retries: int = 0
    confirm_absent: timedelta = timedelta(seconds=2)
    dagmaker_timeout: timedelta = timedelta(seconds=60)
    refresh_every: timedelta = timedelta(seconds=15)
    dagmaker_max_at_once: int = 3
    max_in_flight: int = 4
    local_slots: int = 4
    #: A submission that was refused for a cause that passes is tried again after this.
    retry_after: timedelta = timedelta(seconds=5)
    query_timeout: timedelta = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Postproc:
    """How run_postproc.py behaves.

    dies: (step, before | middle | after) at which it ends, with status 1 or, if how is "kill", by SIGKILL. In the
    middle of a step, the file that it writes is there by half; after it, all are, and its status is not told yet.
    """

    dies: tuple[int, Literal["before", "middle", "after"]] | None = None
    how: Literal["error", "kill"] = "error"
    #: Before it has touched a file: what an earlier run has left says nothing of this one.
    dies_at_once: bool = False
    #: Where it stays until it is ordered otherwise.
    stops: tuple[int, Literal["before", "middle", "after"]] | None = None
    #: Whether a CSV reader gets through {filename_1}, which any SKIPTO > 0 tries.
    prelim_readable: bool = True
    #: Fewer than ncore (8) end step 5 with status 1.
    candidates: int = 24
    #: Candidates, but none of them passes the cuts: ends at step 6, status 0, `incomplete`.
    none_passes: bool = False
    #: Exposures of a program that it does not know: dropped without a word.
    drops: tuple[int, ...] = ()
    #: forcePhoto refuses to start since another one runs on this host, or ends with status 1: nobody looks.
    forcephoto: Literal["good", "busy", "fails"] = "good"
    #: The query of step 4 fails: no truthplus, or that of an earlier run stays; its status is 1 all the same.
    query_fails: bool = False
    #: No light curves come: step 5 waits for them without end, unless as many old ones are there.
    waits: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OlderNite:
    """The same expnum and season under another nite on /pnfs, left from earlier."""

    nite: str
    ccds: Mapping[int, Moves] = field(default_factory=dict)
    default: Moves = moves.COMPLETE


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """An exposure that must go through SE processing before the search jobs of those that use it."""

    expnum: int
    nite: str
    band: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedExposure:
    """One exposure and its bad habits. ra and dec in degrees.

    ccds: scripts of single CCDs; the others do `default`. known: whether exposures.list has it. new: only the exposure
    database has it; exposures.list has not been written since.
    unmade: CCDs whose folder DAGMaker does not make.
    end, ready: what must come of it.
    """

    expnum: int
    nite: str
    band: str
    end: Literal["done", "attention"] = "done"
    ready: Literal["full", "partial", "no"] = "full"
    ra: float = 334.5
    dec: float = -38.0
    exptime: float = 90.0
    known: bool = True
    new: bool = False
    making: Making = "good"
    ccds: Mapping[int, Moves] = field(default_factory=dict)
    default: Moves = moves.COMPLETE
    templates: tuple[Template, ...] = ()
    older: tuple[OlderNite, ...] = ()
    blacklisted: bool = False
    unmade: tuple[int, ...] = ()

    @property
    def field_name(self) -> str:
        """The field, named by its place: tenths of degrees."""
        return f"WS{round(self.ra * 10):04d}{round(self.dec * 10):+04d}"

    @property
    def submitted(self) -> bool:
        """Whether its DAG is fit to be submitted."""
        return self.making == "good" and self.known and self.exptime >= 30 and not self.blacklisted

    def moves_of(self, ccd: int) -> Moves:
        """The script of one CCD."""
        return self.ccds.get(ccd, self.default)

    def fates(self) -> dict[int, Fate]:
        """What is true of each CCD in the end; nothing for an exposure that is never submitted."""
        if not self.submitted:
            return {}
        return {ccd: moves.fate(self.moves_of(ccd), folder_made=ccd not in self.unmade) for ccd in SEARCH_CCDS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A night of one season."""

    season: int = 2206
    exposures: tuple[PlannedExposure, ...]
    engine: Literal["local", "htcondor"] = "local"
    pace: Pace = field(default_factory=Pace)
    watch: Watch = field(default_factory=Watch)
    postproc: Postproc = field(default_factory=Postproc)
    #: setup_img_proc.sh fails.
    setup_fails: bool = False

    @property
    def going_on(self) -> tuple[PlannedExposure, ...]:
        """The exposures that must reach post-processing."""
        return tuple(exposure for exposure in self.exposures if exposure.end == "done")
