"""Stand-in for Post-Processing's run_postproc.py: the same command line, steps and bad ends.

It runs in the Post-Processing folder and reads postproc_SEASON.ini there. The steps are in postproc.py.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import time
from pathlib import Path
from typing import Any

# By name, since it lies beside this file only once the sandbox is built.
postproc: Any = importlib.import_module("postproc")
log = postproc.log


def main() -> None:
    """Parse the arguments, then the steps in their order."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--SKIPTO", type=int, default=0)
    parser.add_argument("--outputdir", required=True)
    parser.add_argument("--season", type=int, required=True)
    names = ("SEASON", "ROOTDIR", "ROOTDIR2", "TOPDIR_SNFORCEPHOTO_IMAGES")
    log("start", argv=sys.argv[1:], cwd=str(Path.cwd()), env={name: os.environ.get(name) for name in names})
    importlib.import_module("pandas")
    args = parser.parse_args()
    if not 0 <= args.SKIPTO <= 7:
        raise ValueError("NOT VALID SKIP TO ARGUMENT")
    print("START TIME", time.strftime("%Y%m%d_%H:%M:%S"))
    run = postproc.Run(args)
    Path(f"seasonTime{run.season}.txt").write_text(f"{run.season}\n{time.strftime('%Y%m%d_%H%M')}")
    log("ini", text=Path(f"postproc_{run.season}.ini").read_text(), list=run.read_list())
    run.out.mkdir(parents=True, exist_ok=True)
    run.write_status()
    run.environment()
    run.initial_list()
    run.final_list()
    if run.skipto <= 2:
        run.forcephoto()
    run.host_match()
    run.truth_table()
    run.data_files()
    run.plots()
    run.web_page()
    print("END END TIME", time.strftime("%Y%m%d_%H:%M:%S"))


if __name__ == "__main__":
    status = 1
    try:
        main()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
        raise
    finally:
        log("end", rc=status)
