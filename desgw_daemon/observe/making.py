"""What DAGMaker left: judged by all of its signs, because DONE and exit code 0 follow nearly anything."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from desgw_daemon.grid.dagcheck import check_dag
from desgw_daemon.grid.dagfile import DagError, parse_dag
from desgw_daemon.observe.text import last_lines, plain_text

#: What DAGMaker.sh says when it has found no template; it goes on all the same.
_NO_TEMPLATE: Final = "NO TEMPLATE IMAGES, DIFFIMG WILL FAIL"
_COPY_ERROR: Final = "Error copying"
_NO_BAND: Final = "Error with setting band"
_LAST_LINES: Final = 5
#: An output is read to this length from its end (bytes); the signs stand near the end.
_MOST: Final = 2_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class MakingEvidence:
    """The signs. problems: in words, the most telling first; none of them means that the DAG may be submitted."""

    problems: tuple[str, ...]
    dag_sha256: str | None
    last_lines: tuple[str, ...]


def read_making(
    workflow: Path, expnum: int, *, season: int, nite: str, band: str, started_at: datetime
) -> MakingEvidence:
    """Read DONE, the DAG and the output of an exposure's DAGMaker. Raises OSError when the folder is away."""
    workflow.stat()
    output = plain_text(_end_of(workflow / f"dagmaker_{expnum}.out"))
    problems = []
    if _NO_BAND in output:
        problems.append(f"exposures.list has no line for {expnum}, or no usable band ({_NO_BAND!r})")
    if _NO_TEMPLATE in output:
        problems.append("there is no template exposure for it: difference imaging would fail")
    if copies := sum(_COPY_ERROR in line for line in output.splitlines()):
        problems.append(f"{copies} input files could not be copied to /pnfs ({_COPY_ERROR!r})")
    done = workflow / f"mytemp_{expnum}" / "DAGMaker.DONE"
    if not _is_fresh(done, started_at):
        problems.append(f"it left no fresh {done.parent.name}/{done.name}")
    digest = None
    try:
        data = (workflow / f"desgw_pipeline_{expnum}.dag").read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        problems += check_dag(
            parse_dag(data.decode("utf-8", "replace")), season=season, expnum=expnum, nite=nite, band=band
        )
    except FileNotFoundError:
        problems.append(f"it left no desgw_pipeline_{expnum}.dag")
    except DagError as error:
        problems.append(f"its DAG is broken: {error}")
    return MakingEvidence(problems=tuple(problems), dag_sha256=digest, last_lines=last_lines(output, _LAST_LINES))


def _is_fresh(done: Path, started_at: datetime) -> bool:
    """Whether DONE was written by this run. mtimes of a network mount are whole seconds at times."""
    try:
        return done.stat().st_mtime >= int(started_at.timestamp())
    except FileNotFoundError:
        return False


def _end_of(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _MOST))
            return file.read()
    except FileNotFoundError:
        return b""
