"""The same night under strace: nothing happens that the points of inside do not know, and cuts from outside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.crash.nights import DO, KILLED, Launcher, clear, make_night, points_of, told_by, troubles
from tests.crash.traced import at, calls_of, cuts, run_traced, unannounced


@pytest.mark.slow
class TestSeenFromOutside:
    """Every commit, spawn, and change of a file that strace sees of the daemon is among the points counted inside."""

    def test_nothing_is_missed(self, tmp_path: Path, counted: Callable[[str], None]) -> None:
        night = make_night(tmp_path / "night")
        seen = 0
        for do in DO:
            trace, points = tmp_path / f"{do}.trace", tmp_path / f"{do}.points"
            assert run_traced(night, do, trace, points=points) == 0, told_by(night)
            calls = list(calls_of(trace))
            assert unannounced(calls, points) == []
            for kind in {point.kind for point in points_of(points)}:
                assert unannounced(calls, points, without=kind), f"the lack of {kind} would not be noticed"
            seen += len(cuts(calls))
        assert troubles(night) == [], told_by(night)
        counted(f"{seen} system calls that change something, each at a point of inside")


def sample(points: list[tuple[str, str, int]]) -> list[tuple[str, str, int]]:
    """The middle one of those that start a child; and the end of the journal with which the database is made."""
    starts = [point for point in points if point[1] == "vfork"]
    return [("queue", "unlink", 1), starts[len(starts) // 2]]


@pytest.mark.slow
@pytest.mark.soak
class TestCutFromOutside:
    """Killed as a system call begins, and started again: the night ends as if nothing had been, all done once."""

    def test_at_system_calls(
        self, launcher: Launcher, tmp_path: Path, long_form: bool, counted: Callable[[str], None]
    ) -> None:
        reference = make_night(tmp_path / "reference")
        points = []
        for do in DO:
            trace = tmp_path / f"{do}.trace"
            assert run_traced(reference, do, trace) == 0, told_by(reference)
            points += [(do, name, number) for name, number in cuts(calls_of(trace))]
        names = Counter(name for _, name, _ in points)
        assert names.keys() >= {"rename", "unlink", "mkdir", "fdatasync", "pwrite64", "vfork"}, names
        chosen = points if long_form else sample(points)
        for do, name, number in chosen:
            night = make_night(tmp_path / f"{do}-{name}-{number}")
            done = DO[: DO.index(do)]
            for each in done:
                assert launcher.start(night, do=each) == 0, told_by(night)
            code = run_traced(night, do, tmp_path / "trace", cut=at((name, number)))
            assert code == KILLED, f"{name} {number} was not reached\n{told_by(night)}"
            launcher.go_on(night, DO[len(done) :])
            assert troubles(night) == [], f"cut at {name} {number} of {do}\n{told_by(night)}"
            clear(night)
        told = ", ".join(f"{count} {name}" for name, count in names.most_common())
        counted(f"cut at {len(chosen)} of {len(points)} system calls ({told}), a night for each")
