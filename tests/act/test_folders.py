"""Making the empty folders of CCDs, by a process of its own."""

from __future__ import annotations

import errno
import os
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from desgw_daemon.act.folders import FolderMaker
from tests.decide.build import NITE, SEASON, ready

ONE, TWO = ready(1), ready(2)


def dp(root: Path, number: int) -> Path:
    """The dpSEASON folder of the exposure of that number."""
    return root / "exp" / NITE / str(ready(number).expnum) / f"dp{SEASON}"


class TestFolders:
    """Folders are made below exp/NITE/EXPNUM/dpSEASON; what cannot be made is told by exposure, the others are made."""

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        dp(tmp_path, 1).mkdir(parents=True)
        return tmp_path

    def test_made(self, root: Path) -> None:
        assert FolderMaker(root=root).make([ONE], {1: (5, 62)}) == {}
        assert sorted(path.name for path in dp(root, 1).iterdir()) == ["i_05", "i_62"]

    def test_there_already(self, root: Path) -> None:
        (dp(root, 1) / "i_05").mkdir()
        (dp(root, 1) / "i_05" / "kept").touch()
        assert FolderMaker(root=root).make([ONE], {1: (5,)}) == {}
        assert (dp(root, 1) / "i_05" / "kept").exists()

    def test_no_folder_above_is_made(self, root: Path) -> None:
        problems = FolderMaker(root=root).make([ONE, TWO], {1: (5,), 2: (5,)})
        assert problems == {2: f"{dp(root, 2) / 'i_05'}: {os.strerror(errno.ENOENT)}"}
        assert (dp(root, 1) / "i_05").is_dir()
        assert not dp(root, 2).parent.exists()

    def test_something_else_there(self, root: Path) -> None:
        (dp(root, 1) / "i_05").write_text("")
        problems = FolderMaker(root=root).make([ONE], {1: (5,)})
        assert problems == {1: f"{dp(root, 1) / 'i_05'}: something else is at its place"}


class TestAProcessThatHangs:
    """It is ended, what it had said until then counts, and the rest is left out."""

    def test_ended(self, tmp_path: Path) -> None:
        there = dp(tmp_path, 1) / "i_05"
        words = """
import json, sys, time
print(json.dumps([json.load(sys.stdin)[0][0], ""]))
print('["cut', end="", flush=True)
time.sleep(3600)
"""
        maker = FolderMaker(root=tmp_path, worker=(sys.executable, "-c", words), longest=timedelta(seconds=2))
        assert maker.make([ONE, TWO], {1: (5,), 2: (7,)}) == {2: f"{dp(tmp_path, 2) / 'i_07'}: no answer"}
        assert not there.exists()

    def test_that_cannot_be_started(self, tmp_path: Path) -> None:
        maker = FolderMaker(root=tmp_path, worker=(str(tmp_path / "none"),))
        assert "No such file" in maker.make([ONE], {1: (5,)})[1]
