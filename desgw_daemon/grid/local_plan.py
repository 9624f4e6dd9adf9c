"""From a DAG file's jobs to the commands that the local runner starts."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from desgw_daemon.grid.dagfile import Dag, Job

_VARIABLE: Final = re.compile(r"\$(\w+|\{[^}]*\})", re.ASCII)


class MissingScriptError(ValueError):
    """A job's script is not there. jobsub refuses such a DAG as well."""


def plan_of(dag: Dag, workdir: Path, env: Mapping[str, str]) -> list[dict[str, Any]]:
    """The stages of plan.json.

    :raises MissingScriptError: a script is not a file below (or beside) the workflow folder.
    """
    number = 0
    stages = []
    for stage in dag.stages:
        nodes = []
        for job in stage.jobs:
            number += 1
            script = (workdir / _expanded(job.script, env)).absolute()
            if not script.is_file():
                raise MissingScriptError(f"line {job.line}: {script} is not there")
            words = [_expanded(word, env) for word in job.args]
            argv = [str(script), *words] if _runs_itself(script) else ["bash", str(script), *words]
            nodes.append({"name": _name(number, job), "argv": argv, "count": job.count})
        stages.append({"kind": stage.kind, "nodes": nodes})
    return stages


def _expanded(word: str, env: Mapping[str, str]) -> str:
    """The word with $NAME and ${NAME} replaced, as jobsub does; unknown ones stay."""
    return _VARIABLE.sub(lambda found: env.get(found[1].strip("{}"), found[0]), word)


def _runs_itself(script: Path) -> bool:
    if not os.access(script, os.X_OK):
        return False
    with script.open("rb") as file:
        return file.read(2) == b"#!"


def _name(number: int, job: Job) -> str:
    """A name for people and for files: 012_SEdiff_c07."""
    stem = re.sub(r"[^A-Za-z0-9]+", "-", Path(job.script).stem)[:40]
    if job.sediff is None:
        return f"{number:03d}_{stem}"
    what = f"t{job.sediff.expnum}" if job.sediff.is_template else f"c{job.sediff.ccd:02d}"
    return f"{number:03d}_{stem}_{what}"
