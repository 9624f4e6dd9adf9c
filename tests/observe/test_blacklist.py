"""Reading the blacklist of post-processing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from desgw_daemon.observe.blacklist import read_blacklist


def template(folder: Path, *, indir: str = "./", blacklist: str = "blacklist.txt ; in indir") -> Path:
    path = folder / "template.ini"
    path.write_text(f"[general]\nindir = {indir}\n[masterlist]\nblacklist = {blacklist}\n")
    return path


class TestBlacklist:
    """Its numbers, if the template names one and run_postproc.py would find it; unknown is not an empty list."""

    def test_numbers(self, tmp_path: Path) -> None:
        (tmp_path / "blacklist.txt").write_text("938524\n 938525 1200201\n# 93852\n938526.5 x938527\n12345678\n")
        assert read_blacklist(tmp_path, template(tmp_path)) == frozenset({938524, 938525, 1200201})

    def test_none(self, tmp_path: Path) -> None:
        assert read_blacklist(tmp_path, template(tmp_path)) == frozenset()
        assert read_blacklist(tmp_path, template(tmp_path, blacklist="")) == frozenset()

    def test_asked_for_in_indir(self, tmp_path: Path) -> None:
        (tmp_path / "blacklist.txt").write_text("938524\n")
        assert read_blacklist(tmp_path, template(tmp_path, indir="./lists")) == frozenset()
        (tmp_path / "lists").mkdir()
        (tmp_path / "lists" / "blacklist.txt").write_text("938999\n")
        assert read_blacklist(tmp_path, template(tmp_path, indir="./lists")) == frozenset({938524})

    def test_no_template(self, tmp_path: Path) -> None:
        assert read_blacklist(tmp_path, tmp_path / "template.ini") is None

    @pytest.mark.parametrize("odd", ["folder", "pipe"])
    def test_what_cannot_be_read(self, tmp_path: Path, odd: str) -> None:
        path = tmp_path / "blacklist.txt"
        path.mkdir() if odd == "folder" else os.mkfifo(path)
        assert read_blacklist(tmp_path, template(tmp_path)) is None

    def test_a_template_that_is_none(self, tmp_path: Path) -> None:
        path = tmp_path / "template.ini"
        path.write_text("blacklist = x\n")
        assert read_blacklist(tmp_path, path) is None
