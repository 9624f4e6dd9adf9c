"""One night whose process is stopped once at each place of the program where it has a side effect."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.crash.nights import Launcher, make_night, told_by, troubles


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True], ids=["just before", "just after"])
class TestStoppedEverywhere:
    """However often the process is stopped in one night, at places it has not been stopped at, the night ends well."""

    def test_all_places_in_one_night(
        self, after: bool, launcher: Launcher, tmp_path: Path, counted: Callable[[str], None]
    ) -> None:
        night = make_night(tmp_path / "night")
        times = launcher.cut_everywhere(night, tmp_path / "places", after=after)
        assert troubles(night) == [], told_by(night)
        assert times > 60
        counted(f"one night, stopped {times} times, at each place of the program once")
