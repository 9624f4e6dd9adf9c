"""The grammar of the DAG files that DAGMaker writes and jobsub_submit_dag reads. Pure: text in, values out.

    <parallel>
    jobsub OPTIONS file://SCRIPT ARGUMENTS
    ...
    </parallel>
    <serial>
    jobsub OPTIONS file://SCRIPT ARGUMENTS
    </serial>

jobsub itself is lenient (it submits a DAG with stray lines, and an empty one); this reader is not, because
DAGMaker never writes such a file unless something has broken.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

#: The job that processes one CCD.
SEDIFF: Final = "SEdiff.sh"
#: SEdiff.sh's options that take a value.
_WITH_VALUE: Final = "EnbrpSdcvVTFm"
#: More processes for one node than any camera has CCDs is a slip of the pen.
_MAX_COUNT: Final = 1000
_FILE: Final = re.compile(r"\sfile://")


class DagError(ValueError):
    """The text is no DAG file. The message holds the line number, the line, and what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SediffArgs:
    """What a SEdiff line says. ccd 0 with is_template: process k does the k-th of the 60 CCDs."""

    expnum: int
    nite: str
    band: str
    ccd: int
    season: int | None
    is_template: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One line of the file: a node of the DAG, of `count` processes.

    options: the words between `jobsub` and `file://`, which are jobsub's own. sediff: None for other scripts.
    """

    line: int
    options: tuple[str, ...]
    script: str
    args: tuple[str, ...]
    count: int
    sediff: SediffArgs | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A block: its jobs run side by side, or one after another."""

    kind: Literal["parallel", "serial"]
    jobs: tuple[Job, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dag:
    """A DAG file: each stage begins when all jobs of the one before have succeeded."""

    stages: tuple[Stage, ...]

    @property
    def jobs(self) -> tuple[Job, ...]:
        """All jobs in the order of the file."""
        return tuple(job for stage in self.stages for job in stage.jobs)

    @property
    def search_jobs(self) -> tuple[SediffArgs, ...]:
        """What the search CCDs' lines say, in order."""
        return tuple(job.sediff for job in self.jobs if job.sediff and not job.sediff.is_template)

    @property
    def template_jobs(self) -> tuple[SediffArgs, ...]:
        """What the template exposures' lines say, each exposure once, in order."""
        found: dict[tuple[int, str], SediffArgs] = {}
        for job in self.jobs:
            if job.sediff and job.sediff.is_template:
                found.setdefault((job.sediff.expnum, job.sediff.band), job.sediff)
        return tuple(found.values())

    @property
    def has_serial(self) -> bool:
        """Whether there is a <serial> block. Without one, DAGMaker has found no template."""
        return any(stage.kind == "serial" for stage in self.stages)


def parse_dag(text: str) -> Dag:
    """Read a DAG file.

    :raises DagError: whatever the text is, if it is none.
    """
    stages: list[Stage] = []
    kind: Literal["parallel", "serial"] | None = None
    opened = 0
    jobs: list[Job] = []
    # only what jobsub takes for the end of a line: str.splitlines knows others
    for number, raw in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        line = raw.strip()
        match line:
            case "":
                continue
            case "<parallel>" | "<serial>":
                if kind is not None:
                    raise _error(number, line, f"the <{kind}> of line {opened} is still open")
                kind = "parallel" if line == "<parallel>" else "serial"
                opened, jobs = number, []
            case "</parallel>" | "</serial>":
                if kind is None or line != f"</{kind}>":
                    raise _error(number, line, f"no <{line[2:-1]}> is open")
                if not jobs:
                    raise _error(number, line, f"the <{kind}> of line {opened} holds no job")
                stages.append(Stage(kind=kind, jobs=tuple(jobs)))
                kind = None
            case _ if line.split()[0] == "jobsub":
                if kind is None:
                    raise _error(number, line, "a job outside <parallel> and <serial>")
                jobs.append(_job(number, line))
            case _ if line.startswith("#") and "jobsub" not in line:
                continue
            case _:
                why = "neither a block nor a job"
                if line.startswith("#"):
                    why = "jobsub would run this line although it looks like a comment"
                raise _error(number, line, why)
    if kind is not None:
        raise DagError(f"the <{kind}> of line {opened} is never closed: the file is cut short")
    if not stages:
        raise DagError("the file holds no job")
    return Dag(stages=tuple(stages))


def _error(number: int, line: str, why: str) -> DagError:
    shown = line if len(line) <= 120 else line[:117] + "..."
    return DagError(f"line {number}: {why}: {shown}")


def _job(number: int, line: str) -> Job:
    before, *rest = _FILE.split(line, maxsplit=1)
    if not rest:
        raise _error(number, line, "a job without file://SCRIPT")
    options, after = tuple(before.split()[1:]), rest[0]
    try:
        words = shlex.split(after)
    except ValueError as error:
        raise _error(number, line, str(error)) from error
    if not words or not words[0] or after[0].isspace():
        raise _error(number, line, "no script after file://")
    script, args = words[0], tuple(words[1:])
    return Job(
        line=number,
        options=options,
        script=script,
        args=args,
        count=_count(number, line, options),
        sediff=_sediff(number, line, args) if script.rpartition("/")[2] == SEDIFF else None,
    )


def _count(number: int, line: str, options: tuple[str, ...]) -> int:
    """The processes of a node: the value of jobsub's -N, the last one counts."""
    values = [value for option, value in pairwise((*options, "")) if option == "-N"]
    if not values:
        return 1
    value = values[-1]
    if not (value.isascii() and value.isdigit() and len(value) <= 9 and 1 <= int(value) <= _MAX_COUNT):
        raise _error(number, line, f"-N {value} is no number of processes")
    return int(value)


def _sediff(number: int, line: str, args: tuple[str, ...]) -> SediffArgs:
    values: dict[str, str] = {}
    words = iter(args)
    for word in words:
        if len(word) != 2 or word[0] != "-":
            raise _error(number, line, f"{word!r} is no option of {SEDIFF}")
        values[word[1]] = next(words, "") if word[1] in _WITH_VALUE else word
        # An empty variable of DAGMaker's: the next option stands where the value should.
        if word[1] in "Enbc" and values[word[1]].startswith("-"):
            why = f"{SEDIFF} gets no value for {word}"
            if word == "-n":
                # DAGMaker.sh ends so for a search exposure shorter than 30 s, or in SE_blacklist.txt.
                why += ": DAGMaker has dropped the exposure, as too short or blacklisted (SE_blacklist.txt)"
            raise _error(number, line, why)

    def number_of(letter: str, text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) <= 9):
            raise _error(number, line, f"-{letter} {text} is no number")
        return int(text)

    for letter in "Enbc":
        if not values.get(letter):
            raise _error(number, line, f"{SEDIFF} without -{letter}")
    season = values.get("S")
    ccd = number_of("c", values["c"])
    return SediffArgs(
        expnum=number_of("E", values["E"]),
        nite=values["n"],
        band=values["b"],
        ccd=ccd,
        season=None if season is None else number_of("S", season.removeprefix("dp")),
        is_template=ccd == 0 and "t" in values,
    )
