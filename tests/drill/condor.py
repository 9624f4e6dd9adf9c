"""A queue on paper that runs its DAGs: condor_submit_dag, condor_q, condor_history, condor_rm... over a folder of ads.

condor.py FOLDER NAME ARGUMENT...: what a HTCondor pool is for, where a night needs a queue that can be told to fail.
It runs the DAGs that tests/jobsub/program.py writes, four jobs at a time, on this machine.

FOLDER/error    while it is there, every question ends with exit code 1
FOLDER/hang     while it is there, no question is answered
FOLDER/N.held   while it is there, DAG N is on hold: its running jobs go on, no new ones start
FOLDER/N.rm     DAG N is removed, with its jobs
FOLDER/hosts    JSON: on which host of the grid the jobs of a CCD run, by its number; all others run on one of three
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

SLOTS = 4
DAGMAN = 7
RUNNING, REMOVED, COMPLETED, HELD = 2, 3, 4, 5


def put(path: Path, what: object) -> None:
    """Whole at any moment: others read it again and again."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(what))
    part.rename(path)


def submit(folder: Path, argv: list[str]) -> int:
    """Take a DAG, and let it run by itself."""
    cluster = 100
    while True:
        try:
            os.close(os.open(folder / f"{cluster}.taken", os.O_WRONLY | os.O_CREAT | os.O_EXCL))
            break
        except FileExistsError:
            cluster += 100  # its jobs have the numbers between
    now = int(time.time())
    ad: dict[str, Any] = {
        "ClusterId": cluster,
        "ProcId": 0,
        "JobUniverse": DAGMAN,
        "JobStatus": RUNNING,
        "Owner": "desgw",
        "QDate": now,
        "EnteredCurrentStatus": now,
    }
    for line in argv:
        if found := re.fullmatch(r'\+(\w+)\s*=\s*(?:"(.*)"|(\d+))', line):
            ad[found[1]] = found[2] if found[3] is None else int(found[3])
    put(folder / f"{cluster}.dag.json", ad)
    words = [sys.executable, "-I", __file__, str(folder), "run", str(cluster), str(Path.cwd())]
    nowhere = subprocess.DEVNULL
    subprocess.Popen(words, stdin=nowhere, stdout=nowhere, stderr=nowhere, start_new_session=True)
    print(f"Submitting job(s).\n1 job(s) submitted to cluster {cluster}.")
    return 0


