"""The process of a whole small night is stopped at its side effects, counted from inside, and started again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.crash.nights import Cut, Launcher, clear, make_night, told_by, troubles
from tests.crash.points import Point

#: Which process of a night, the number of the side effect in it, and the side effect.
Numbered = tuple[str, int, Point]


def sample(points: list[Numbered], after: bool) -> list[Numbered]:
    """Just before: for some kinds the middle one. Just after: the start of a DAGMaker, of a DAG, of a run.

    Every place is stopped at once, in the one night of test_everywhere.py. What is stopped just after a point is
    stopped just before the next one, but for what it has started: that lives on.
    """
    groups: dict[str, list[Numbered]] = {}
    for do, number, point in points:
        if not after and point.kind in ("spawn", "rename"):
            groups.setdefault(point.kind, []).append((do, number, point))
        elif after and point.kind == "spawn" and "act." in point.place:
            groups.setdefault(point.place, []).append((do, number, point))
    return [several[len(several) // 2] for several in groups.values()]


def whole(points: list[Numbered], after: bool) -> list[Numbered]:
    """Just before: all of them. Just after: each that starts something, which lives on."""
    return [numbered for numbered in points if not after or numbered[2].kind == "spawn"]


@pytest.mark.slow
@pytest.mark.soak
@pytest.mark.parametrize("after", [False, True], ids=["just before", "just after"])
class TestStoppedAtEachSideEffect:
    """Wherever the process is stopped and started again, the night ends as if nothing had been, all done once."""

    def test_once_for_each(
        self, after: bool, launcher: Launcher, tmp_path: Path, long_form: bool, counted: Callable[[str], None]
    ) -> None:
        reference = make_night(tmp_path / "reference")
        points = [
            (do, number, point)
            for do, several in launcher.points(reference, tmp_path / "points").items()
            for number, point in enumerate(several, start=1)
        ]
        assert troubles(reference) == [], "uncut"
        kinds = Counter(point.kind for _, _, point in points)
        assert kinds["commit"] > 40 and kinds["spawn"] >= 7 and kinds["rename"] > 5, kinds
        chosen = (whole if long_form else sample)(points, after)
        missed = 0
        for do, number, point in chosen:
            night = make_night(tmp_path / f"{do}-{number}")
            missed += not launcher.cut(night, Cut(do, number, after))
            assert troubles(night) == [], f"{point.place} ({do} {number})\n{told_by(night)}"
            clear(night)
        told = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
        assert missed <= len(chosen) // 50, "nights are not alike: points were not reached"
        counted(f"{len(chosen) - missed} of {len(points)} points ({told}), a night for each")
