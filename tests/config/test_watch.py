"""Notices of changed local files, with real files and the real observer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from desgw_daemon.config.watch import ConfigWatch, FolderWatch, LocalWatch

#: Far more than a notice takes (some ms); a machine under load is no failure.
PATIENCE_S = 20.0


class Bell:
    """A callback that notes what the file held when it was called, as a reload would see it."""

    def __init__(self, path: Path | None = None) -> None:
        self.seen: list[str] = []
        self._path = path
        self._rung = threading.Condition()

    def __call__(self) -> None:
        with self._rung:
            self.seen.append("" if self._path is None else self._path.read_text())
            self._rung.notify_all()

    def wait(self, text: str = "") -> None:
        """Wait until a call has come while the file held this text."""
        with self._rung:
            assert self._rung.wait_for(lambda: text in self.seen, PATIENCE_S), f"not seen; seen: {self.seen}"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A configuration file in a folder of its own."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/daemon.toml").write_text("old")
    return tmp_path / "etc/daemon.toml"


@pytest.fixture
def watched() -> Iterator[Callable[[Path], Bell]]:
    """Starts watching a configuration file; ends it after the test."""
    started: list[LocalWatch] = []

    def watch(path: Path) -> Bell:
        bell = Bell(path)
        local = LocalWatch(ConfigWatch(path=path, on_change=bell))
        started.append(local)
        assert local.start() is None
        return bell

    yield watch
    for local in started:
        local.stop()


class TestConfigFile:
    """Each way in which a file gets new contents is noticed."""

    def test_written_in_place(self, file: Path, watched: Callable[[Path], Bell]) -> None:
        bell = watched(file)
        file.write_text("new")
        bell.wait("new")

    def test_replaced_by_a_rename(self, file: Path, watched: Callable[[Path], Bell]) -> None:
        bell = watched(file)
        other = file.with_name(".daemon.toml.swp")
        other.write_text("new")
        other.replace(file)
        bell.wait("new")

    def test_moved_in_from_elsewhere(self, file: Path, tmp_path: Path, watched: Callable[[Path], Bell]) -> None:
        bell = watched(file)
        (tmp_path / "other").write_text("new")
        (tmp_path / "other").replace(file)
        bell.wait("new")

    def test_kept_as_backup_and_written_anew(self, file: Path, watched: Callable[[Path], Bell]) -> None:
        bell = watched(file)
        file.rename(file.with_name("daemon.toml~"))
        file.write_text("new")
        bell.wait("new")

    def test_again_and_again(self, file: Path, watched: Callable[[Path], Bell]) -> None:
        bell = watched(file)
        for text in ("first", "second", "third"):
            other = file.with_name("other")
            other.write_text(text)
            other.replace(file)
            bell.wait(text)

    def test_another_file_is_no_news(self, file: Path, watched: Callable[[Path], Bell]) -> None:
        bell = watched(file)
        file.with_name("other.toml").write_text("new")
        file.with_name("daemon.toml.bak").write_text("new")
        file.write_text("new")  # notices of one folder come in their order
        bell.wait("new")
        assert bell.seen == ["new"]


class TestUnfinishedConfigFile:
    """A file that has just been begun, or deleted, is no news yet: its values could only be refused."""

    def test_begun(self, file: Path) -> None:
        other = file.with_name("other.toml")
        bell, later = Bell(file), Bell(other)
        with LocalWatch(ConfigWatch(path=file, on_change=bell), ConfigWatch(path=other, on_change=later)) as local:
            assert local.start() is None
            file.unlink()
            with file.open("w") as begun:
                other.write_text("later")
                later.wait("later")  # notices of one folder come in their order
                assert bell.seen == []
                begun.write("new")
            bell.wait("new")


class TestLinkedConfigFile:
    """Behind a link, the real file and the link are both watched, also after the link leads elsewhere."""

    @pytest.fixture
    def link(self, file: Path, tmp_path: Path) -> Path:
        """home/daemon.toml -> middle/daemon.toml -> etc/daemon.toml"""
        for folder in ("home", "middle", "spare"):
            (tmp_path / folder).mkdir()
        (tmp_path / "middle/daemon.toml").symlink_to(file)
        (tmp_path / "home/daemon.toml").symlink_to("../middle/daemon.toml")
        (tmp_path / "spare/daemon.toml").write_text("spare")
        return tmp_path / "home/daemon.toml"

    def test_real_file_written(self, link: Path, file: Path, watched: Callable[[Path], Bell]) -> None:
        bell = watched(link)
        file.write_text("new")
        bell.wait("new")

    def test_real_file_replaced(self, link: Path, file: Path, watched: Callable[[Path], Bell]) -> None:
        bell = watched(link)
        file.with_name("new").write_text("new")
        file.with_name("new").replace(file)
        bell.wait("new")

    def test_middle_link_led_elsewhere(self, link: Path, tmp_path: Path, watched: Callable[[Path], Bell]) -> None:
        bell = watched(link)
        (tmp_path / "middle/new").symlink_to(tmp_path / "spare/daemon.toml")
        (tmp_path / "middle/new").replace(tmp_path / "middle/daemon.toml")
        bell.wait("spare")
        (tmp_path / "spare/daemon.toml").write_text("and written")
        bell.wait("and written")

    def test_link_made_anew(self, link: Path, tmp_path: Path, watched: Callable[[Path], Bell]) -> None:
        bell = watched(link)
        link.unlink()
        link.symlink_to(tmp_path / "spare/daemon.toml")
        bell.wait("spare")

    def test_folder_behind_a_link(self, file: Path, tmp_path: Path, watched: Callable[[Path], Bell]) -> None:
        (tmp_path / "current").symlink_to("etc")
        bell = watched(tmp_path / "current/daemon.toml")
        file.write_text("new")
        bell.wait("new")

    def test_link_into_a_folder_that_is_led_elsewhere(self, tmp_path: Path, watched: Callable[[Path], Bell]) -> None:
        for version in ("v1", "v2"):
            (tmp_path / version).mkdir()
            (tmp_path / version / "daemon.toml").write_text(version)
        (tmp_path / "now").symlink_to("v1")
        (tmp_path / "daemon.toml").symlink_to("now/daemon.toml")
        bell = watched(tmp_path / "daemon.toml")
        (tmp_path / "next").symlink_to("v2")
        (tmp_path / "next").replace(tmp_path / "now")
        bell.wait("v2")

    def test_link_to_nowhere_and_back(self, link: Path, file: Path, watched: Callable[[Path], Bell]) -> None:
        bell = watched(link)
        link.unlink()
        link.symlink_to("../nowhere/daemon.toml")
        link.unlink()
        link.symlink_to(file)
        bell.wait("old")
        file.write_text("new")
        bell.wait("new")


class TestInbox:
    """Whatever arrives anywhere below the folder is news, also in folders that are made later."""

    @pytest.fixture
    def bell(self, tmp_path: Path) -> Iterator[Bell]:
        """Rings for the folder inbox, which holds the folder of one season."""
        (tmp_path / "inbox/2206").mkdir(parents=True)
        bell = Bell()
        with LocalWatch(FolderWatch(folder=tmp_path / "inbox", pattern="*/*.list", on_change=bell)) as local:
            assert local.start() is None
            yield bell

    def test_written(self, bell: Bell, tmp_path: Path) -> None:
        (tmp_path / "inbox/2206/a.list").write_text("941225")
        bell.wait()

    def test_moved_in(self, bell: Bell, tmp_path: Path) -> None:
        (tmp_path / "a.list").write_text("941225")
        (tmp_path / "a.list").replace(tmp_path / "inbox/2206/a.list")
        bell.wait()

    def test_in_a_new_folder(self, bell: Bell, tmp_path: Path) -> None:
        (tmp_path / "inbox/2208").mkdir()
        bell.wait()
        bell.seen.clear()
        (tmp_path / "inbox/2208/a.list").write_text("941225")
        bell.wait()

    def test_folder_moved_in(self, bell: Bell, tmp_path: Path) -> None:
        (tmp_path / "2208").mkdir()
        (tmp_path / "2208/a.list").write_text("941225")
        (tmp_path / "2208").replace(tmp_path / "inbox/2208")
        bell.wait()


class TestBothAtOnce:
    """One observer carries both watches, and nothing of it is left when it is stopped."""

    def test_no_thread_is_left(self, file: Path, tmp_path: Path) -> None:
        (tmp_path / "inbox").mkdir()
        before = set(threading.enumerate())
        config, inbox = Bell(file), Bell()
        with LocalWatch(
            ConfigWatch(path=file, on_change=config),
            FolderWatch(folder=tmp_path / "inbox", pattern="*/*.list", on_change=inbox),
        ) as local:
            assert local.start() is None
            file.write_text("new")
            (tmp_path / "inbox/a").write_text("")
            config.wait("new")
            inbox.wait()
        end = time.monotonic() + PATIENCE_S
        while set(threading.enumerate()) - before and time.monotonic() < end:
            time.sleep(0.01)
        assert set(threading.enumerate()) <= before

    def test_folder_that_is_away(self, file: Path, tmp_path: Path) -> None:
        before = set(threading.enumerate())
        local = LocalWatch(
            ConfigWatch(path=file, on_change=Bell()),
            FolderWatch(folder=tmp_path / "away", pattern="*/*.list", on_change=Bell()),
        )
        reason = local.start()
        assert reason is not None
        assert "No such file or directory" in reason
        assert set(threading.enumerate()) <= before
