"""One sighting each: an exposure's CCD folders, its forcefiles, one CCD.

Names are matched with the grammar of domain.names; nothing is concluded from them here. What is not
there is a fact (`there` False); whatever else the mount answers is `Unseen`, with its words.
A folder that is a link counts as what it leads to, as it does for post-processing; a file that is a link is none.
"""

from __future__ import annotations

import errno
import os
import re
from datetime import UTC, datetime
from stat import S_ISREG
from typing import Final

from desgw_daemon.domain.facts import (
    CcdSeen,
    FoldersSeen,
    ForcefilesSeen,
    LookRequest,
    SeenFail,
    SeenFile,
    Unseen,
)
from desgw_daemon.domain.names import ccd_of_folder, is_fail, looks_like_output, parse_forcefile
from desgw_daemon.observe.mount import Mount
from desgw_daemon.observe.text import plain_name, plain_text

#: What may be taken for a CCD folder by somebody in a hurry.
_LIKE_CCD_FOLDER: Final = re.compile(r"[ugrizY]_\d", re.ASCII)
#: A folder full of odd names is described by the first of them.
_MOST_ODD: Final = 20
#: Errors that say that there is no such folder, whatever else is at its place.
_NO_FOLDER: Final = frozenset({errno.ENOTDIR, errno.ELOOP})


def see_folders(mount: Mount, root: str, request: LookRequest) -> FoldersSeen | Unseen:
    """The CCD folders in the exposure's dpSEASON folder."""
    at = _now()
    try:
        entries = _listing(mount, f"{root}/{request.key.exp_folder()}")
        if entries is None:
            return FoldersSeen(request.exposure_id, at, False, frozenset())
        ccds, odd = set[int](), []
        for entry in entries:
            ccd = ccd_of_folder(entry.name, request.key.band)
            if ccd is not None and _is_folder(entry):
                ccds.add(ccd)
            elif _LIKE_CCD_FOLDER.match(entry.name):
                odd.append(plain_name(entry.name))
    except OSError as error:
        return Unseen(request.exposure_id, "folders", None, _words(error), at)
    return FoldersSeen(request.exposure_id, at, True, frozenset(ccds), _few(odd))


def see_forcefiles(mount: Mount, root: str, request: LookRequest) -> ForcefilesSeen | Unseen:
    """Every file in the exposure's forcephoto folder, with the sizes that are not known yet."""
    files, odd = [], []
    try:
        entries = _listing(mount, f"{root}/{request.key.forcephoto_folder()}")
        if entries is None:
            return ForcefilesSeen(request.exposure_id, _now(), False, ())
        for entry in entries:
            wanted = parse_forcefile(entry.name, request.key.expnum) is not None
            if not entry.is_file(follow_symlinks=False):
                if wanted:
                    odd.append(_not_a_file(entry))
            elif (file := _file(mount, entry, ask=wanted, known=request.known_sizes)) is not None:
                files.append(file)
    except OSError as error:
        return Unseen(request.exposure_id, "forcefiles", None, _words(error), _now())
    return ForcefilesSeen(request.exposure_id, _now(), True, _by_name(files), _few(odd))


def see_ccd(mount: Mount, root: str, request: LookRequest, ccd: int) -> CcdSeen | Unseen:
    """The tarballs and FAIL files in one CCD's folder."""
    at = _now()
    own = request.key.tarball(ccd)
    tarballs, others, fails, odd = [], [], [], []
    folder = f"{root}/{request.key.ccd_folder(ccd)}"
    try:
        entries = _listing(mount, folder)
        if entries is None:
            return CcdSeen(request.exposure_id, ccd, at, False)
        for entry in entries:
            if is_fail(entry.name):
                fails.append(_fail(mount, entry, request.known_fails.get((ccd, plain_name(entry.name)))))
            elif not looks_like_output(entry.name):
                continue
            elif not entry.is_file(follow_symlinks=False):
                odd.append(_not_a_file(entry))
            elif entry.name != own:
                others.append(SeenFile(plain_name(entry.name), None, None))
            elif (file := _file(mount, entry, ask=True, known=request.known_sizes)) is not None:
                tarballs.append(file)
    except OSError as error:
        if error.errno in _NO_FOLDER:
            words = f"{plain_name(folder)}: {error.strerror}"
            return CcdSeen(request.exposure_id, ccd, at, False, odd=(words,))
        return Unseen(request.exposure_id, "ccd", ccd, _words(error), at)
    if len(others) > _MOST_ODD:
        odd.append(f"{len(others)} files outputs_* of others")
    tarballs += _by_name(others)[:_MOST_ODD]
    signs = tuple(sorted(fails, key=lambda fail: fail.name))
    return CcdSeen(request.exposure_id, ccd, at, True, _by_name(tarballs), signs, _few(odd))


def root_problem(mount: Mount, root: str) -> str | None:
    """Why nothing below the root can be believed, or None.

    An empty root is a mount point with nothing mounted: every exposure would look absent.
    """
    try:
        if mount.is_empty(root):
            return f"{root} is empty: is it mounted?"
    except OSError as error:
        return _words(error)
    return None


def _listing(mount: Mount, path: str) -> list[os.DirEntry[str]] | None:
    """What is in a folder; None when there is nothing at its place. Raises OSError."""
    try:
        return mount.listing(path)
    except FileNotFoundError:
        return None


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that loops, or leads to where nobody may go
        return False


def _file(mount: Mount, entry: os.DirEntry[str], *, ask: bool, known: frozenset[str]) -> SeenFile | None:
    """The file with its size, unless that is known or of no use; None if it cannot be seen yet.

    dCache may list a file that this host cannot see yet: it is not there yet.
    """
    name = plain_name(entry.name)
    if not ask or name in known:
        return SeenFile(name, None, None)
    try:
        stat = mount.stat(entry)
    except FileNotFoundError:
        return None
    return SeenFile(name, stat.st_size, stat.st_mtime)


def _fail(mount: Mount, entry: os.DirEntry[str], known: tuple[int, float] | None) -> SeenFail:
    """The FAIL with its text, unless that has been read.

    A FAIL that is listed and cannot be seen (FileNotFoundError) makes the whole CCD unseen: without it
    the tarball beside it would pass for a success. One whose text cannot be read still counts, and so does what has
    a FAIL's name and is no file: it is not opened.
    """
    stat = mount.stat(entry)
    body: str | None = None
    if not S_ISREG(stat.st_mode):
        pass
    elif stat.st_size == 0:
        body = ""  # still being written: opening it could block
    elif known != (stat.st_size, stat.st_mtime):
        try:
            body = plain_text(mount.start_of(entry.path))
        except OSError:
            body = None
    return SeenFail(plain_name(entry.name), stat.st_size, stat.st_mtime, body)


def _not_a_file(entry: os.DirEntry[str]) -> str:
    kind = "a link" if entry.is_symlink() else "a folder" if entry.is_dir() else "no plain file"
    return f"{plain_name(entry.name)} ({kind})"


def _by_name(files: list[SeenFile]) -> tuple[SeenFile, ...]:
    return tuple(sorted(files, key=lambda file: file.name))


def _few(odd: list[str]) -> tuple[str, ...]:
    more = (f"and {len(odd) - _MOST_ODD} more",) if len(odd) > _MOST_ODD else ()
    return (*sorted(odd)[:_MOST_ODD], *more)


def _words(error: OSError) -> str:
    name = errno.errorcode.get(error.errno or 0, "error")
    return f"{plain_name(str(error.filename or 'the mount'))}: {error.strerror or error} ({name})"


def _now() -> datetime:
    return datetime.now(UTC)
