"""The start of a run of post-processing, with the daemon killed at each side effect around it."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import cycle, islice
from pathlib import Path
from typing import Final

import pytest

from desgw_daemon.sandbox.build import Sandbox, build
from desgw_daemon.sandbox.evidence import program_runs
from tests.crash.nights import CHECKOUT, OUTPUT, Launcher, clear, environment, points_of, told_by
from tests.crash.points import Point
from tests.night.house import night_of, planned
from tests.night.results import put_results

#: The modules in whose hands the start of a run is, and its end.
_HANDS: Final = ("act.postproc:", "act.iniplace:", "store.claims:", "daemon.postproc_following:")
_EXPNUM: Final = 938524
_THEIRS: Final = "[general]\nseason = 2206 ; by hand\n"


def make_night(folder: Path) -> Sandbox:
    """One exposure that is as good as ready, and somebody's own ini in the place of ours."""
    sandbox = build(folder, night_of(planned(_EXPNUM), step=10))
    put_results(sandbox, _EXPNUM)
    (sandbox.postprocessing / "postproc_2206.ini").write_text(_THEIRS)
    adopt = ["--config", str(sandbox.config), "queue", "adopt", "--season", "2206", "--yes"]
    with (sandbox.root / OUTPUT).open("ab") as said:
        subprocess.run(
            [sys.executable, "-m", "desgw_daemon", *adopt], cwd=CHECKOUT, env=environment(), stdout=said, check=True
        )
    return sandbox


def troubles(sandbox: Sandbox) -> list[str]:
    """What is wrong with a night that is over: each run must have been started once, as the stand-ins' log has it."""
    runs = [run for run in program_runs(sandbox.log) if run.who == "run_postproc.py"]
    found = [] if [run.rc for run in runs] == [0] else [f"run_postproc.py ran: {[run.rc for run in runs]}"]
    with closing(sqlite3.connect(f"file:{sandbox.state / 'desgw.db'}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT number, state, result FROM postproc_run").fetchall()
        steps = connection.execute("SELECT step FROM postproc_step ORDER BY step").fetchall()
        ends = connection.execute("SELECT state FROM exposure").fetchall()
        errors = connection.execute("SELECT error FROM poll WHERE error > ''").fetchall()
    found += [] if rows == [(1, "done", "candidates")] else [f"runs: {rows}"]
    found += [] if steps == [(step,) for step in range(8)] else [f"steps: {steps}"]
    found += [] if ends == [("done",)] else [f"the exposure is {ends}"]
    found += [f"a cycle reports: {error}" for (error,) in errors]
    inis = {path.name: path.read_text() for path in sandbox.postprocessing.glob("postproc_*.ini*")}
    found += [] if inis == {"postproc_2206.ini": _THEIRS} else [f"ini files: {sorted(inis)}"]
    return found


def around_the_start(points: list[Point]) -> list[int]:
    """The numbers of the side effects around the start of a run."""
    return [
        number for number, point in enumerate(points, start=1) if any(line.startswith(_HANDS) for line in point.chain)
    ]


def in_turn(numbers: list[int], count: int) -> Iterator[tuple[int, bool]]:
    """So many cuts: just before and just after each in turn, spread over all of them where there are more."""
    places = [(number, after) for number in numbers for after in (False, True)]
    step = max(1, len(places) // count)
    return islice(cycle(places[::step] if count < len(places) else places), count)


@pytest.mark.slow
@pytest.mark.soak
class TestStartedOnce:
    """Killed at any side effect around the start of a run, and started again: the run is started once, and followed."""

    def test_wherever_it_is_killed(
        self, launcher: Launcher, tmp_path: Path, long_form: bool, counted: Callable[[str], None]
    ) -> None:
        reference = make_night(tmp_path / "reference")
        assert launcher.start(reference, do="cycles", log=str(tmp_path / "points")) == 0, told_by(reference)
        assert launcher.start(reference, do="cycles") == 0, told_by(reference)
        assert troubles(reference) == [], told_by(reference)
        points = points_of(tmp_path / "points")
        numbers = around_the_start(points)
        kinds = {points[number - 1].kind for number in numbers}
        assert kinds >= {"mkdir", "open", "rename", "commit", "spawn"}, kinds
        killed = 0
        for times, (number, after) in enumerate(in_turn(numbers, 100 if long_form else 4)):
            night = make_night(tmp_path / str(times))
            code = launcher.start(night, do="cycles", at=number, after=after)
            killed += code != 0
            # Its end is followed by one more cycle, which takes our ini away.
            for _ in range(2):
                launcher.go_on(night, ["cycles"])
            assert troubles(night) == [], f"{points[number - 1].place} (after: {after})\n{told_by(night)}"
            clear(night)
        assert killed == times + 1
        counted(f"killed {killed} times, at {len(numbers)} side effects around the start of a run; each started once")
