"""What a night left behind, read from the disk and from the stand-ins' own log: the judge's eyes.

It reads nothing of the daemon's, and judges nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from desgw_daemon.sandbox.moves import STEPS
from desgw_daemon.sandbox.scenario import SEARCH_CCDS

_FAIL: Final = re.compile(r"RUN(\d\d)_(.+)\.FAIL")
_STEP_NAMES: Final = {f"{number:02d}": name for number, name in enumerate(STEPS, start=1)}


@dataclass(slots=True)
class ProgramRun:
    """One run of a stand-in. Times are seconds since the epoch; end and rc are None when it was killed."""

    who: str
    run: str
    start: float
    argv: tuple[str, ...]
    env: dict[str, str | None]
    end: float | None = None
    rc: int | None = None
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def last(self) -> float:
        """Its end, or the last sign of it."""
        return self.end if self.end is not None else max([self.start, *(e["t"] for e in self.events)])

    @property
    def parent(self) -> str | None:
        """The job id of the DAG it belongs to, where the engine tells."""
        return self.env.get("JOBSUBPARENTJOBID") or None

    def option(self, letter: str) -> str | None:
        """The word after this option."""
        try:
            return self.argv[self.argv.index(letter) + 1]
        except (ValueError, IndexError):
            return None


def program_runs(log: Path) -> list[ProgramRun]:
    """Every run of a stand-in that announced itself, in the order of their starts."""
    runs: dict[tuple[str, str], ProgramRun] = {}
    if not log.exists():
        return []
    for line in log.read_text().splitlines():
        entry = json.loads(line)
        key = (entry["who"], entry["run"])
        if entry["event"] == "start":
            runs[key] = ProgramRun(
                who=entry["who"],
                run=entry["run"],
                start=entry["t"],
                argv=tuple(entry["argv"]),
                env=entry["env"],
            )
        elif key in runs and entry["event"] == "end":
            runs[key].end, runs[key].rc = entry["t"], entry["rc"]
        elif key in runs:
            runs[key].events.append(entry)
    return sorted(runs.values(), key=lambda run: run.start)


@dataclass(frozen=True, slots=True, kw_only=True)
class OnDisk:
    """An exposure recounted: the CCDs of each kind, and its forcephoto files as (CCD, kind).

    lost are the CCDs with a folder and no sign. surplus are files of CCDs that are not complete.
    """

    complete: frozenset[int]
    failed: frozenset[int]
    broken: frozenset[int]
    lost: frozenset[int]
    missing: frozenset[int]
    found: frozenset[tuple[int, str]]
    lacking: frozenset[tuple[int, str]]
    surplus: frozenset[tuple[int, str]]

    @property
    def counts(self) -> dict[str, int]:
        """Numbers of CCDs by state, as a status reports them."""
        names = ("complete", "failed", "broken", "lost", "missing")
        return {name: len(getattr(self, name)) for name in names}

    @property
    def ready(self) -> str:
        """The decision to come to: 50 complete CCDs, more than half of their forcefiles, and no file that
        neither a complete CCD nor one that failed after its force files were copied explains.
        """
        expected = 2 * len(self.complete)
        strange = {ccd for ccd, _ in self.surplus} - self.failed
        if len(self.complete) < 50 or 2 * len(self.found) <= expected or strange:
            return "no"
        return "full" if len(self.found) == expected else "partial"


def recount(pnfs: Path, *, season: int, nite: str, expnum: int, band: str) -> OnDisk:
    """Count an exposure's CCDs and forcephoto files under this nite, as they are now."""
    kinds: dict[str, set[int]] = {name: set() for name in ("complete", "failed", "broken", "lost", "missing")}
    for ccd in SEARCH_CCDS:
        folder = pnfs / "exp" / nite / str(expnum) / f"dp{season}" / f"{band}_{ccd:02d}"
        kinds[_sign(folder, f"outputs_dp{season}_{nite}_{expnum}_{band}_{ccd:02d}.tar.gz")].add(ccd)
    there: set[tuple[int, str]] = set()
    forces = pnfs / "forcephoto" / "images" / f"dp{season}" / nite / str(expnum)
    for path in forces.iterdir() if forces.is_dir() else ():
        name = re.search(rf"_{expnum}_.*_{band}_(\d\d)\D.*\.(fits|psf)(\.fz)?$", path.name)
        if name is not None and path.stat().st_size > 0:
            there.add((int(name[1]), name[2]))
    wanted = {(ccd, kind) for ccd in kinds["complete"] for kind in ("fits", "psf")}
    return OnDisk(
        **{name: frozenset(ccds) for name, ccds in kinds.items()},
        found=frozenset(there & wanted),
        lacking=frozenset(wanted - there),
        surplus=frozenset(there - wanted),
    )


def _sign(folder: Path, tarball: str) -> str:
    """What a CCD's folder says."""
    if not folder.is_dir():
        return "missing"
    names = {path.name for path in folder.iterdir()}
    for name in names:
        step = _FAIL.fullmatch(name)
        if name == "NOOVERLAPS.FAIL" or (step is not None and _STEP_NAMES.get(step[1]) == step[2]):
            return "failed"
    if tarball in names:
        return "complete" if (folder / tarball).stat().st_size > 0 else "broken"
    return "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dag:
    """A DAG file: the CCDs of the search lines of one exposure, the other exposures, RUNMON or not."""

    searched: tuple[int, ...]
    templates: tuple[int, ...]
    odd: tuple[str, ...]
    serial: bool


def read_dag(path: Path, *, expnum: int, nite: str, season: int) -> Dag | None:
    """The DAG of an exposure; None if there is none. odd: search lines that are not of this exposure."""
    if not path.exists():
        return None
    searched, templates, odd = [], [], []
    text = path.read_text()
    for line in text.splitlines():
        _, mark, job = line.partition("file://SEdiff.sh ")
        if not mark:
            continue
        words = job.split()
        if "-t" in words:
            templates.append(int(words[words.index("-E") + 1]))
        elif all(f" {pair} " in f" {job} " for pair in (f"-E {expnum}", f"-n {nite}", f"-S dp{season}")):
            searched.append(int(words[words.index("-c") + 1]))
        else:
            odd.append(line)
    return Dag(searched=tuple(searched), templates=tuple(templates), odd=tuple(odd), serial="<serial>" in text)


def read_ini(text: str) -> dict[str, list[str]]:
    """`section.key` -> its values, one for each time it is given. A blank and `;` begin a comment."""
    values: dict[str, list[str]] = {}
    section = ""
    for line in text.splitlines():
        if line[:1] in ("", "#", ";", " ", "\t"):
            continue
        if line.startswith("["):
            section = line.strip("[] ")
            continue
        key, _, value = line.partition("=")
        values.setdefault(f"{section}.{key.strip().lower()}", []).append(re.split(r"\s;", f" {value}")[0].strip())
    return values


def most_at_once(spans: Iterable[tuple[float, float]]) -> int:
    """The greatest number of (start, end) spans that overlap at one moment."""
    changes = sorted(change for start, end in spans for change in ((start, 1), (end, -1)))
    most = now = 0
    for _, change in changes:
        now += change
        most = max(most, now)
    return most
