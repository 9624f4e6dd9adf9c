"""From a DAG file of DAGMaker's to what DAGMan runs: a .dag and a submit description for each node, in one folder.

Every value that comes from the DAG file is quoted for HTCondor; nothing of it is ever a line of its own, but attributes
of the job's ad (`+NAME = VALUE`), which only describe.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from desgw_daemon.grid.condor_ads import EXPNUM, TAG
from desgw_daemon.grid.dagfile import Dag
from desgw_daemon.grid.joboptions import meaning_of
from desgw_daemon.grid.jobs import Command, commands

#: The file for condor_submit_dag.
DAG_FILE: Final = "run.dag"


@dataclass(frozen=True, slots=True)
class Written:
    """What was written. nodes: their names. dropped: jobsub's options that mean nothing on this pool, each once."""

    nodes: tuple[str, ...]
    dropped: tuple[str, ...]


def write_dag(
    folder: Path,
    dag: Dag,
    *,
    tag: str,
    expnum: int,
    workdir: Path,
    env: Mapping[str, str],
    look: Callable[[Path], bool | None],
    at: str,
) -> Written:
    """Write the files. at: what follows the @ in the ids that the jobs are given.

    :raises MissingScriptError: a script is not there.
    :raises OSError: the folder cannot be written.
    """
    stages = commands(dag, workdir, env, look)
    dropped: dict[str, str] = {}
    (folder / "jobs").mkdir(parents=True, exist_ok=True)
    (folder / "out").mkdir(exist_ok=True)
    for _, jobs in stages:
        for job in jobs:
            meaning = meaning_of(job.job.options, env)
            dropped |= meaning.dropped
            text = _description(job, meaning.lines, meaning.environment, folder, tag=tag, expnum=expnum, at=at)
            (folder / "jobs" / f"{job.name}.sub").write_text(text, encoding="utf-8")
    lines = [f"JOB {job.name} jobs/{job.name}.sub" for _, jobs in stages for job in jobs]
    lines += _order([([job.name for job in jobs], kind) for kind, jobs in stages])
    (folder / DAG_FILE).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return Written(
        nodes=tuple(job.name for _, jobs in stages for job in jobs),
        dropped=tuple(f"{option} {value}".strip() for option, value in sorted(dropped.items())),
    )


def _order(stages: Sequence[tuple[Sequence[str], str]]) -> list[str]:
    """Who waits for whom. One parent a line: with several, DAGMan would add a node of its own between."""
    lines: list[str] = []
    before: list[str] = []
    for names, kind in stages:
        steps = [[name] for name in names] if kind == "serial" else [list(names)]
        for step in steps:
            lines += [f"PARENT {parent} CHILD {' '.join(step)}" for parent in before]
            before = step
    return lines


def _description(
    job: Command, more: list[str], environment: Mapping[str, str], folder: Path, *, tag: str, expnum: int, at: str
) -> str:
    executable, args = (str(job.script), job.args) if job.runs_itself else ("/bin/bash", (str(job.script), *job.args))
    # What jobsub's wrapper gives to each job. The macros are condor's.
    given = {
        **environment,
        "PROCESS": "$(Process)",
        "CLUSTER": "$(Cluster)",
        "JOBSUBJOBID": f"$(Cluster).$(Process)@{at}",
        "JOBSUBPARENTJOBID": f"$(DAGManJobId).0@{at}",
    }
    pairs = " ".join(f"{name}={_word(value, macros=name not in environment)}" for name, value in given.items())
    output = f"{folder}/out/{job.name}.$(Process)"
    lines = [
        "universe = vanilla",
        f"executable = {executable}",
        # In place, as on a pool with shared disks; the job itself works in a scratch folder of its own.
        "transfer_executable = false",
        "should_transfer_files = YES",
        'transfer_output_files = ""',
        f'arguments = "{" ".join(_word(arg) for arg in args)}"',
        f'environment = "{pairs}"',
        f"output = {output}.out",
        f"error = {output}.err",
        f'+{TAG} = "{tag}"',
        f"+{EXPNUM} = {expnum}",
        *more,
        f"queue {job.job.count}",
    ]
    return "\n".join(lines) + "\n"


def _word(text: str, *, macros: bool = False) -> str:
    """A word in condor's new syntax, inside its double quotes: in single quotes, both kinds of quotes doubled."""
    text = text.replace("'", "''").replace('"', '""')
    if not macros:
        text = text.replace("$", "$(DOLLAR)")
    return f"'{text}'" if not text or any(letter in text for letter in " \t'\n") else text
