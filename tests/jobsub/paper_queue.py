"""A queue on paper: condor_submit_dag, condor_q, condor_history, condor_rm... that know no more than a folder of ads.

paper_queue.py FOLDER NAME ARGUMENT...: for what is to be tried without a pool. A DAG in it runs for ever. A file
FOLDER/silent lets the questions go unanswered; the answers of an empty queue are as recorded.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from pathlib import Path
from typing import Any


def submit(folder: Path, argv: list[str]) -> int:
    """Take a DAG."""
    cluster = 1
    while True:
        try:
            os.close(os.open(folder / f"{cluster}.json", os.O_WRONLY | os.O_CREAT | os.O_EXCL))
            break
        except FileExistsError:
            cluster += 1
    ad: dict[str, Any] = {
        "GlobalJobId": f"paper.test#{cluster}.0#{int(time.time())}",
        "ClusterId": cluster,
        "ProcId": 0,
        "JobUniverse": 7,
        "JobStatus": 2,
        "Owner": "desgw",
        "QDate": int(time.time()),
        "EnteredCurrentStatus": int(time.time()),
    }
    for line in argv:
        if found := re.fullmatch(r'\+(\w+)\s*=\s*(?:"(.*)"|(\d+))', line):
            ad[found[1]] = found[2] if found[3] is None else int(found[3])
    (folder / f"{cluster}.json").write_text(json.dumps(ad))
    print(f"Submitting job(s).\n1 job(s) submitted to cluster {cluster}.")
    return 0


def matches(ad: dict[str, Any], constraint: str) -> bool:
    """Whether a constraint that names tags or exposures holds; any other does."""
    if re.search(r"JobUniverse != 7", constraint):
        return False
    tags = re.findall(r'DesgwTag =?=\??=? ?"([^"]*)"', constraint)
    expnums = [int(number) for number in re.findall(r"DesgwExpnum =?=\??=? ?(\d+)", constraint)]
    if not tags and not expnums:
        return True
    return ad.get("DesgwTag") in tags or ad.get("DesgwExpnum") in expnums


def main(folder: Path, name: str, argv: list[str]) -> int:
    """One of condor's commands."""
    if name == "condor_submit_dag":
        return submit(folder, argv)
    if (folder / "silent").exists():
        sys.stderr.write("-- Failed to fetch ads from: <127.0.0.1:9618> : paper.test\n")
        return 1
    constraint = argv[argv.index("-constraint") + 1] if "-constraint" in argv else ""
    if name == "condor_rm":
        (folder / "removed").write_text(" ".join(argv))
        print("All jobs have been marked for removal")
        return 0
    if name == "condor_q":
        ads = [json.loads(path.read_text() or "{}") for path in sorted(folder.glob("*.json"))]
        found = [ad for ad in ads if matches(ad, constraint)]
        if found:
            print(json.dumps(found))
        return 0
    if name == "condor_history":
        print("[\n]")
        return 0
    sys.stderr.write(f"\nCouldn't find all jobs matching constraint ({constraint})\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))
