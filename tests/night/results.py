"""What image processing leaves on /pnfs, put there by hand: exposures that are ready without a night of jobs."""

from __future__ import annotations

from collections.abc import Collection

from desgw_daemon.sandbox.build import Sandbox
from desgw_daemon.sandbox.scenario import SEARCH_CCDS

from .house import NITE, SEASON


def put_results(
    sandbox: Sandbox,
    expnum: int,
    band: str = "i",
    *,
    season: int = SEASON,
    nite: str = NITE,
    failed: Collection[int] = (),
    unfinished: Collection[int] = (),
) -> None:
    """Folders, tarballs and forcephoto files of an exposure; failed CCDs have a FAIL, unfinished ones nothing yet."""
    exp = sandbox.pnfs / "exp" / nite / str(expnum) / f"dp{season}"
    forces = sandbox.pnfs / "forcephoto" / "images" / f"dp{season}" / nite / str(expnum)
    forces.mkdir(parents=True)
    for ccd in SEARCH_CCDS:
        folder = exp / f"{band}_{ccd:02d}"
        folder.mkdir(parents=True)
        if ccd in failed:
            (folder / "RUN18_combined+expose_hotpants.FAIL").write_text("hotpants failed\n812345.0@sandbox fnpc01\n")
        elif ccd not in unfinished:
            finish_ccd(sandbox, expnum, ccd, band, season=season, nite=nite)


def finish_ccd(
    sandbox: Sandbox, expnum: int, ccd: int, band: str = "i", *, season: int = SEASON, nite: str = NITE
) -> None:
    """The files that a job copies back when all went well."""
    folder = sandbox.pnfs / "exp" / nite / str(expnum) / f"dp{season}" / f"{band}_{ccd:02d}"
    forces = sandbox.pnfs / "forcephoto" / "images" / f"dp{season}" / nite / str(expnum)
    (folder / f"outputs_dp{season}_{nite}_{expnum}_{band}_{ccd:02d}.tar.gz").write_text("outputs\n")
    for kind in ("fits", "psf"):
        name = f"WS{season:04d}_{expnum}_WS3345-380_tile1_combined_{band}_{ccd:02d}+fakeSN_diff.{kind}"
        (forces / name).write_text("force\n")
