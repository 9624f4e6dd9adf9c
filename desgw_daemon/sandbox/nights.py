"""The nights that the sandbox plays: the demo's, and a small one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

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
    fails_at,
)
from desgw_daemon.sandbox.scenario import OlderNite, Pace, PlannedExposure, Scenario, Template, Watch


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
