"""What DAGMaker left: judged by all of its signs, because DONE and exit code 0 follow nearly anything.

Must not decide what follows: it names what is wrong, and the caller knows the exit code.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from desgw_daemon.domain.snapshot import NO_TEMPLATE
from desgw_daemon.grid.dagcheck import check_dag
from desgw_daemon.grid.dagfile import DagError, parse_dag
from desgw_daemon.observe.plainfile import open_plain
from desgw_daemon.observe.text import last_lines, plain_name, plain_text

#: What DAGMaker.sh says when it has found no template; it goes on all the same.
_NO_TEMPLATE: Final = "NO TEMPLATE IMAGES, DIFFIMG WILL FAIL"
_COPY_ERROR: Final = "Error copying"
_NO_BAND: Final = "Error with setting band"
_SUBMIT_HINT: Final = "To submit this DAG do"
_LAST_LINES: Final = 5
#: An output is read to this length from its end (bytes); the signs stand near the end.
_MOST: Final = 2_000_000
#: A DAG that is longer is none (bytes): 59 search lines and 60 template lines are 50 kB.
_MOST_DAG: Final = 20_000_000
#: The clock of a file server may be behind. Leftovers are moved aside before a DAGMaker starts, so that
#: nothing older than its start can be as young as this.
_CLOCKS: Final = timedelta(seconds=10)
#: Errors that say something about the file. Others are the disk's, and pass.
_OF_THE_FILE: Final = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EINVAL, errno.ELOOP, errno.EACCES, errno.EPERM}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MakingEvidence:
    """The signs. problems: in words, the most telling first; none of them means that the DAG may be submitted.

    templates: the exposures that the DAG would process before its own, by number.
    """

    problems: tuple[str, ...]
    dag_sha256: str | None
    templates: tuple[int, ...]
    last_lines: tuple[str, ...]


def read_making(
    workflow: Path, expnum: int, *, season: int, nite: str, band: str, started_at: datetime
) -> MakingEvidence:
    """Read DONE, the DAG and the output of an exposure's DAGMaker.

    Raises OSError when the folder is away or its disk does not answer: then nothing is known.
    """
    workflow.stat()
    output = _output(workflow / f"dagmaker_{expnum}.out")
    data, dag_problem = _read_dag(workflow / f"desgw_pipeline_{expnum}.dag", started_at)
    problems = [*_said(output, expnum), *_done(workflow / f"mytemp_{expnum}" / "DAGMaker.DONE", started_at)]
    if dag_problem is not None:
        problems.append(dag_problem)
    templates: tuple[int, ...] = ()
    if data is not None:
        try:
            dag = parse_dag(data.decode("utf-8", "replace"))
            templates = tuple(sorted({job.expnum for job in dag.template_jobs}))
            # Without templates nothing else is as it should be: the one cause is enough.
            if _NO_TEMPLATE not in output:
                problems += check_dag(dag, season=season, expnum=expnum, nite=nite, band=band)
        except DagError as error:
            problems.append(f"its DAG is broken: {error}")
    return MakingEvidence(
        # They quote the DAG, and may be shown on a terminal.
        problems=tuple(plain_name(problem) for problem in problems),
        dag_sha256=None if data is None else hashlib.sha256(data).hexdigest(),
        templates=templates,
        # What follows tells people how to submit by hand: the last thing to read about a DAG that must not be.
        last_lines=last_lines(output.partition(_SUBMIT_HINT)[0], _LAST_LINES),
    )


def _said(output: str, expnum: int) -> Iterator[str]:
    """What DAGMaker's own words complain about."""
    if _NO_BAND in output:
        yield f"exposures.list has no line for {expnum}, or no usable band ({_NO_BAND!r})"
    if _NO_TEMPLATE in output:
        yield f"{NO_TEMPLATE}: difference imaging would fail"
    if copies := sum(_COPY_ERROR in line for line in output.split("\n")):
        files = "1 input file" if copies == 1 else f"{copies} input files"
        yield f"{files} could not be copied to /pnfs ({_COPY_ERROR!r})"


def _done(path: Path, started_at: datetime) -> Iterator[str]:
    name = f"{path.parent.name}/{path.name}"
    try:
        if not _is_fresh(path.stat(), started_at):
            yield f"{name} is older than this run: it left none"
    except OSError as error:
        if error.errno not in _OF_THE_FILE:
            raise
        yield f"it left no {name}"


def _read_dag(path: Path, started_at: datetime) -> tuple[bytes | None, str | None]:
    try:
        with open_plain(path) as file:
            if not _is_fresh(os.fstat(file.fileno()), started_at):
                return None, f"{path.name} is older than this run: it left none"
            data = file.read(_MOST_DAG + 1)
    except FileNotFoundError:
        return None, f"it left no {path.name}"
    except OSError as error:
        if error.errno not in _OF_THE_FILE:
            raise
        return None, f"{path.name} cannot be read: {error.strerror}"
    return (data, None) if len(data) <= _MOST_DAG else (None, f"{path.name} is longer than {_MOST_DAG} bytes")


def _is_fresh(status: os.stat_result, started_at: datetime) -> bool:
    return status.st_mtime >= (started_at - _CLOCKS).timestamp()


def _output(path: Path) -> str:
    try:
        with open_plain(path) as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _MOST))
            return plain_text(file.read())
    except OSError as error:
        if error.errno not in _OF_THE_FILE:
            raise
        return ""
