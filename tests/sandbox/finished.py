"""An exposure whose image processing is over, and what a run of post-processing makes of it."""

from __future__ import annotations

import re
from pathlib import Path

from desgw_daemon.sandbox.build import Sandbox
from desgw_daemon.sandbox.scenario import SEARCH_CCDS

from . import byhand
from .conftest import EXPNUM

FINISHED = "1 \n0 \n1 \n0 \n1 \n1 \n1 \n0 \n1 \ncomplete"
OUT = "outputs"


def ready(sandbox: Sandbox) -> Sandbox:
    """Put an exposure's results on /pnfs, and a list and an ini into Post-Processing."""
    key = f"20200304/{EXPNUM}"
    forces = sandbox.pnfs / "forcephoto" / "images" / "dp2206" / key
    forces.mkdir(parents=True)
    for ccd in SEARCH_CCDS:
        folder = sandbox.pnfs / "exp" / key / "dp2206" / f"i_{ccd:02d}"
        folder.mkdir(parents=True)
        (folder / f"outputs_dp2206_20200304_{EXPNUM}_i_{ccd:02d}.tar.gz").write_text("tar")
        for kind in ("fits", "psf"):
            name = f"WS2206_{EXPNUM}_WS3345-380_tile1_combined_i_{ccd:02d}+fakeSN_diff.{kind}"
            (forces / name).write_text("force")
    byhand.write_postproc(sandbox, [EXPNUM], "i")
    return sandbox


def status(sandbox: Sandbox) -> str:
    return (sandbox.postprocessing / "PostProcStatus2206.txt").read_text()


def steps(output: str) -> list[str]:
    return re.findall(r"^Run STEP (-?\d+):", output, re.MULTILINE)


def list_file(sandbox: Sandbox) -> Path:
    return next(sandbox.postprocessing.glob("complete_exposures_*.list"))
