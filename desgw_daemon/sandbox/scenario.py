"""A scenario: which exposures the sandbox has, how its programs behave, and what must come of it.

The stand-ins read it from scenario.json; what must come of it (`end`, `ready`) is for the judge only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final, Literal

from desgw_daemon.sandbox import moves
from desgw_daemon.sandbox.moves import (
    COMPLETE_WITH_RUN_ALL,
    EMPTY_PSF,
    EMPTY_TARBALL,
    FAILS_AT_28,
    LATE_TARBALL,
    NO_FITS,
    NO_FORCEFILES,
    NO_OVERLAPS,
    NO_PSF,
    SE_FAILS,
    SETUP_FAILS,
    Fate,
    Moves,
    fails_at,
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


def small_scenario(exposures: int = 2) -> Scenario:
    """A night of so many good exposures, as quick as the machine lets it be."""
    return Scenario(
        exposures=tuple(
            PlannedExposure(expnum=938524 + i, nite="20200304", band="iz"[i % 2]) for i in range(exposures)
        ),
        pace=Pace(
            dagmaker=timedelta(milliseconds=50),
            job=timedelta(milliseconds=10),
            copy=timedelta(0),
            late=timedelta(milliseconds=200),
            template=timedelta(0),
            step=timedelta(milliseconds=5),
        ),
        watch=Watch(
            interval=timedelta(milliseconds=200),
            settle=timedelta(milliseconds=400),
            grace_after_dag=timedelta(milliseconds=400),
            zero_size_after=timedelta(milliseconds=600),
            confirm_absent=timedelta(milliseconds=300),
        ),
    )


def on_pool(scenario: Scenario, *, season: int) -> Scenario:
    """The same night on a HTCondor pool, where a DAG takes its time to begin and to end, and jobs to be matched.

    season: one of which the pool has never had a DAG.
    """
    return replace(scenario, engine="htcondor", season=season)


def demo_scenario() -> Scenario:
    """The demo's night: 12 exposures, 2 bands, 2 nites, each with its own bad habit; about a minute."""
    first, second = "20200304", "20200305"
    # As far apart as the settle time below must bear.
    late_fail = fails_at(20, after_ms=1500)
    hopeless = dict.fromkeys(range(3, 17), fails_at(18))
    partly = dict.fromkeys((5, 9, 14, 22, 37, 44, 52, 60), NO_FORCEFILES)
    partly |= {7: NO_PSF, 19: NO_PSF, 33: NO_FITS, 48: EMPTY_PSF}
    # What the older nite left would change every count if it were mixed in.
    older = OlderNite(nite="20200229", ccds=dict.fromkeys(range(20, 40), fails_at(7)))
    failing = {1: fails_at(3), 12: late_fail, 30: late_fail, 45: fails_at(26), 58: late_fail}
    i_band = (
        PlannedExposure(
            expnum=938524, nite=first, band="i", templates=(Template(expnum=668439, nite="20170817", band="i"),)
        ),
        PlannedExposure(expnum=938525, nite=first, band="i", dec=-36.1, ccds=failing),
        PlannedExposure(expnum=938526, nite=first, band="i", dec=-34.2, ccds=hopeless, end="attention", ready="no"),
        PlannedExposure(
            expnum=938527, nite=first, band="i", dec=-32.3, making="no-templates", end="attention", ready="no"
        ),
        PlannedExposure(
            expnum=938528,
            nite=first,
            band="i",
            dec=-30.4,
            ccds={4: LATE_TARBALL, 25: LATE_TARBALL, 26: LATE_TARBALL, 41: EMPTY_TARBALL},
        ),
        PlannedExposure(expnum=938529, nite=first, band="i", dec=-28.5, ccds=partly, ready="partial"),
    )
    z_band = (
        PlannedExposure(expnum=938530, nite=first, band="z", older=(older,), ccds={50: fails_at(15)}),
        PlannedExposure(
            expnum=938531,
            nite=first,
            band="z",
            dec=-36.1,
            ccds={6: COMPLETE_WITH_RUN_ALL, 28: COMPLETE_WITH_RUN_ALL, 11: FAILS_AT_28, 59: FAILS_AT_28},
        ),
        PlannedExposure(
            expnum=938532, nite=first, band="z", dec=-34.2, ccds={3: SE_FAILS, 24: SE_FAILS, 55: NO_OVERLAPS}
        ),
        PlannedExposure(
            expnum=938871,
            nite=second,
            band="z",
            dec=-32.3,
            templates=(Template(expnum=668440, nite="20170817", band="z"),),
        ),
        PlannedExposure(expnum=938872, nite=second, band="z", dec=-30.4, ccds={17: SETUP_FAILS, 40: late_fail}),
        PlannedExposure(expnum=938873, nite=second, band="z", dec=-28.5),
    )
    return Scenario(
        exposures=i_band + z_band,
        pace=Pace(
            job=timedelta(milliseconds=900),
            late=timedelta(milliseconds=1500),
            step=timedelta(milliseconds=600),
        ),
        # Wide enough for a machine that is busy with other things: four times the pauses above, and nothing
        # that is only there for accidents comes near.
        watch=Watch(
            interval=timedelta(seconds=2),
            settle=timedelta(seconds=6),
            grace_after_dag=timedelta(seconds=5),
            zero_size_after=timedelta(seconds=8),
            quiet_for=timedelta(minutes=10),
            dagmaker_timeout=timedelta(minutes=5),
        ),
    )
