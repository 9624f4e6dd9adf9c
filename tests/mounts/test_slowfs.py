"""The slow mount that other tests stand on."""

from __future__ import annotations

import errno
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hanging import SlowMount, slow_mount
from tests.observe.traced import until

LIST = "import os, sys; print(sorted(os.listdir(sys.argv[1])))"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two folders with a file each."""
    for name in ("a", "b"):
        (tmp_path / "real" / name).mkdir(parents=True)
        (tmp_path / "real" / name / "file").write_text(name)
    (tmp_path / "real" / "link").symlink_to("a")
    return tmp_path / "real"


@pytest.fixture
def mount(folder: Path, tmp_path: Path) -> Iterator[SlowMount]:
    """The same, through the mount."""
    with slow_mount(folder, tmp_path / "mount") as mount:
        yield mount


def listing(path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", LIST, path], stdout=subprocess.PIPE, text=True)


class TestPassesThrough:
    """What is in the folder is seen, read-only, as it is now."""

    def test_files(self, folder: Path, mount: SlowMount) -> None:
        assert (mount.root / "link/file").read_text() == "a"
        (folder / "a/late").write_text("x" * 300_000)
        assert sorted(path.name for path in (mount.root / "a").iterdir()) == ["file", "late"]
        assert (mount.root / "a/late").stat().st_size == len((mount.root / "a/late").read_bytes()) == 300_000
        with pytest.raises(OSError, match="Read-only"):
            (mount.root / "a/mine").write_text("")

    def test_many_files(self, folder: Path, mount: SlowMount) -> None:
        names = {f"{n:0100}" for n in range(2000)}
        for name in names:
            (folder / "b" / name).touch()
        assert {path.name for path in (mount.root / "b").iterdir()} == names | {"file"}


class TestCounts:
    """Round trips are counted by kind; with the cache of an NFS client an unchanged folder is not read again."""

    def test_without_a_cache(self, mount: SlowMount) -> None:
        for _ in range(2):
            mount.reset()
            list((mount.root / "a").iterdir())
            counts = mount.counts
            assert counts.pop("getattr") > 0
            assert counts == {"lookup": 1, "opendir": 1, "readdir": 1}

    def test_like_nfs(self, folder: Path, tmp_path: Path) -> None:
        with slow_mount(folder, tmp_path / "nfs", nfs=True) as mount:
            list((mount.root / "a").iterdir())
            mount.reset()
            list((mount.root / "a").iterdir())
            assert mount.counts == {"opendir": 1}


class TestHangs:
    """One folder or everything hangs until it is released; SIGKILL helps only where it is said to."""

    def test_one_folder(self, mount: SlowMount) -> None:
        mount.hang("a")
        with listing(mount.root / "a") as waiting:
            until(lambda: mount.held == 1)
            assert list((mount.root / "b").iterdir()) == [mount.root / "b/file"]
            assert waiting.poll() is None
            mount.release()
            assert waiting.communicate()[0] == "['file']\n"

    def test_killable(self, mount: SlowMount) -> None:
        mount.hang()
        with listing(mount.root) as waiting:
            until(lambda: mount.held == 1)
            waiting.kill()
            assert waiting.wait(5) < 0

    def test_unkillable(self, mount: SlowMount) -> None:
        mount.hang(killable=False)
        with listing(mount.root) as waiting:
            until(lambda: mount.held == 1)
            waiting.kill()
            with pytest.raises(subprocess.TimeoutExpired):
                waiting.wait(0.5)
            mount.release()
            assert waiting.wait(5) < 0


class TestFails:
    """What is at a folder is answered with an error until it is released, whatever root may do."""

    def test_one_folder(self, mount: SlowMount) -> None:
        mount.fail("a", error=errno.EACCES)
        with pytest.raises(PermissionError):
            list((mount.root / "a").iterdir())
        assert list((mount.root / "b").iterdir()) == [mount.root / "b/file"]
        mount.release()
        assert list((mount.root / "a").iterdir()) == [mount.root / "a/file"]

    def test_everything(self, mount: SlowMount) -> None:
        mount.fail(error=errno.ESTALE)
        with pytest.raises(OSError, match="Stale file handle"):
            list(mount.root.iterdir())


def test_it_is_unmounted_when_a_test_fails(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), slow_mount(folder, tmp_path / "mount") as mount:
        mount.hang(killable=False)
        waiting = listing(mount.root)
        until(lambda: mount.held == 1)
        raise ZeroDivisionError
    waiting.communicate(timeout=5)
    assert not (tmp_path / "mount").is_mount()
    assert list((tmp_path / "mount").iterdir()) == []
