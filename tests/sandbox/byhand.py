"""Drives the stand-ins by hand, as a person with a terminal would: no daemon, none of its code."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from desgw_daemon.sandbox.build import Sandbox
from desgw_daemon.sandbox.evidence import recount

#: Nothing of the tests' own environment is to reach the stand-ins.
ENVIRONMENT = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}


def bash(command: str, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command in bash; more are variables of its environment."""
    return subprocess.run(
        ["bash", "-c", command],
        cwd=cwd,
        env=ENVIRONMENT | more,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
        check=False,
    )


def make(sandbox: Sandbox, expnum: int) -> subprocess.CompletedProcess[str]:
    """Run DAGMaker for an exposure, with its set-up sourced."""
    return bash(f"source setup_img_proc.sh && exec ./DAGMaker.sh {expnum}", sandbox.workflow)


def dag_text(sandbox: Sandbox, expnum: int) -> str:
    """The DAG that DAGMaker has written."""
    return (sandbox.workflow / f"desgw_pipeline_{expnum}.dag").read_text()


def job(sandbox: Sandbox, words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run one job, given as what follows file:// in a DAG."""
    return subprocess.run(
        shlex.split(f"./{words}"),
        cwd=sandbox.workflow,
        env=ENVIRONMENT | more,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
        check=False,
    )


def sediff(
    sandbox: Sandbox, expnum: int, ccd: int, *, band: str = "i", nite: str = "20200304"
) -> subprocess.CompletedProcess[str]:
    """Run the search job of one CCD."""
    words = f"SEdiff.sh -r 4 -p 7 -E {expnum} -v gw8 -b {band} -n {nite} -d persistent -m gw"
    return job(sandbox, f"{words} -C -c {ccd} -S dp{sandbox.season}")


def run_dag(sandbox: Sandbox, expnum: int, slots: int = 8) -> None:
    """Run the jobs of a DAG, its stages in order, several jobs of a stage at the same time."""
    with ThreadPoolExecutor(slots) as pool:
        stage: list[Any] = []
        for line in dag_text(sandbox, expnum).splitlines():
            options, mark, words = line.partition("file://")
            if mark and " -N 60 " in options:
                stage += [pool.submit(job, sandbox, words, PROCESS=str(k)) for k in range(60)]
            elif mark:
                stage.append(pool.submit(job, sandbox, words))
            elif line.startswith("</"):
                for future in stage:
                    future.result()
                stage = []


def write_postproc(sandbox: Sandbox, expnums: Iterable[int], bands: str) -> None:
    """Put a list and an ini into the Post-Processing folder."""
    folder, season = sandbox.postprocessing, sandbox.season
    name = f"complete_exposures_S{season}_20200305_09-30.list"
    (folder / name).write_text("".join(f"{expnum}\n" for expnum in expnums))
    ini = (folder / "template_postproc.ini").read_text()
    ini = ini.replace("season_input", str(season)).replace("= exposures.list", f"= {name}")
    (folder / f"postproc_{season}.ini").write_text(ini.replace("bands = i", f"bands = {bands}"))


def postproc(sandbox: Sandbox, arguments: str = "", *, links: bool = True) -> subprocess.CompletedProcess[str]:
    """Run post-processing as its list and ini say."""
    update = "./update_forcephoto_links.sh &&" if links else ""
    run = f"{sys.executable} run_postproc.py {arguments} --outputdir ./outputs --season {sandbox.season}"
    return bash(f"source diffimg_setup.sh && {update} exec {run}", sandbox.postprocessing)


def status(sandbox: Sandbox) -> str:
    """What a faultless daemon would say at the end of the night."""
    plan = json.loads((sandbox.root / "scenario.json").read_text())
    entries = []
    for planned in plan["exposures"]:
        key = {name: planned[name] for name in ("nite", "expnum", "band")}
        disk = recount(sandbox.pnfs, season=sandbox.season, **key)
        entries.append(
            key
            | {
                "season": sandbox.season,
                "state": planned["end"],
                "held": False,
                "reason": "made up by hand",
                "ready": planned["ready"],
                "ccds": {"expected": 59, "pending": 0} | disk.counts,
                "forcefiles": {
                    "expected": 2 * len(disk.complete),
                    "found": len(disk.found),
                    "missing": [f"{planned['band']}_{ccd:02d} {kind}" for ccd, kind in disk.lacking],
                    "surplus": [f"{planned['band']}_{ccd:02d}.{kind}" for ccd, kind in disk.surplus],
                },
                "as_of": "2020-03-05T10:00:00Z",
            }
        )
    return json.dumps({"exposures": entries})
