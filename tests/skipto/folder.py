"""A Post-Processing folder that is driven by hand, run after run, and what the daemon would choose for the next one.

Whether a run went well is judged by the stand-in's exit code and its own log alone.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from desgw_daemon.decide.evidence import NextRun
from desgw_daemon.decide.skipto import SkiptoChoice, as_upstream, choose_skipto
from desgw_daemon.domain.facts import PostprocEvidence
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.runs import PostprocRun
from desgw_daemon.domain.states import RunState
from desgw_daemon.observe.postproc_evidence import read_evidence
from desgw_daemon.sandbox.build import Sandbox, build
from desgw_daemon.sandbox.evidence import program_runs
from desgw_daemon.sandbox.nights import small_scenario
from tests.night.results import put_results
from tests.sandbox import byhand

SEASON: Final = 2206
NITE: Final = "20200304"
#: Expnum and band of those that are on /pnfs.
BANDS: Final = {938524: "i", 938525: "z"}
BOTH: Final = tuple(BANDS)
FEWER: Final = BOTH[:1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a run: rc None when it was killed; made_of: the exposures behind what it took over or made."""

    expnums: tuple[int, ...]
    skipto: int
    rc: int | None
    step: int | None
    began: datetime
    ended: datetime
    final: frozenset[int]
    made_of: frozenset[int]
    words: str

    @property
    def went_well(self) -> bool:
        """It ended well, and has worked on its list: none left out, none besides."""
        return self.rc == 0 and self.left_out == frozenset() and self.final == frozenset(self.expnums)

    @property
    def left_out(self) -> frozenset[int]:
        """Exposures of its list that its results know nothing of."""
        return frozenset(self.expnums) - (self.final & self.made_of)

    @property
    def told(self) -> str:
        """In a few words."""
        if self.rc != 0:
            return "dies" if self.step is None else f"dies at step {self.step}"
        return "leaves one out" if self.left_out else "goes well"


class Folder:
    """One sandbox with two exposures that are ready."""

    def __init__(self, root: Path) -> None:
        small = small_scenario(2)
        self.sandbox: Sandbox = build(root, replace(small, pace=replace(small.pace, step=small.pace.late * 0)))
        for expnum, band in BANDS.items():
            put_results(self.sandbox, expnum, band)
        self.place = self.sandbox.postprocessing
        # Nobody has run anything here.
        (self.place / "hostmatchstatus.txt").unlink()
        byhand.write_postproc(self.sandbox, BOTH, "i,z")
        byhand.bash("source diffimg_setup.sh", self.place)
        self._kept: list[Path] = []

    # -- runs -----------------------------------------------------------------------------------

    def order(self, **habits: Any) -> None:
        """How the stand-in behaves from now on; habits as Postproc has them."""
        path = self.sandbox.root / "scenario.json"
        plan = json.loads(path.read_text())
        plan["postproc"] |= habits
        path.write_text(json.dumps(plan))

    def run(self, expnums: Sequence[int], skipto: int = 0, **habits: Any) -> Outcome:
        """Run post-processing of these exposures."""
        self.order(**({"dies": None} | habits))
        byhand.write_postproc(self.sandbox, expnums, ",".join(sorted({BANDS[expnum] for expnum in expnums})))
        option = f"--SKIPTO {skipto}" if skipto else ""
        run = f"{sys.executable} -u run_postproc.py {option} --outputdir ./outputs --season {SEASON}"
        began = datetime.now(UTC)
        done = byhand.bash(f"source diffimg_setup.sh && exec {run}", self.place)
        ended = datetime.now(UTC)
        own = [run for run in program_runs(self.sandbox.log) if run.who == "run_postproc.py"][-1]
        assert own.rc is None or own.rc == done.returncode
        taken_over = [frozenset(event["expnums"]) for event in own.events if event["event"] == "inherits"]
        final = next((frozenset(event["expnums"]) for event in own.events if event["event"] == "master"), frozenset())
        steps = [int(number) for number in re.findall(r"^Run STEP (\d+):", done.stdout, re.MULTILINE)]
        return Outcome(
            expnums=tuple(expnums),
            skipto=skipto,
            rc=own.rc,
            step=max(steps, default=None),
            began=began,
            ended=ended,
            final=final,
            made_of=frozenset.intersection(final, *taken_over),
            words=done.stdout[-600:],
        )

    # -- what would be chosen -------------------------------------------------------------------

    def evidence(self) -> PostprocEvidence:
        """What lies in the folder."""
        return read_evidence(self.place, [], SEASON, template=self.place / "template_postproc.ini")

    def choose(self, expnums: Sequence[int], past: Sequence[Outcome]) -> SkiptoChoice:
        """Where a run of these exposures is to start; past: what the daemon knows of earlier runs, oldest first."""
        coming = NextRun(
            season=SEASON,
            fingerprint=str(sorted(expnums)),
            exposures=tuple((expnum, NITE, BANDS[expnum]) for expnum in expnums),
        )
        runs = [as_run(number, outcome) for number, outcome in enumerate(past, start=1)]
        return choose_skipto(runs, coming, self.evidence(), Policy())

    def upstream(self) -> int:
        """Where the older automation would start."""
        return as_upstream(self.evidence())[0]

    # -- the same folder, again and again ---------------------------------------------------------

    def keep(self) -> Path:
        """A copy of all that is in the folder now, times included."""
        copy = self.sandbox.root / f"kept{len(self._kept)}"
        shutil.copytree(self.place, copy, symlinks=True)
        self._kept.append(copy)
        return copy

    def make_older(self, outcome: Outcome) -> Outcome:
        """Let an hour pass: all files, and what is known of the run, are that much older."""
        for path in self.place.rglob("*"):
            if path.is_file() and not path.is_symlink():
                status = path.stat()
                os.utime(path, (status.st_atime - 3600, status.st_mtime - 3600))
        hour = timedelta(hours=1)
        return replace(outcome, began=outcome.began - hour, ended=outcome.ended - hour)

    def bring_back(self, copy: Path) -> None:
        """The folder as it was."""
        shutil.rmtree(self.place)
        shutil.copytree(copy, self.place, symlinks=True)


def as_run(number: int, outcome: Outcome) -> PostprocRun:
    """The run as the daemon has written it down."""
    return PostprocRun(
        id=number,
        season=SEASON,
        number=number,
        state=RunState.DONE if outcome.rc == 0 else RunState.FAILED,
        exposures=(),
        expnums=outcome.expnums,
        bands=tuple(sorted(BANDS[expnum] for expnum in outcome.expnums)),
        fingerprint=str(sorted(outcome.expnums)),
        skipto=outcome.skipto,
        folder="",
        intent_at=outcome.began,
        started_at=outcome.began,
        ended_at=outcome.ended,
        step=outcome.step,
    )