class Job:
    """One process of a node."""

    def __init__(self, folder: Path, node: str, process: int, cluster: int, text: str) -> None:
        arguments = re.search(r'^arguments = "(.*)"$', text, re.M)
        environment = re.search(r'^environment = "(.*)"$', text, re.M)
        assert arguments is not None and environment is not None
        names = {"$(Process)": str(process), "$(Cluster)": str(cluster), "$(DAGManJobId)": str(cluster // 100 * 100)}
        settings = environment[1]
        for name, value in names.items():
            settings = settings.replace(name, value)
        self.node, self.process, self.cluster = node, process, cluster
        self.argv = ["/bin/bash", *shlex.split(arguments[1])]
        ccd = self.argv[self.argv.index("-c") + 1] if "-c" in self.argv else "0"
        self.host = hosts(folder).get(ccd, f"node{cluster % 3:02d}.grid")
        self.env = {**os.environ, **dict(word.split("=", 1) for word in shlex.split(settings)), "HOSTNAME": self.host}
        self.running: subprocess.Popen[bytes] | None = None
        self.code: int | None = None

    def start(self) -> None:
        self.running = subprocess.Popen(
            self.argv,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def over(self) -> bool:
        if self.running is not None and self.code is None:
            self.code = self.running.poll()
        return self.code is not None

    def ad(self, dag: dict[str, Any], removed: bool) -> dict[str, Any]:
        """As the history has it."""
        known: dict[str, Any] = {
            name: dag[name] for name in ("DesgwTag", "DesgwExpnum", "Owner", "QDate") if name in dag
        }
        known |= {"ClusterId": self.cluster, "ProcId": self.process, "JobUniverse": 5, "DAGNodeName": self.node}
        known |= {"CompletionDate": int(time.time()), "LastRemoteHost": f"slot1@{self.host}"}
        if self.code is None or removed:
            return known | {"JobStatus": REMOVED, "RemoveReason": "removed by its DAG"}
        if self.code < 0:
            return known | {"JobStatus": COMPLETED, "ExitBySignal": True, "ExitSignal": -self.code}
        return known | {"JobStatus": COMPLETED, "ExitCode": self.code}


def hosts(folder: Path) -> dict[str, str]:
    """By CCD."""
    path = folder / "hosts"
    found: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    return found


def run(folder: Path, cluster: int, place: Path) -> int:
    """What DAGMan does: the nodes in their order, and their ends written down."""
    text = (place / "dag.dag").read_text()
    jobs: dict[str, list[Job]] = {}
    number = cluster
    for node, name in re.findall(r"^JOB (\S+) (\S+)$", text, re.M):
        number += 1
        description = (place / name).read_text()
        count = int(re.findall(r"^queue (\d+)$", description, re.M)[-1])
        jobs[node] = [Job(folder, node, process, number, description) for process in range(count)]
    before: dict[str, list[str]] = {node: [] for node in jobs}
    for parent, children in re.findall(r"^PARENT (\S+) CHILD (.*)$", text, re.M):
        for child in children.split():
            before[child].append(parent)
    ad_path, held, removed = (folder / f"{cluster}.{name}" for name in ("dag.json", "held", "rm"))
    ad: dict[str, Any] = json.loads(ad_path.read_text())
    ended: dict[str, bool] = {}  # whether it went well
    told: object = None
    while len(ended) < len(jobs):
        if removed.exists():
            for job in (job for each in jobs.values() for job in each):
                if job.running is not None and not job.over():
                    job.running.kill()
                    job.running.wait()
            break
        for node, own in jobs.items():
            if node not in ended and any(not ended.get(parent, True) for parent in before[node]):
                ended[node] = False
            elif node not in ended and all(job.over() for job in own):
                ended[node] = all(job.code == 0 for job in own)
        running = [job for own in jobs.values() for job in own if job.running is not None and not job.over()]
        ready = [
            job
            for node, own in jobs.items()
            if node not in ended and all(ended.get(parent) for parent in before[node])
            for job in own
            if job.running is None
        ]
        if not held.exists():
            for job in ready[: SLOTS - len(running)]:
                job.start()
                running.append(job)
        counts = {
            "JobStatus": HELD if held.exists() else RUNNING,
            "DAG_NodesTotal": len(jobs),
            "DAG_NodesDone": sum(ended.values()),
            "DAG_NodesFailed": len(ended) - sum(ended.values()),
            "DAG_NodesQueued": len({job.node for job in running}),
            "DAG_JobsRunning": len(running),
        }
        if counts != told:
            if counts["JobStatus"] != ad["JobStatus"]:
                ad["EnteredCurrentStatus"] = int(time.time())
            ad.pop("HoldReason", None)
            put(ad_path, ad := ad | counts | ({"HoldReason": held.read_text().strip()} if held.exists() else {}))
            told = counts
        time.sleep(0.02)
    gone = removed.exists()
    ends = [job.ad(ad, gone) for own in jobs.values() for job in own if job.running is not None]
    put(folder / f"{cluster}.jobs.json", ends)
    good = all(ended.values()) and not gone
    now = int(time.time())
    ad |= {"JobStatus": REMOVED if gone else COMPLETED, "CompletionDate": now, "EnteredCurrentStatus": now}
    ad |= {"RemoveReason": f"removed by {removed.read_text().strip()}"} if gone else {"ExitCode": 0 if good else 1}
    ad |= {"DAG_NodesDone": sum(ended.values()), "DAG_NodesFailed": len(ended) - sum(ended.values())}
    put(folder / f"{cluster}.past.json", ad)
    # One that was submitted from afar stays in the queue after its end, if nobody has removed it.
    if gone:
        ad_path.unlink()
    else:
        put(ad_path, ad)
    return 0


def matches(ad: dict[str, Any], constraint: str) -> bool:
    """Whether the constraints hold that the daemon asks with."""
    if "JobUniverse != 7" in constraint and ad["JobUniverse"] == DAGMAN:
        return False
    if "JobUniverse == 7" in constraint and "JobStatus == 5" not in constraint and ad["JobUniverse"] != DAGMAN:
        return False
    if "JobStatus != 4" in constraint and ad["JobStatus"] == COMPLETED:
        return False
    tags = re.findall(r'DesgwTag == "([^"]*)"', constraint)
    expnums = [int(found) for found in re.findall(r"DesgwExpnum == (\d+)", constraint)]
    return not (tags or expnums) or ad.get("DesgwTag") in tags or ad.get("DesgwExpnum") in expnums


def main(folder: Path, name: str, argv: list[str]) -> int:
    """One of condor's commands."""
    if name == "run":
        return run(folder, int(argv[0]), Path(argv[1]))
    if name == "condor_submit_dag":
        return submit(folder, argv)
    while (folder / "hang").exists():
        time.sleep(0.05)
    if (folder / "error").exists():
        sys.stderr.write("-- Failed to fetch ads from: <127.0.0.1:9618> : paper.test\n")
        return 1
    constraint = argv[argv.index("-constraint") + 1] if "-constraint" in argv else ""
    queued = [(path, json.loads(path.read_text())) for path in sorted(folder.glob("*.dag.json"))]
    if name == "condor_q":
        found = [ad for _, ad in queued if matches(ad, constraint)]
        print(json.dumps(found) if found else "")
        return 0
    if name == "condor_history":
        paths = [*folder.glob("*.past.json"), *folder.glob("*.jobs.json")]
        past: list[dict[str, Any]] = []
        for path in paths:
            text = json.loads(path.read_text())
            past += text if isinstance(text, list) else [text]
        print(json.dumps([ad for ad in past if matches(ad, constraint)]))
        return 0
    for path, ad in queued:
        if matches(ad, constraint):
            order = {"condor_rm": "rm", "condor_hold": "held"}.get(name)
            stem = folder / f"{ad['ClusterId']}"
            if order is not None:
                stem.with_suffix(f".{order}").write_text("desgw")
            else:
                with contextlib.suppress(FileNotFoundError):
                    stem.with_suffix(".held").unlink()
            assert path.exists()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))
