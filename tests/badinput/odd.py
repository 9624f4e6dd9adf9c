"""Odd things on /pnfs: each function spoils one CCD (or folder) of an exposure whose jobs have all ended well."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.observe.tree import Exposure

#: The CCD that is spoilt.
CCD: Final = 5
FAIL: Final = "RUN18_combined+expose_hotpants.FAIL"
STRAYS: Final = 10_000

Spoil = Callable[[Exposure], None]


def _away(path: Path) -> Path:
    """Move something out of /pnfs; where it is now."""
    root = next(parent for parent in path.parents if parent.name == "pnfs")
    elsewhere = root.parent / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    return path.rename(elsewhere / f"{len(list(elsewhere.iterdir()))}")


def _file(path: Path) -> None:
    _away(path)
    path.write_text("?")


def _pipe(path: Path) -> None:
    _away(path)
    os.mkfifo(path)


def _socket(path: Path) -> None:
    _away(path)
    with socket.socket(socket.AF_UNIX) as bound:
        # The whole path may be longer than a socket's name can be.
        there = os.open(path.parent, os.O_RDONLY)
        bound.bind(f"/proc/self/fd/{there}/{path.name}")
        os.close(there)


def _loop(path: Path) -> None:
    _away(path)
    path.symlink_to(path)


def _link(path: Path) -> None:
    path.symlink_to(_away(path))


def _folder(path: Path) -> None:
    _away(path)
    path.mkdir()


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _renamed(exposure: Exposure, old: str, new: str) -> None:
    tarball = exposure.tarball(CCD)
    tarball.rename(tarball.with_name(tarball.name.replace(old, new)))


def _fail(exposure: Exposure, name: str = FAIL) -> Path:
    return exposure.ccd(CCD) / name


def _large_fail(exposure: Exposure) -> None:
    with _fail(exposure).open("wb") as file:
        file.write(b"hotpants \x1b[31mdied\x1b[0m\xff\x00\n")
        file.truncate(100_000_000)


def _fail_without_permission(exposure: Exposure) -> None:
    _fail(exposure).write_text("hotpants died\n")
    _fail(exposure).chmod(0)


def _stray_names(exposure: Exposure) -> None:
    for name in ("new\nline", "$(touch x)", "`x`", os.fsdecode(b"\xff\xfe"), "a'b\"c", "\x1b[31m", "x" * 200):
        (exposure.forcephoto / f"{name}.fits").write_text("x")
        (exposure.forcephoto / f"_{exposure.expnum}_{name}_i_99+fakeSN_diff.fits").write_text("x")
        (exposure.ccd(CCD) / f"outputs_{name}.tar.gz").write_text("x")
        (exposure.folder / f"i_0{name}").mkdir()


def _many_strays(exposure: Exposure) -> None:
    for number in range(STRAYS):
        (exposure.ccd(CCD) / f"outputs_{number}.tar.gz").touch()
        (exposure.forcephoto / f"core_i_05.{number}.fits").touch()


def _gone(exposure: Exposure) -> None:
    _away(exposure.folder)


#: In these the CCD has no folder.
NO_FOLDER: Final[dict[str, Spoil]] = {
    "a file": lambda e: _file(e.ccd(CCD)),
    "a pipe": lambda e: _pipe(e.ccd(CCD)),
    "a socket": lambda e: _socket(e.ccd(CCD)),
    "a link that loops": lambda e: _loop(e.ccd(CCD)),
}
#: In these it has no tarball of its own. What its reason must name.
NO_TARBALL: Final[dict[str, tuple[Spoil, str]]] = {
    "a folder": (lambda e: _folder(e.tarball(CCD)), "_i_05.tar.gz (a folder)"),
    "a link": (lambda e: _link(e.tarball(CCD)), "_i_05.tar.gz (a link)"),
    "of another nite": (lambda e: _renamed(e, "20200304", "20200305"), "outputs_dp2206_20200305"),
    "of another season": (lambda e: _renamed(e, "dp2206", "dp2207"), "outputs_dp2207_"),
    "half copied": (lambda e: _renamed(e, ".gz", ".gz.part"), ".tar.gz.part"),
    "empty": (lambda e: _empty(e.tarball(CCD)), "its tarball is still empty"),
}
#: In these it has failed.
FAILED: Final[dict[str, Spoil]] = {
    "a pipe": lambda e: os.mkfifo(_fail(e)),
    "a folder": lambda e: _fail(e).mkdir(),
    "a dangling link": lambda e: _fail(e).symlink_to("/nowhere"),
    "blanks and newlines": lambda e: _fail(e, "RUN18_two words\n.FAIL").touch(),
    "100 MB": _large_fail,
    "no permission": _fail_without_permission,
}
#: In these nothing is wrong that matters.
HARMLESS: Final[dict[str, Spoil]] = {
    "nothing at all": lambda e: None,
    "a CCD behind a link": lambda e: _link(e.ccd(CCD)),
    "forcefiles behind a link": lambda e: _link(e.forcephoto),
    "all CCDs behind a link": lambda e: _link(e.folder),
    "names for a shell": _stray_names,
    "10,000 stray files": _many_strays,
}
#: In these a part cannot be seen. The path that must be named.
UNSEEN: Final[dict[str, tuple[Spoil, Callable[[Exposure], Path]]]] = {
    "no permission for a CCD": (lambda e: e.ccd(CCD).chmod(0), lambda e: e.ccd(CCD)),
    "no permission for its CCDs": (lambda e: e.folder.chmod(0), lambda e: e.folder),
    "no permission for its forcefiles": (lambda e: e.forcephoto.chmod(0), lambda e: e.forcephoto),
    "a file for its CCDs": (lambda e: _file(e.folder), lambda e: e.folder),
    "a loop for its CCDs": (lambda e: _loop(e.folder), lambda e: e.folder),
    "a file for its forcefiles": (lambda e: _file(e.forcephoto), lambda e: e.forcephoto),
    "a loop for its forcefiles": (lambda e: _loop(e.forcephoto), lambda e: e.forcephoto),
}
#: In these forcefiles are lacking. What is said to be missing.
LACKING: Final[dict[str, tuple[Spoil, str]]] = {
    "a dangling link": (lambda e: _link_to_nowhere(e.pair(CCD)[0]), "i_05 .fits"),
    "a folder": (lambda e: _folder(e.pair(CCD)[1]), "i_05 .psf"),
    "empty": (lambda e: _empty(e.pair(CCD)[1]), "i_05 .psf (empty)"),
}


def _link_to_nowhere(path: Path) -> None:
    _away(path)
    path.symlink_to("/nowhere")


def undo_permissions(root: Path) -> None:
    """Let whoever tidies up in."""
    for folder, names, _ in os.walk(root):
        for name in names:
            path = Path(folder) / name
            if not path.is_symlink() and not path.stat().st_mode & 0o700:
                path.chmod(0o700)
    shutil.rmtree(root.parent / "elsewhere", ignore_errors=True)
