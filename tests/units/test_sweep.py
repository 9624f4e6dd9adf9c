"""What a systemd of the tests leaves behind when its pytest is killed is removed by the next one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.systemdbox import own_folder, sweep


class TestSweep:
    """Folders go whose owner is dead, however it died; those of the living stay."""

    def test_killed(self, tmp_path: Path) -> None:
        mine, lock = own_folder(tmp_path)
        script = (
            "import sys, pathlib; from tests.systemdbox import own_folder;"
            "print(own_folder(pathlib.Path(sys.argv[1]))[0], flush=True); sys.stdin.read()"
        )
        command = [sys.executable, "-c", script, str(tmp_path)]
        project = Path(__file__).parents[2]
        with subprocess.Popen(command, cwd=project, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
            assert other.stdout is not None
            theirs = Path(other.stdout.readline().strip())
            assert sweep(tmp_path) == [] and theirs.is_dir()
            other.kill()
            other.wait()
        assert sweep(tmp_path) == [theirs] and not theirs.exists() and mine.is_dir()
        os.close(lock)
        assert sweep(tmp_path) == [mine]
