"""Jobs copy back, in the real order and with pauses, while the daemon looks as fast as it can."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest

from desgw_daemon.sandbox.build import Sandbox, build
from desgw_daemon.sandbox.moves import Moves, fate
from desgw_daemon.sandbox.nights import small_scenario
from desgw_daemon.sandbox.scenario import SEARCH_CCDS, PlannedExposure, Scenario, Watch
from tests.crash.nights import told_by
from tests.race.season import program, rows, running, states, until

_SETTLE: Final = timedelta(seconds=3)
#: Between two files of a copy-back, at most.
_PAUSE_MS: Final = 1000
_OPEN: Final = {"queued", "making", "submitting", "processing"}


def script(chance: random.Random) -> Moves:
    """One CCD's copy-back, with pauses that leave room for a look between any two files."""
    step, lower = chance.randint(10, 27), chance.randint(1, 9)
    plans: tuple[tuple[int, Moves], ...] = (
        (8, ("tarball", "fits", "psf", "stamps")),
        (8, ("tarball", f"fail:{step}")),
        (20, ("tarball", "fail:28", "fits", "psf", "stamps")),
        (3, ("tarball", f"fail:{step}", f"fail:{lower}")),
        (3, ("tarball", "fail:ALL", "fits", "psf")),
        (3, ("tarball:late", "fits:late", "psf:late")),
        (2, ("tarball:late", f"fail:{step}")),
        (2, ("tarball", "stamps")),
        (1, ("tarball", "fits", "stamps")),
        (1, ("tarball:empty",)),
        (1, ("fail:NOOVERLAPS",)),
        (1, ("exit:0",)),
    )
    (moves,) = chance.choices([moves for _, moves in plans], weights=[weight for weight, _ in plans])
    # One long pause, so that a look falls into it, and the rest at a stroke, so that it fits into a look. Before a FAIL
    # that has forcefiles after it, always: they prove that no FAIL can follow, but only if they were seen first.
    pauses = [chance.choice((0, 0, 30)) for _ in moves]
    long_one = moves.index("fail:28") if "fail:28" in moves else chance.randrange(len(moves))
    pauses[long_one] = chance.randint(100, _PAUSE_MS)
    paused = [word for pause, move in zip(pauses, moves, strict=True) for word in (f"pause:{pause}", move)]
    return (f"pause:{chance.randint(0, 2000)}", *paused)


def season(exposures: int, seed: int) -> Scenario:
    """Exposures whose every CCD has habits of its own."""
    chance = random.Random(seed)
    small = small_scenario(exposures)
    return replace(
        small,
        exposures=tuple(
            replace(exposure, ccds={ccd: script(chance) for ccd in SEARCH_CCDS}) for exposure in small.exposures
        ),
        pace=replace(small.pace, job=timedelta(milliseconds=300), late=timedelta(milliseconds=700)),
        watch=Watch(
            interval=timedelta(milliseconds=50),
            settle=_SETTLE,
            grace_after_dag=timedelta(seconds=3),
            zero_size_after=timedelta(seconds=6),
            local_slots=12,
        ),
    )


def truth(exposure: PlannedExposure, ccd: int) -> tuple[str, str | None]:
    """What is true of a CCD in the end: its state, and the number of the step at which it failed."""
    moves = exposure.moves_of(ccd)
    state = fate(moves)
    fails = sorted(move.removeprefix("fail:") for move in moves if move.startswith("fail:") and move != "fail:ALL")
    steps = sorted(f"RUN{int(fail):02d}" for fail in fails if fail.isdigit())
    return state, (steps[0] if steps else "NOOVERLAPS" if fails else None) if state == "failed" else None


def slow_mount(sandbox: Sandbox) -> None:
    """Stretch a look, as a real mount does: the end of a copy-back then fits between two of its listings."""
    text = sandbox.config.read_text()
    sandbox.config.write_text(text.replace("[poll]\n", "[poll]\ncalls_per_second = 700\n"))


class Watcher:
    """Reads the CCDs again and again, and remembers what each was called while it was settled."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.samples = 0
        self.called: Mapping[tuple[int, int], set[tuple[str, str | None]]] = defaultdict(set)

    def look(self) -> bool:
        """Take a sample; whether every exposure has come to the end of its processing."""
        found = rows(
            self.sandbox,
            "SELECT e.expnum, c.ccd, c.state, c.step FROM ccd c JOIN exposure e ON e.id = c.exposure_id"
            " WHERE c.settled_at IS NOT NULL",
        )
        self.samples += 1
        for expnum, ccd, state, step in found:
            self.called[expnum, ccd].add((state, step and step.partition("_")[0].removesuffix(".FAIL")))
        return not _OPEN & set(states(self.sandbox).values())


def slower_than_promised(sandbox: Sandbox, exposure: PlannedExposure, ccd: int) -> bool:
    """Whether this machine took longer than the settle time between two signs of a CCD: no rule could know then."""
    folder = sandbox.pnfs / "exp" / exposure.nite / str(exposure.expnum) / "dp2206" / f"{exposure.band}_{ccd:02d}"
    times = sorted(path.stat().st_mtime for path in folder.iterdir() if path.is_file())
    return any(later - earlier >= _SETTLE.total_seconds() for earlier, later in pairwise(times))


@pytest.mark.slow
@pytest.mark.soak
class TestSettledMeansSettled:
    """A CCD that is called settled is called what it is in the end, at every moment, however fast the daemon looks."""

    def test_while_jobs_copy_back(self, tmp_path: Path, long_form: bool, counted: Callable[[str], None]) -> None:
        seen: Counter[str] = Counter()
        for seed in range(10 if long_form else 1):
            scenario = season(3, seed)
            sandbox = build(tmp_path / str(seed), scenario)
            slow_mount(sandbox)
            program(sandbox, "queue", "add", *map(str, sandbox.lists), "--season", "2206")
            watcher = Watcher(sandbox)
            with running(sandbox):
                until(sandbox, watcher.look, pause=0.01)
            for exposure in scenario.exposures:
                for ccd in SEARCH_CCDS:
                    if slower_than_promised(sandbox, exposure, ccd):
                        seen["slow"] += 1
                        continue
                    called = watcher.called[exposure.expnum, ccd]
                    assert called == {truth(exposure, ccd)}, (
                        f"{exposure.expnum} {ccd:02d} {exposure.moves_of(ccd)}\n{told_by(sandbox)}"
                    )
            caught = "SELECT count(*) FROM transition WHERE kind = 'ccd' AND before = 'complete' AND after = 'failed'"
            seen["caught"] += rows(sandbox, caught)[0][0]
            seen["samples"] += watcher.samples
            seen["ccds"] += len(scenario.exposures) * len(SEARCH_CCDS)
        assert seen["caught"] >= 10, "no look ever came between a tarball and its FAIL: nothing was tried"
        assert seen["slow"] < seen["ccds"] / 10, "the machine is too slow for this"
        counted(
            f"{seen['ccds']} CCDs in {seen['samples']} samples, {seen['caught']} caught between tarball and FAIL;"
            " each that was called settled was called what it was in the end"
        )
