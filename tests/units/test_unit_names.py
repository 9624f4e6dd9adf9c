"""The names of the units in which children run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from desgw_daemon.children.unit import unit_name


class TestNames:
    """A folder has one unit, always the same, whose name systemd takes; two folders never share one."""

    @pytest.mark.parametrize(
        "folder",
        [
            "/s/attempts/dp2206_20200304_938524_a1/dagmaker-1",
            "/s/100% $HOME/a b/é",
            "/",
            "/s/" + "x" * 200 + "/" + "y" * 200,
        ],
    )
    def test_fit(self, folder: str) -> None:
        name = unit_name(Path(folder))
        assert name == unit_name(Path(folder)) and re.fullmatch(r"desgw-[A-Za-z0-9_.-]+\.service", name)
        assert len(name) < 128

    def test_apart(self) -> None:
        same_end = [Path("/one/dp2206/dagmaker-1"), Path("/two/dp2206/dagmaker-1"), Path("/two/dp2206/dagmaker 1")]
        assert len({unit_name(folder) for folder in same_end}) == 3
        assert "dp2206-dagmaker-1" in unit_name(same_end[0])
