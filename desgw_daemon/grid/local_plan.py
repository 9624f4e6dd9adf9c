"""From a DAG file's jobs to the commands that the local runner starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from desgw_daemon.grid.dagfile import Dag
from desgw_daemon.grid.jobs import Command, commands


def plan_of(
    dag: Dag, workdir: Path, env: Mapping[str, str], look: Callable[[Path], bool | None]
) -> list[dict[str, Any]]:
    """The stages of plan.json.

    :raises MissingScriptError: a script is not a file below (or beside) the workflow folder.
    """
    return [{"kind": kind, "nodes": [_node(job) for job in jobs]} for kind, jobs in commands(dag, workdir, env, look)]


def _node(job: Command) -> dict[str, Any]:
    start = [] if job.runs_itself else ["bash"]
    return {"name": job.name, "argv": [*start, str(job.script), *job.args], "count": job.job.count}
