"""One night whose process is stopped once at each place of the program where it has a side effect."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.crash.nights import Launcher, make_night, told_by, troubles


@pytest.mark.slow
@pytest.mark.soak
class TestStoppedEverywhere:
    """However often the process is stopped in one night, at places it has not been stopped at, the night ends well."""

    def test_all_places_in_one_night(
        self, launcher: Launcher, tmp_path: Path, long_form: bool, counted: Callable[[str], None]
    ) -> None:
        times = []
        # What is stopped just after a place is nearly always stopped just before the next one.
        for after in (False, True) if long_form else (False,):
            night = make_night(tmp_path / f"night-{after}")
            times.append(launcher.cut_everywhere(night, tmp_path / f"places-{after}", after=after))
            assert troubles(night) == [], told_by(night)
            assert times[-1] > 60
        told = " and ".join(str(number) for number in times)
        counted(f"{len(times)} night{'s' * (len(times) > 1)}, stopped {told} times, at each place of the program once")
