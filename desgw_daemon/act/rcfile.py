"""dagmaker.rc on disk: read, and written anew so that at any moment either the old or the new one is there, whole.

Nothing in it is ever run here. It is never changed while a DAGMaker, which reads it, may run.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout
from sqlalchemy import Connection, Engine

from desgw_daemon.act.rcwrite import check_writable, prepared, put
from desgw_daemon.children import look
from desgw_daemon.domain.rcfile import CannotEditError, RcFile
from desgw_daemon.domain.rckeys import SEASON
from desgw_daemon.domain.times import utc
from desgw_daemon.errors import Refused
from desgw_daemon.observe.door import DIRECT, Way
from desgw_daemon.observe.plainfile import beginning
from desgw_daemon.store.database import reading, writing
from desgw_daemon.store.rc import LiveMaking, RcChange, live_makings, record_changes

#: The real one has 3 kB: what is longer is something else (bytes).
_LONGEST: Final = 1_000_000
#: Whoever has the lock writes a small file, or starts a process.
_LOCK_TIMEOUT: Final = 15.0


class Parameters:
    """The file with DAGMaker's parameters, and the lock of those who change or read it."""

    def __init__(self, *, path: Path, locks: Path, way: Way = DIRECT) -> None:
        """locks: the folder for the lock. It is shared by every program that works on the state folder.

        way: to the workflow folder.
        """
        self._path = path
        self._way = way
        self._locks = locks
        self._lock = FileLock(locks / "rc.lock", mode=0o664, timeout=_LOCK_TIMEOUT)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else changes the file, or starts a DAGMaker, meanwhile. Raises Refused."""
        try:
            self._locks.mkdir(exist_ok=True)
            self._lock.acquire()
        except Timeout:
            raise Refused(
                f"somebody else has been changing {self._path} for more than {_LOCK_TIMEOUT:.0f} s: try again"
            ) from None
        except OSError as error:
            raise Refused(
                f"{error.filename or self._locks}: {error.strerror}: the state folder must be writable for this"
                f" account, and its disk must have room (see `df {self._locks.parent}`)"
            ) from error
        try:
            yield
        finally:
            self._lock.release()

    def read(self) -> bytes:
        """What DAGMaker would read. Raises Refused."""
        try:
            data = self._way.ask(beginning, self._path, _LONGEST)
        except OSError as error:
            raise Refused(
                f"{self._path} cannot be read: {error.strerror}; DAGMaker's parameters stand there (`paths.workflow`"
                " and `dagmaker.rc` of daemon.toml say where)"
            ) from error
        if len(data) > _LONGEST:
            raise Refused(f"{self._path} is longer than {_LONGEST} bytes: it is no file of parameters")
        return data

    def taken_apart(self) -> RcFile:
        """The same, by its keys. Raises Refused."""
        with self._plainly():
            return RcFile.of(self.read())

    def problem(self, seasons: Collection[int]) -> str | None:
        """Why DAGMaker's season could not be set to one of these; None when each could."""
        try:
            rc = self.taken_apart()
            with self._plainly():
                changes = any(with_season(rc, season) is not rc for season in sorted(seasons))
            if changes:
                self._way.ask(check_writable, self._path)
        except Refused as problem:
            return str(problem)
        return None

    def check(self, database: Engine, change: Callable[[RcFile], RcFile]) -> None:
        """Whether `edit` would do this change now. Raises Refused."""
        with self._plainly():
            before = RcFile.of(self.read())
            if change(before).text == before.text:
                return
        with reading(database) as connection:
            self._check_unread(connection)
        self._way.ask(check_writable, self._path)

    def edit(
        self, database: Engine, change: Callable[[RcFile], RcFile], *, who: str, why: str, at: datetime
    ) -> tuple[tuple[RcChange, ...], bytes]:
        """Change the file, and write down what was changed. Returns the changes, and what stands there now.

        The old file stays as `.bak`. Raises Refused when it cannot be changed, or a DAGMaker may be reading it.
        """
        with self.locked(), self._plainly():
            before = RcFile.of(self.read())
            after = change(before)
            changes = _differences(before, after)
            if after.text == before.text:
                return (), before.data
            with reading(database) as connection:
                self._check_unread(connection)
            self._way.ask(check_writable, self._path)
            new = self._way.change(prepared, self._path, before.data, after.data)
            try:
                # Written down before it is done: a change that nobody can explain later is worse than one noted twice.
                with writing(database) as connection:
                    record_changes(connection, changes, path=str(self._path), who=who, why=why, at=at)
                self._way.change(put, self._path, new)
            except BaseException:
                # Left where its disk is silent: the next change writes it anew.
                with suppress(OSError):
                    self._way.change(Path.unlink, new)
                raise
            return changes, after.data

    def _check_unread(self, connection: Connection) -> None:
        if (reader := _reader(connection)) is not None:
            raise Refused(_read_by(self._path, reader))

    @contextmanager
    def _plainly(self) -> Iterator[None]:
        try:
            yield
        except CannotEditError as problem:
            raise Refused(f"{self._path}: {problem}") from None


def with_season(rc: RcFile, season: int) -> RcFile:
    """With that season; the same object when it is so already. Raises CannotEditError."""
    found = rc.settings.get(SEASON)
    return rc if found is not None and found.value == str(season) else rc.with_value(SEASON, str(season))


def _differences(before: RcFile, after: RcFile) -> tuple[RcChange, ...]:
    old = {key: setting.raw for key, setting in before.settings.items()}
    new = {key: setting.raw for key, setting in after.settings.items()}
    keys = dict.fromkeys((*old, *new))
    return tuple(RcChange(key, old.get(key), new.get(key)) for key in keys if old.get(key) != new.get(key))


def _reader(connection: Connection) -> LiveMaking | None:
    """A DAGMaker that runs. One that is only about to be started has read nothing: its start waits for our lock."""
    for making in live_makings(connection):
        try:
            if look(Path(making.folder)).state == "running":
                return making
        except OSError:
            return making  # nobody can tell
    return None


def _read_by(path: Path, making: LiveMaking) -> str:
    return (
        f"{path} is not changed while a DAGMaker reads it: exposure {making.expnum} {making.band or '?'} (season"
        f" {making.season}, nite {making.nite or 'unknown'}) is being made since {utc(making.intent_at)}. Try again"
        " when that has ended (`desgw-daemon pause` keeps new ones from being started)"
    )
