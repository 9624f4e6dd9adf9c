"""From a job of a DAG file to the command that runs it, for the engines that run jobs themselves."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from desgw_daemon.grid.dagfile import Dag, Job

_VARIABLE: Final = re.compile(r"\$(\w+|\{[^}]*\})", re.ASCII)
_SEARCH_NODE: Final = re.compile(r"\d+_\w*_c(\d\d)", re.ASCII)


class MissingScriptError(ValueError):
    """A job's script is not there. jobsub refuses such a DAG as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A job as it is run. name: unique in its DAG, for people and for files: 012_SEdiff_c07. script: its full path.

    runs_itself: whether the script may be started as it is; else bash must.
    """

    name: str
    job: Job
    script: Path
    args: tuple[str, ...]
    runs_itself: bool


def commands(
    dag: Dag, workdir: Path, env: Mapping[str, str], look: Callable[[Path], bool | None]
) -> list[tuple[str, list[Command]]]:
    """The stages of a DAG: their kind (parallel, serial), and their jobs as commands.

    look: `look_at_script`, by a way that cannot hang. What it raises passes through.
    :raises MissingScriptError: a script is not a file below (or beside) the workflow folder.
    """
    number = 0
    # A DAG has one script for its 59 CCDs.
    seen = cache(look)
    stages: list[tuple[str, list[Command]]] = []
    for stage in dag.stages:
        found = []
        for job in stage.jobs:
            number += 1
            script = (workdir / expanded(job.script, env)).absolute()
            runs_itself = seen(script)
            if runs_itself is None:
                raise MissingScriptError(f"line {job.line}: {script} is not there")
            args = tuple(expanded(word, env) for word in job.args)
            found.append(
                Command(name=node_name(number, job), job=job, script=script, args=args, runs_itself=runs_itself)
            )
        stages.append((stage.kind, found))
    return stages


def expanded(word: str, env: Mapping[str, str]) -> str:
    """The word with $NAME and ${NAME} replaced, as jobsub does; unknown ones stay."""
    return _VARIABLE.sub(lambda found: env.get(found[1].strip("{}"), found[0]), word)


def ccd_of(node: str) -> int | None:
    """The CCD of a search job, by the name of its node; None for any other."""
    found = _SEARCH_NODE.fullmatch(node)
    return None if found is None else int(found[1])


def look_at_script(script: Path) -> bool | None:
    """Whether it may be started as it is; None when it is no file. Raises OSError."""
    if not script.is_file():
        return None
    if not os.access(script, os.X_OK):
        return False
    with script.open("rb") as file:
        return file.read(2) == b"#!"


def node_name(number: int, job: Job) -> str:
    """What the n-th job of a DAG is called: unique, for people and for files."""
    stem = re.sub(r"[^A-Za-z0-9]+", "-", Path(job.script).stem)[:40]
    if job.sediff is None:
        return f"{number:03d}_{stem}"
    what = f"t{job.sediff.expnum}" if job.sediff.is_template else f"c{job.sediff.ccd:02d}"
    return f"{number:03d}_{stem}_{what}"
