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
    """A callback that counts, as the daemon's event would."""

    def __init__(self) -> None:
        self.rings = 0
        self._rung = threading.Condition()

    def __call__(self) -> None:
        with self._rung:
            self.rings += 1
            self._rung.notify_all()

    def wait_for(self, rings: int) -> None:
        """Wait until it has rung so often in all."""
        with self._rung:
            assert self._rung.wait_for(lambda: self.rings >= rings, PATIENCE_S), f"rang {self.rings} times"


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
        bell = Bell()
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
        bell.wait_for(1)

    def test_replaced_by_a_rename(self, file: Path, watched: Callable[[Path], Bell]) -> None:
        bell = watched(file)
        other = file.with_name(".daemon.toml.swp")
        other.write_text("new")
        other.replace(file)
        bell.wait_for(1)

    def test_moved_in_from_elsewhere(self, file: Path, tmp_path: Path, watched: Callable[[Path], Bell]) -> None:
        bell = watched(file)
        (tmp_path / "other").write_text("new")
        (tmp_path / "other").replace(file)
        bell.wait_for(1)

    def test_kept_as_backup_and_written_anew(self, file: Path, watched: Callable[[Path], Bell]) -> None:
        bell = watched(file)
        file.rename(file.with_name("daemon.toml~"))
        file.write_text("new")
        bell.wait_for(1)

    def test_again_and_again(self, file: Path, watched: Callable[[Path], Bell]) -> None:
        bell = watched(file)
        for time_of_writing in range(1, 4):
            other = file.with_name("new")
            other.write_text("new")
            other.replace(file)
            bell.wait_for(time_of_writing)

    def test_another_file_is_no_news(self, file: Path, watched: Callable[[Path], Bell]) -> None:
        bell = watched(file)
        file.with_name("other.toml").write_text("new")
        file.with_name("daemon.toml.bak").write_text("new")
        file.write_text("new")  # notices of one folder come in their order
        bell.wait_for(1)
        assert bell.rings == 1


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
        bell.wait_for(1)

    def test_real_file_replaced(self, link: Path, file: Path, watched: Callable[[Path], Bell]) -> None:
        bell = watched(link)
        file.with_name("new").write_text("new")
        file.with_name("new").replace(file)
        bell.wait_for(1)

    def test_middle_link_led_elsewhere(self, link: Path, tmp_path: Path, watched: Callable[[Path], Bell]) -> None:
        bell = watched(link)
        (tmp_path / "middle/new").symlink_to(tmp_path / "spare/daemon.toml")
        (tmp_path / "middle/new").replace(tmp_path / "middle/daemon.toml")
        bell.wait_for(1)
        (tmp_path / "spare/daemon.toml").write_text("and written")
        bell.wait_for(2)

    def test_link_made_anew(self, link: Path, tmp_path: Path, watched: Callable[[Path], Bell]) -> None:
        bell = watched(link)
        link.unlink()
        link.symlink_to(tmp_path / "spare/daemon.toml")
        bell.wait_for(1)

    def test_folder_behind_a_link(self, file: Path, tmp_path: Path, watched: Callable[[Path], Bell]) -> None:
        (tmp_path / "current").symlink_to("etc")
        bell = watched(tmp_path / "current/daemon.toml")
        file.write_text("new")
        bell.wait_for(1)

    def test_link_into_a_folder_that_is_led_elsewhere(self, tmp_path: Path, watched: Callable[[Path], Bell]) -> None:
        for version in ("v1", "v2"):
            (tmp_path / version).mkdir()
            (tmp_path / version / "daemon.toml").write_text(version)
        (tmp_path / "now").symlink_to("v1")
        (tmp_path / "daemon.toml").symlink_to("now/daemon.toml")
        bell = watched(tmp_path / "daemon.toml")
        (tmp_path / "next").symlink_to("v2")
        (tmp_path / "next").replace(tmp_path / "now")
        bell.wait_for(1)

    def test_link_to_nowhere_and_back(self, link: Path, file: Path, watched: Callable[[Path], Bell]) -> None:
        bell = watched(link)
        link.unlink()
        link.symlink_to("../nowhere/daemon.toml")
        link.unlink()
        link.symlink_to(file)
        bell.wait_for(1)
        seen = bell.rings
        file.write_text("new")
        bell.wait_for(seen + 1)


class TestInbox:
    """Whatever arrives anywhere below the folder is news, also in folders that are made later."""

    @pytest.fixture
    def bell(self, tmp_path: Path) -> Iterator[Bell]:
        """Rings for the folder inbox, which holds the folder of one season."""
        (tmp_path / "inbox/2206").mkdir(parents=True)
        bell = Bell()
        with LocalWatch(FolderWatch(folder=tmp_path / "inbox", on_change=bell)) as local:
            assert local.start() is None
            yield bell

    def test_written(self, bell: Bell, tmp_path: Path) -> None:
        (tmp_path / "inbox/2206/a.list").write_text("941225")
        bell.wait_for(1)

    def test_moved_in(self, bell: Bell, tmp_path: Path) -> None:
        (tmp_path / "a.list").write_text("941225")
        (tmp_path / "a.list").replace(tmp_path / "inbox/2206/a.list")
        bell.wait_for(1)

    def test_in_a_new_folder(self, bell: Bell, tmp_path: Path) -> None:
        (tmp_path / "inbox/2208").mkdir()
        bell.wait_for(1)
        seen = bell.rings
        (tmp_path / "inbox/2208/a.list").write_text("941225")
        bell.wait_for(seen + 1)

    def test_folder_moved_in(self, bell: Bell, tmp_path: Path) -> None:
        (tmp_path / "2208").mkdir()
        (tmp_path / "2208/a.list").write_text("941225")
        (tmp_path / "2208").replace(tmp_path / "inbox/2208")
        bell.wait_for(1)


class TestBothAtOnce:
    """One observer carries both watches, and nothing of it is left when it is stopped."""

    def test_no_thread_is_left(self, file: Path, tmp_path: Path) -> None:
        (tmp_path / "inbox").mkdir()
        before = set(threading.enumerate())
        config, inbox = Bell(), Bell()
        with LocalWatch(
            ConfigWatch(path=file, on_change=config), FolderWatch(folder=tmp_path / "inbox", on_change=inbox)
        ) as local:
            assert local.start() is None
            file.write_text("new")
            (tmp_path / "inbox/a").write_text("")
            config.wait_for(1)
            inbox.wait_for(1)
        end = time.monotonic() + PATIENCE_S
        while set(threading.enumerate()) - before and time.monotonic() < end:
            time.sleep(0.01)
        assert set(threading.enumerate()) <= before

    def test_folder_that_is_away(self, file: Path, tmp_path: Path) -> None:
        before = set(threading.enumerate())
        local = LocalWatch(
            ConfigWatch(path=file, on_change=Bell()), FolderWatch(folder=tmp_path / "away", on_change=Bell())
        )
        reason = local.start()
        assert reason is not None
        assert "No such file or directory" in reason
        assert set(threading.enumerate()) <= before
