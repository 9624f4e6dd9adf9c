"""`demo --prepare` and `demo --check`: a night that somebody goes through by hand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def demo(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run `desgw-daemon WORDS` without a configuration of our own."""
    return subprocess.run(
        [sys.executable, "-m", "desgw_daemon", *words],
        cwd=cwd,
        env={key: value for key, value in os.environ.items() if not key.startswith("DESGW_")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


class TestByHand:
    """The sandbox is made and nothing runs; the check says when it is too early, and what is no sandbox."""

    def test_from_the_sandbox_to_the_check(self, tmp_path: Path) -> None:
        made = demo("demo", "--prepare", "--folder", "night", cwd=tmp_path)
        assert made.returncode == 0, made.stderr
        assert "Nothing runs yet" in made.stdout
        assert "night/lists/night_i.list night/lists/night_z.list" in made.stdout
        assert not (tmp_path / "night" / "state" / "desgw.db").exists()
        # Nobody has begun: nothing of the planned night is known.
        assert demo("demo", "--check", "--folder", "night", cwd=tmp_path).returncode == 1
        words = ("start-event", "night/lists/night_i.list", "--season", "2206", "--reuse", "2206")
        queued = demo("--config", "night/daemon.toml", *words, cwd=tmp_path)
        assert queued.returncode == 0, queued.stderr
        early = demo("demo", "--check", "--folder", "night", cwd=tmp_path)
        assert early.returncode == 1 and "6 exposures are still under way" in early.stdout
        again = demo("demo", "--prepare", "--folder", "night", cwd=tmp_path)
        assert again.returncode == 1 and "holds a night that was begun" in again.stderr
        assert (tmp_path / "night" / "state" / "desgw.db").exists()

    def test_no_sandbox(self, tmp_path: Path) -> None:
        refused = demo("demo", "--check", "--folder", ".", cwd=tmp_path)
        assert refused.returncode == 1 and "is no sandbox" in refused.stderr
