"""A whole night under strace: the daemon's own process touches no path below gw_workflow or Post-Processing."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.night.conftest import make_house  # noqa: F401 - the fixture
from tests.night.house import PROGRAM, House, night_of, planned
from tests.observe.traced import strace

_MOST_CYCLES = 60
#: What is read and written holds names of files, and touches none.
_CONTENT = re.compile(r"(p?(?:read|write)(?:64|v)?)\((\d+(?:<[^>]*>)?).*")


def touched(trace: Path, trees: tuple[str, ...]) -> list[str]:
    """Calls that name a path of the trees, or have one open."""
    lines = trace.read_text(errors="replace").splitlines()
    calls = [f"{found[1]}({found[2]}" if (found := _CONTENT.match(line)) else line for line in lines]
    return [call[:200] for call in calls if any(tree in call for tree in trees)]


class TestUntouched:
    """What is done on the two trees is done by the processes behind the doors, and by the children."""

    def test_a_night(self, make_house: Callable[..., House], tmp_path: Path) -> None:  # noqa: F811 - the fixture
        house = make_house(night_of(planned(938524)))
        house.ok("queue", "add", "938524", "--season", "2206")
        trees = (f"{house.sandbox.workflow}/", f"{house.sandbox.postprocessing}/")
        trace = tmp_path / "trace"
        calls: list[str] = []
        for _ in range(_MOST_CYCLES):
            # Without -f: this process alone.
            command = [strace(), "-y", "-e", "trace=%file,%desc", "-o", str(trace), *PROGRAM, "tick"]
            done = subprocess.run(command, cwd=house.root, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            calls += touched(trace, trees)
            if house.exposure(938524)["state"] == "done":
                break
        assert house.exposure(938524)["state"] == "done"
        assert len(house.runs("run_postproc.py")) == 1
        assert calls == []

    def test_it_would_be_seen(self, tmp_path: Path) -> None:
        """The same eyes see a file of a tree that is read."""
        (tmp_path / "file").write_text("words")
        trace = tmp_path / "trace"
        command = [strace(), "-y", "-e", "trace=%file,%desc", "-o", str(trace), "cat", str(tmp_path / "file")]
        subprocess.run(command, check=True, capture_output=True)
        assert touched(trace, (f"{tmp_path}/",))
