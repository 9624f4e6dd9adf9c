"""Small disks of their own for a folder: one that can be full, one that can fail. Root mounts them, nobody else can."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Final

#: A keeper or a message on its way may hold a folder for a moment.
_FREE_WITHIN: Final = 30.0


class NoDiskError(Exception):
    """It cannot be mounted here: why."""


class SmallDisk:
    """A disk in memory, mounted on a folder; what the folder holds is on it."""

    def __init__(self, folder: Path, size: str) -> None:
        """size: as mount has it, such as ``24m``."""
        self.folder = folder
        _mounted_with_content(folder, ["-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", str(folder)])

    def fill(self, *, leave: int = 0) -> None:
        """Leave so many bytes of room: 0 is not a single one."""
        descriptor = os.open(self.folder / ".fill", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        room = os.statvfs(self.folder)
        wanted = room.f_bavail * room.f_frsize - leave
        size = 1 << 20
        while size and (leave == 0 or wanted > 0):
            try:
                wanted -= os.write(descriptor, b"x" * (size if leave == 0 else min(size, wanted)))
            except OSError:
                size //= 16
        os.close(descriptor)

    def make_room(self) -> None:
        """What filled it goes."""
        (self.folder / ".fill").unlink()

    def remove(self) -> None:
        """Unmount it, with all that is on it."""
        _unmount(self.folder)


class ImageDisk:
    """A real file system (ext4) in a file, mounted on a folder: read-only after an error of its disk, as most are."""

    def __init__(self, folder: Path, image: Path) -> None:
        self.folder = folder
        self._image = image
        with image.open("wb") as file:
            file.truncate(32 << 20)
        _run("mkfs.ext4", "-q", "-F", str(image))
        _mounted_with_content(folder, self._words)

    @property
    def _words(self) -> list[str]:
        return ["-o", "loop,errors=remount-ro", str(self._image), str(self.folder)]

    def fails(self) -> None:
        """The kernel meets an error of the disk, whatever is open for writing on it. What was written before stays."""
        _run("sync", "-f", str(self.folder))
        device = Path(_run("findmnt", "-no", "SOURCE", str(self.folder)).strip()).name
        Path("/sys/fs/ext4", device, "trigger_fs_error").write_text("the drill")

    def mend(self) -> None:
        """As a person does it: unmounted, checked, mounted again. Nobody may be at work on it.

        It is a copy that is mounted: a process that has namespaces of its own may hold the old mount for longer.
        """
        _unmount(self.folder)
        copy = self._image.with_name(f"{self._image.name}.copy")
        shutil.copyfile(self._image, copy)
        copy.replace(self._image)
        # 1: errors were mended.
        subprocess.run(["e2fsck", "-fy", str(self._image)], capture_output=True, check=False)
        _run("mount", *self._words)

    def remove(self) -> None:
        """Unmount it, with all that is on it."""
        _unmount(self.folder)
        self._image.unlink()


def _mounted_with_content(folder: Path, words: list[str]) -> None:
    if os.geteuid() != 0:
        raise NoDiskError("only root can mount a disk")
    kept = folder.with_name(f"{folder.name}.kept")
    shutil.copytree(folder, kept)
    try:
        _run("mount", *words)
        shutil.copytree(kept, folder, dirs_exist_ok=True)
    finally:
        shutil.rmtree(kept)


def _unmount(folder: Path) -> None:
    end = time.monotonic() + _FREE_WITHIN
    while (done := subprocess.run(["umount", str(folder)], capture_output=True, text=True, check=False)).returncode:
        if time.monotonic() > end:
            subprocess.run(["umount", "-l", str(folder)], check=False)
            raise NoDiskError(done.stderr.strip())
        time.sleep(0.1)


def _run(*words: str) -> str:
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise NoDiskError(f"{words[0]} is not there") from error
    if done.returncode != 0:
        raise NoDiskError(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout
