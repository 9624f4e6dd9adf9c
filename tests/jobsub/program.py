"""Stand-in for jobsub_submit_dag, jobsub_q, jobsub_hold, jobsub_release and jobsub_rm: their command line, output and
bad habits. What it submits goes to HTCondor underneath.

program.py HOME NAME ARGUMENT...: HOME is the folder where its orders lie (orders.json), and its log (calls.jsonl).

It shares no code and no mind with the daemon: what it knows is what was recorded of the real programs. Run with
`python -I`, as they are.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import re
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any, NoReturn

RULER = "\n" + "=-" * 30 + "\n\n"
NO_STATUS = f"{RULER}Error: condor_submit exited with failed status code 1{RULER}\n"
NEVER = 3600

#: Rows of the failure table that are only said: name -> (exit code, stdout, stderr). Nothing is submitted.
SAID: dict[str, tuple[int, str, str]] = {
    "quota-owner": (
        0,
        "Submitting job(s)",
        "\nERROR: Failed to create cluster\nNumber of submitted jobs would exceed MAX_JOBS_PER_OWNER\n" + NO_STATUS,
    ),
    "quota-submitted": (
        0,
        "Submitting job(s)",
        "\nERROR: Failed to create cluster\nNumber of submitted jobs would exceed MAX_JOBS_SUBMITTED\n" + NO_STATUS,
    ),
    "credential-storer": (
        0,
        "Submitting job(s)",
        "\nERROR: (0) invoking /opt/jobsub_lite/bin/condor_vault_storer des_desgw\n"
        "Failed to process job credential requests (1): exit\n" + NO_STATUS,
    ),
    "bad-line": (
        0,
        "Submitting job(s)",
        "ERROR: Parse error in expression: \n\tDesgwTag = foo bar(\n\t\n\nERROR: on Line 41 of submit file: \n"
        + NO_STATUS,
    ),
    "no-reason": (0, "Submitting job(s)", NO_STATUS),
    "too-many": (
        0,
        "Submitting job(s)",
        "ERROR: Number of submitted jobs would exceed MAX_JOBS_PER_SUBMISSION\n"
        f"{RULER}Error: condor_submit exited with failed status code 1\n\n"
        f"MAX_JOBS_PER_SUBMISSION limits: jobsub01.fnal.gov 10000{RULER}\n",
    ),
    "too-many-unknown": (1, "", "Error: KeyError: 'Jobsub_Max_Jobs_Per_Submission'\n"),
    "no-token": (
        1,
        "Attempting to get token from https://htvaultprod.fnal.gov:8200 ... failed\n",
        "htgettoken: Initiating authentication to https://htvaultprod.fnal.gov:8200 failed\n"
        "Error: PermissionError: Failed attempting 'htgettoken -a htvaultprod.fnal.gov -i des -r desgw'\n",
    ),
    "wrong-role": (
        1,
        "",
        "Error: ValueError: BEARER_TOKEN_FILE contains a token with the wrong group or role; it is for des/analysis\n",
    ),
    "collector": (1, "", "Error: HTCondorIOError: Failed communication with collector.\n"),
    "no-schedd": (1, "", "Error: RuntimeError: Error: No schedds satisfying the constraint were found\n"),
    "disk": (1, "", "Error: OSError: [Errno 28] No space left on device: '/home/desgw/.cache/jobsub_lite/js_1'\n"),
    "syntax": (
        2,
        "",
        "usage: jobsub_submit_dag [-h] [-G GROUP] [--role ROLE]\n                         [executable]\n"
        "jobsub_submit_dag: error: unrecognized arguments: --bogus\nSyntax Error at file x.dag line 7\n",
    ),
    "missing-file": (1, "", "Error: FileNotFoundError: [Errno 2] No such file or directory: '/w/SEdiff.sh'\n"),
    "never-seen": (0, "The hamster has left its wheel\n", ""),
}


class Home:
    """Its orders, its log, and which schedds there are."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            self.orders: dict[str, Any] = json.loads((folder / "orders.json").read_text())
        except FileNotFoundError:
            self.orders = {}
        self.schedds: list[str] = json.loads((folder / "schedds.json").read_text())
        self.condor = str(self.orders.get("condor", folder / "condor"))

    def order(self, name: str) -> str:
        """What is ordered for a program; each order may be for so many calls only (NAME*COUNT)."""
        order, _, count = str(self.orders.get(name, "")).partition("*")
        if count:
            self._count_down(name)
        return order

    def _count_down(self, name: str) -> None:
        """Under a lock: others count theirs down at the same time."""
        with (self.folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            path = self.folder / "orders.json"
            orders = json.loads(path.read_text())
            order, _, count = orders.pop(name).partition("*")
            if count != "1":
                orders[name] = f"{order}*{int(count) - 1}"
            part = path.with_suffix(".part")
            part.write_text(json.dumps(orders))
            part.rename(path)

    def log(self, **what: Any) -> None:
        """One line; whoever judges reads it."""
        line = json.dumps({"pid": os.getpid(), "at": time.time(), **what}) + "\n"
        fd = os.open(self.folder / "calls.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        os.write(fd, line.encode())
        os.close(fd)

    def run_condor(self, *words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """A command of HTCondor, from its folder."""
        argv = [f"{self.condor}/{words[0]}", *words[1:]]
        return subprocess.run(argv, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True)


def parser_of(name: str) -> argparse.ArgumentParser:
    """The options of jobsub_submit, and of a job's line, that matter here; others are refused, as there."""
    parser = argparse.ArgumentParser(prog=name)
    parser.add_argument("-G", "--group", default=os.environ.get("GROUP"))
    parser.add_argument("--role", default="Analysis")
    parser.add_argument("--subgroup")
    parser.add_argument("--verbose", type=int, default=0)
    parser.add_argument("--dag", action="store_true")
    for word in ("--cpu", "--disk", "--memory", "--expected-lifetime", "--timeout", "--OS", "--email-to", "--site"):
        parser.add_argument(word)
    for word in ("--need-storage-modify", "--need-scope", "--resource-provides", "--job-info"):
        parser.add_argument(word, action="append", default=[])
    parser.add_argument("-c", "--append_condor_requirements", "--append-condor-requirements")
    parser.add_argument("-l", "--lines", action="append", default=[])
    parser.add_argument("-e", "--environment", action="append", default=[])
    parser.add_argument("-f", dest="input_file", action="append", default=[])
    parser.add_argument("-N", type=int, default=1)
    parser.add_argument("-n", "--no_submit", "--no-submit", action="store_true")
    for word in ("-Q", "--mail_never", "--mail_on_error", "--mail_always"):
        parser.add_argument(word, dest="mail", action="store_true")
    parser.add_argument("--schedd-for-testing")
    parser.add_argument("executable", nargs="?")
    parser.add_argument("exe_arguments", nargs=argparse.REMAINDER)
    return parser


def unescaped(word: str) -> str:
    """One layer of single quotes and of backslashes goes, as with the real one."""
    return re.sub(r"\\(.)", r"\1", re.sub(r"'(.*[^\\])'", r"\1", word))


def of_exposure(home: Home, lines: list[str]) -> str:
    """Where the order stands: an exposure may have one of its own, submit:938524."""
    own = next((f"submit:{found[1]}" for line in lines if (found := re.match(r"\+DesgwExpnum=(\d+)", line))), "")
    return own if own in home.orders else "submit"


def submit(home: Home, name: str, argv: list[str]) -> int:
    """jobsub_submit_dag."""
    args = parser_of(name).parse_args([unescaped(word) for word in argv])
    order = home.order(of_exposure(home, args.lines))
    home.log(who=name, argv=argv, env=sorted(os.environ), cwd=str(Path.cwd()), order=order)
    if order == "frozen":
        time.sleep(NEVER)
    if order == "waits":  # until whoever ordered it has done something
        while (home.folder / "wait").exists():
            time.sleep(0.02)
    if order in SAID:
        code, out, err = SAID[order]
        sys.stderr.write(err)
        sys.stdout.write(out)
        return code
    if args.group is None:
        raise NameError(f"{name} needs -G group or $GROUP in the environment.")
    schedd = args.schedd_for_testing or home.schedds[0]
    folder = home.folder / f"js_{uuid.uuid4()}"
    folder.mkdir(mode=0o777)
    write_dag(folder, Path(args.executable.removeprefix("file://")), args, schedd)
    if args.no_submit:
        print(f"NOT submitting file:\n{folder}/dag.dag\n\nSubmission files are in: {folder}")
        return 0
    return hand_over(home, folder, args, schedd, order)


def hand_over(home: Home, folder: Path, args: argparse.Namespace, schedd: str, order: str) -> int:
    """Submit the DAG that was written, and say so; or not, as ordered."""
    # Spooled jobs stay in the queue for ten days after their end; those that are removed do not.
    stays = "leave_in_queue = JobStatus == 4 && (CompletionDate =?= undefined || time() - CompletionDate < 864000)"
    lines = [*args.lines, f'+Jobsub_Group = "{args.group}"', stays]
    appended = [word for line in lines for word in ("-append", line)]
    done = home.run_condor("condor_submit_dag", *appended, "dag.dag", cwd=folder)
    found = re.search(r"submitted to cluster (\d+)", done.stdout)
    if found is None:
        sys.stdout.write(done.stdout)
        sys.stderr.write(done.stderr + NO_STATUS)
        return 0
    job_id = f"{found[1]}.0@{schedd}"
    home.log(who="condor", job_id=job_id, lines=args.lines, cwd=str(folder))
    said = f"Submitting job(s).\n1 job(s) submitted to cluster {found[1]}.\n"
    match order:
        case "taken-frozen":
            time.sleep(NEVER)
        case "taken-never-seen":
            print("The hamster has left its wheel")
            return 0
        case "taken-crash":
            sys.stderr.write('Traceback (most recent call last):\n  File "condor.py", line 7, in submit\nEOFError\n')
            return 1
        case "taken-spool":
            sys.stderr.write(f"{said}ERROR: Failed to spool job files.\n{NO_STATUS}")
            return 0
    sys.stdout.write(said)
    print(f"{RULER}Use job id {job_id} to retrieve output{RULER}")
    if order != "no-job-info":
        for script in args.job_info:
            os.system(f'{script} {job_id} "{sys.argv!r}" </dev/null')
    if order == "recorded-frozen":  # what it has said is not written yet
        time.sleep(NEVER)
    if order == "taken-error":
        sys.stderr.write("Error: HTCondorIOError: Failed communication with collector.\n")
        return 1
    return 0


def write_dag(folder: Path, source: Path, args: argparse.Namespace, schedd: str) -> None:
    """The DAG for DAGMan. Lenient: what it does not know it passes over, and takes the rest."""
    block: str | None = None
    before: list[str] = []
    stage: list[str] = []
    out = [f"# {source}"]
    count = 0
    with source.open() as file:
        for number, raw in enumerate(file, 1):
            line = os.path.expandvars(raw.strip())
            if line in ("<parallel>", "<serial>"):
                block, stage = line.strip("<>"), []
            elif line in ("</parallel>", "</serial>"):
                if block == "parallel" and stage:
                    out += [f"PARENT {parent} CHILD {' '.join(stage)}" for parent in before]
                    before = stage
                block = None
            elif "jobsub" in line:
                count += 1
                node = f"stage_{count}"
                try:
                    job = parser_of("jobsub_submit_dag").parse_args(line.split()[1:])
                except SystemExit:
                    sys.stderr.write(f"Syntax Error at file {source} line {number}\n")
                    raise
                if job.need_storage_modify:
                    sys.stderr.write("flag --need-storage-modify ignored in DAG\n")
                write_job(folder, node, job, args, schedd)
                out.append(f"JOB {node} {node}.cmd")
                if block == "serial":
                    out += [f"PARENT {parent} CHILD {node}" for parent in before]
                    before = [node]
                else:
                    stage.append(node)
            elif line:
                sys.stderr.write(f"Syntax Error: ignoring {line} at line {number}\n")
    (folder / "dag.dag").write_text("\n".join(out) + "\n")


def write_job(folder: Path, node: str, job: argparse.Namespace, args: argparse.Namespace, schedd: str) -> None:
    """The submit description of a node. The script is run where it lies, not copied as with the real one."""
    script = Path.cwd() / (job.executable or "").removeprefix("file://")
    script.open().close()  # FileNotFoundError, as when it is copied
    pairs = dict(word.partition("=")[::2] for word in [*args.environment, *job.environment])
    pairs |= {
        "PROCESS": "$(Process)",
        "CLUSTER": "$(Cluster)",
        "JOBSUBJOBID": f"$(Cluster).$(Process)@{schedd}",
        "JOBSUBPARENTJOBID": f"$(DAGManJobId).0@{schedd}",
    }
    environment = " ".join(f"{key}='{value}'" for key, value in pairs.items())
    words = " ".join(f"'{word}'" for word in (str(script), *job.exe_arguments))
    lines = [
        "universe = vanilla",
        "executable = /bin/bash",
        f'arguments = "{words}"',
        f'environment = "{environment}"',
        "transfer_executable = false",
        "should_transfer_files = YES",
        'transfer_output_files = ""',
        f"output = {folder}/{node}.$(Process).out",
        f"error = {folder}/{node}.$(Process).err",
        *args.lines,
        *job.lines,
        f"queue {job.N}",
    ]
    (folder / f"{node}.cmd").write_text("\n".join(lines) + "\n")


def command(home: Home, name: str, argv: list[str]) -> int:
    """jobsub_q, jobsub_hold...: condor's command for each schedd. It returns 0 whatever came of it."""
    parser = argparse.ArgumentParser(prog=name, allow_abbrev=False)
    parser.add_argument("-G", "--group", default=os.environ.get("GROUP"))
    parser.add_argument("--role", default="Analysis")
    parser.add_argument("-J", "--jobid")
    parser.add_argument("-name")
    parser.add_argument("--constraint")
    args, rest = parser.parse_known_args(argv)
    order = home.order(name)
    home.log(who=name, argv=argv, order=order)
    if args.group is None:
        raise SystemExit(f"{name} needs -G group or $GROUP in the environment.")
    print("Attempting to get token from https://htvaultprod.fnal.gov:8200 ... succeeded")
    sys.stdout.flush()
    match order:
        case "frozen":
            time.sleep(NEVER)
        case "no-token":
            sys.stderr.write(SAID["no-token"][2])
            return 1
        case "cut":
            print('[\n{ "ClusterId": 1')
            return 0
    by_schedd: dict[str, list[str]] = {args.name: []} if args.name else {}
    words = []
    for word in [*rest, *(args.jobid or "").split(",")]:
        found = re.fullmatch(r"([\d.]*)@([\w.]+)", word)
        if found:
            by_schedd.setdefault(found[2], []).append(found[1])
        elif word:
            words.append(word)
    if args.constraint:
        words += ["-constraint", args.constraint]
    for schedd in by_schedd or home.schedds:
        ids = by_schedd.get(schedd, [])
        if order == "schedd-off":
            continue
        done = home.run_condor(name.replace("jobsub_", "condor_"), "-name", schedd, *words, *ids)
        sys.stdout.write(done.stdout)
        sys.stderr.write(done.stderr)
    return 0


def main(argv: list[str]) -> NoReturn:
    """As the real ones end: an exception is one line, and exit code 1."""
    home, name = Home(Path(argv[0])), argv[1]
    try:
        sys.exit(submit(home, name, argv[2:]) if name == "jobsub_submit_dag" else command(home, name, argv[2:]))
    except (OSError, ValueError, LookupError, NameError, RuntimeError) as error:
        sys.stderr.write(f"Error: {type(error).__name__}: {error}\n")
        sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
