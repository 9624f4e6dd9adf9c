"""Writing exposures.list and the lists of the bands anew: each whole, under its own name, or not at all.

Programs read them meanwhile. A crash leaves old ones, new ones, or some of each, and every one of them whole; the lists
of the bands go first, since DAGMaker looks an exposure up in exposures.list and its templates in the others.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from desgw_daemon.domain.exposureline import HEADER, LISTED_BANDS
from desgw_daemon.errors import Refused
from desgw_daemon.observe.exposure_database import Listed

#: A new list with less than this part of the old one's lines is refused: exposures do not go away, but a database
#: that is being loaded has only some of them.
_ENOUGH: Final = 0.9
#: Written in pieces of this size (bytes), and said to be written after so many lines.
_BUFFER: Final = 1 << 20
_TELL_EVERY: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Refreshed:
    """What was written: exposures, in all and of each band with a list; newest: the highest number.

    before: exposures of the file that was there; None without one. left_out: rows without a band or a date, which
    would be of no use.
    """

    exposures: int
    before: int | None
    newest: int
    left_out: int
    bands: Mapping[str, int]


def band_list(exposures_list: Path, band: str) -> Path:
    """The list of one band: DAGMaker looks for it beside exposures.list."""
    return exposures_list.with_name(f"exposures_{band}.list")


def count_exposures(exposures_list: Path) -> int | None:
    """Lines of the file that is there, without its head; None without one. Raises OSError."""
    try:
        with exposures_list.open("rb") as file:
            lines = sum(piece.count(b"\n") for piece in iter(lambda: file.read(_BUFFER), b""))
    except FileNotFoundError:
        return None
    return max(0, lines - 1)


def write_lists(
    rows: Iterable[Listed], exposures_list: Path, *, force: bool, before: int | None, told: Callable[[int], None]
) -> Refreshed:
    """Write all the lists from the rows, then give them their names.

    before: what `count_exposures` said. told: gets the number of lines now and then. force: also take a result that
    is much smaller than what is there.

    Raises Refused when the result looks wrong, or something cannot be written; the old files are as they were then,
    unless the message says otherwise. What reading the rows raises passes through.
    """
    targets = {band: _target(band_list(exposures_list, band)) for band in LISTED_BANDS}
    main = _target(exposures_list)
    with ExitStack() as stack, _plainly(main.parent, "no list was changed"):
        files = {band: stack.enter_context(_new(target)) for band, target in targets.items()}
        file = stack.enter_context(_new(main))
        file.write(HEADER.encode())
        found = _write(rows, file, files, before, told)
        _check(found, exposures_list, force=force)
        for each in (*files.values(), file):
            each.flush()
            os.fsync(each.fileno())
        with _plainly(main.parent, "those that had their name before are new, the others old, and all are whole"):
            for target in (*targets.values(), main):
                _part(target).rename(target)
            for folder in {target.parent for target in (*targets.values(), main)}:
                _sync_folder(folder)
    return found


def _write(
    rows: Iterable[Listed],
    file: IO[bytes],
    files: Mapping[str, IO[bytes]],
    before: int | None,
    told: Callable[[int], None],
) -> Refreshed:
    bands = dict.fromkeys(files, 0)
    exposures = newest = left_out = 0
    for row in rows:
        if row.line is None or row.band is None:
            left_out += 1
            continue
        line = row.line.encode(errors="backslashreplace")
        file.write(line)
        if row.band in files:
            files[row.band].write(line)
            bands[row.band] += 1
        exposures += 1
        newest = row.expnum
        if not exposures % _TELL_EVERY:
            told(exposures)
    told(exposures)
    return Refreshed(exposures=exposures, before=before, newest=newest, left_out=left_out, bands=bands)


def _check(found: Refreshed, exposures_list: Path, *, force: bool) -> None:
    if found.exposures == 0:
        what = f"of {found.left_out} rows none has a band and a date" if found.left_out else "it has no exposures"
        raise Refused(f"the exposure database looks wrong: {what}; no list was changed")
    if not force and found.before is not None and found.exposures < _ENOUGH * found.before:
        raise Refused(
            f"the exposure database has {found.exposures} exposures, {exposures_list} has {found.before}: it looks"
            " half-loaded, and no list was changed. If it is right, `desgw-daemon exposures refresh --force`"
        )


def _target(path: Path) -> Path:
    """Where a link leads: it is the file that is replaced, not the link."""
    return Path(os.path.realpath(path))


def _part(target: Path) -> Path:
    """The new file, always of the same name: what a killed refresh has left is written over by the next one."""
    return target.with_name(f".{target.name}.new")


@contextmanager
def _new(target: Path) -> Iterator[IO[bytes]]:
    """A new file beside the target, with the rights of the old one. It is gone at the end, unless it was renamed."""
    part = _part(target)
    with suppress(FileNotFoundError):
        part.unlink()
    with part.open("xb", buffering=_BUFFER) as file:
        try:
            with suppress(FileNotFoundError):
                os.fchmod(file.fileno(), target.stat().st_mode & 0o777)
            yield file
        except BaseException:
            with suppress(OSError):
                part.unlink()
            with suppress(OSError):  # what did not fit on the disk the first time
                file.close()
            raise


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _plainly(folder: Path, what_is: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = error.filename or folder
        raise Refused(f"{where}: {error.strerror or error}: the lists cannot be written; {what_is}") from error
