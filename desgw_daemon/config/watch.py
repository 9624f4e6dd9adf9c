"""Notices that daemon.toml was changed, or that something was put into the inbox.

Only for local folders: /pnfs gets no events. A callback comes from a thread of its own and may do no more
than set an event: the daemon's tick does the work. A missed event is no harm but a delay: SIGHUP and the
tick look for themselves.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from watchdog.events import (
    DirCreatedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

#: Something may be there that was not there before. (Not modified: a file is whole when it is closed.)
_ARRIVED: Final = [FileClosedEvent, FileCreatedEvent, FileMovedEvent, DirCreatedEvent, DirMovedEvent]
#: More links one after another than any configuration has.
_MAX_LINKS: Final = 40


class FolderWatch(FileSystemEventHandler):
    """Calls back when something appears anywhere below a folder: made, moved in, or written to its end.

    What matches the pattern when it begins is news as well: it may have come just before, and not be whole yet.
    """

    def __init__(self, *, folder: Path, pattern: str, on_change: Callable[[], None]) -> None:
        self._folder = folder
        self._pattern = pattern
        self._on_change = on_change

    def attach(self, observer: BaseObserver) -> None:
        """Ask the observer for this folder. Raises OSError."""
        observer.schedule(self, str(self._folder.resolve()), recursive=True, event_filter=_ARRIVED)
        if any(self._folder.glob(self._pattern)):
            self._on_change()

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Whatever arrived is news."""
        self._on_change()


class ConfigWatch(FileSystemEventHandler):
    """Calls back when the configuration file was written, replaced, or led elsewhere.

    Every link on the way to the real file is watched, and the real file. A deleted file is no news: the
    values in force stay.
    """

    def __init__(self, *, path: Path, on_change: Callable[[], None]) -> None:
        self._path = path
        self._on_change = on_change
        self._observer: BaseObserver | None = None
        self._folders: set[Path] = set()
        self._names: frozenset[Path] = frozenset()
        self._real = ""

    def attach(self, observer: BaseObserver) -> None:
        """Ask the observer for the folders of the file and of its links. Raises OSError."""
        self._observer = observer
        self._follow()

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Call back if the file has arrived or was written, or if a link now leads to another file."""
        arrived = Path(os.fsdecode(event.dest_path or event.src_path))
        news = arrived in self._names or os.path.realpath(self._path) != self._real
        if not news or self._is_empty():
            return
        # A folder that cannot be watched (it has just gone, the system's limits) must not end the thread.
        with suppress(OSError):
            self._follow()
        self._on_change()

    def _is_empty(self) -> bool:
        """Whether the file is away, or is just being begun: its end will be an event of its own."""
        try:
            return self._path.stat().st_size == 0
        except OSError:
            return True

    def _follow(self) -> None:
        """Watch the folder of each link from the file's name on, and of the real file. Raises OSError."""
        assert self._observer is not None
        names = [_in_real_folder(self._path)]
        while names[-1].is_symlink() and len(names) <= _MAX_LINKS:
            names.append(_in_real_folder(names[-1].parent / names[-1].readlink()))
        self._real = os.path.realpath(self._path)
        self._names = frozenset(names)
        for folder in {name.parent for name in names} - self._folders:
            self._observer.schedule(self, str(folder), event_filter=_ARRIVED)
            self._folders.add(folder)


def _in_real_folder(path: Path) -> Path:
    """The path as the observer will name it. A folder that is a link gets no notices; the real one does."""
    return path.parent.resolve() / path.name


class LocalWatch:
    """One observer (one thread of the system's notices) for all watches; to be used in a `with`."""

    def __init__(self, *watches: ConfigWatch | FolderWatch) -> None:
        self._watches = watches
        self._observer = Observer()

    def start(self) -> str | None:
        """Begin. Returns None, or the reason why nothing is watched (the system's limits, a folder that
        is away): the daemon goes on, and notices changes at its ticks or by SIGHUP.
        """
        try:
            self._observer.start()
            for watch in self._watches:
                watch.attach(self._observer)
        except OSError as error:
            self.stop()
            return f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"
        return None

    def stop(self) -> None:
        """End; no thread is left."""
        if self._observer.is_alive():
            self._observer.stop()
            self._observer.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
