"""The same night seen from outside: what strace sees of the daemon's process, and cuts there.

Only the daemon's own process is followed: what it starts is let go as soon as it has become another program.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from desgw_daemon.sandbox.build import Sandbox
from tests.crash.nights import CHECKOUT, OUTPUT, environment

#: System calls that change files, and the kind of point that must announce each.
_ON_FILES: Final = {
    **dict.fromkeys(("rename", "renameat", "renameat2"), "rename"),
    "unlink": "unlink",
    "unlinkat": "unlink",
    "rmdir": "rmdir",
    "mkdir": "mkdir",
    "mkdirat": "mkdir",
    "link": "link",
    "linkat": "link",
    "symlink": "symlink",
    "symlinkat": "symlink",
    "truncate": "truncate",
    **dict.fromkeys(("chmod", "fchmod", "fchmodat"), "chmod"),
    **dict.fromkeys(("chown", "fchown", "lchown", "fchownat"), "chown"),
    "utimensat": "utime",
}
_STARTS: Final = ("fork", "vfork", "clone", "clone3")
#: Of the database's own files: only while it is opened, committed to, or closed.
_ON_DATABASE: Final = ("pwrite64", "write", "fsync", "fdatasync", "ftruncate", *_ON_FILES)
_DATABASE: Final = re.compile(r"desgw\.db(?:-wal|-shm|-journal)?$")
_CALL: Final = re.compile(r"(?P<pid>\d+) +(?P<name>\w+)\((?P<rest>.*)", re.DOTALL)
_OPENED: Final = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC")
#: Where the process is cut. What is opened for writing is cut from inside.
CUT_AT: Final = (*_ON_FILES, *_STARTS, "pwrite64", "write", "fsync", "fdatasync", "ftruncate")


def strace() -> str:
    """The program, or a failure that says how to get it."""
    found = shutil.which("strace")
    if found is None:
        pytest.fail("strace is missing, and nothing else sees system calls: apt-get install strace")
    return found


@dataclass(frozen=True, slots=True)
class Call:
    """A system call of the daemon's process: its name, the path of its first file, and the line of the trace."""

    name: str
    path: str
    line: str


def run_traced(sandbox: Sandbox, do: str, trace: Path, *, points: Path | None = None, cut: str | None = None) -> int:
    """One process of a night under strace; its exit code (negative: the signal that ended it).

    points: also log the points of inside. cut: strace's words for where it is to be killed.
    """
    order = {"sandbox": str(sandbox.root), "do": do, "log": points and str(points)}
    calls = [*CUT_AT, *(["openat"] if points else [])]
    command = [strace(), "-f", "-b", "execve", "-y", "-s", "4096" if points else "0", "-o", str(trace)]
    command += ["-e", f"trace={','.join(calls)}", *(["-e", cut] if cut else [])]
    return subprocess.run(
        [*command, sys.executable, "-m", "tests.crash.launcher", json.dumps(order)],
        cwd=CHECKOUT,
        env=environment(),
        check=False,
    ).returncode


def calls_of(trace: Path) -> Iterator[Call]:
    """The calls of the traced process, those of what it starts left out."""
    main = None
    for line in trace.read_text(errors="replace").splitlines():
        match = _CALL.match(line)
        if match is None:
            continue
        main = main or match["pid"]
        if match["pid"] == main:
            yield Call(match["name"], _path(match["name"], match["rest"]), line)


def _path(name: str, rest: str) -> str:
    """The first path among the arguments: a name, perhaps below a folder, or what a descriptor stands for."""
    folder = re.match(r"(?:AT_FDCWD|\d+)(?:<([^>]*)>)?(?:, )?", rest)
    if folder is not None and not name.endswith("at"):
        return folder[1] or ""
    words = re.match(r'"((?:[^"\\]|\\.)*)"', rest[folder.end() :] if folder else rest)
    return str(Path(folder[1] if folder else "/", words[1])) if words else ""


def unannounced(calls: Iterable[Call], points: Path, without: str | None = None) -> list[str]:
    """Side effects that were seen from outside and are not among the points of inside.

    Each point stands in the trace as a write to the file of the points: what follows must be of its kind and on its
    path, once. without: leave the points of this kind out, to see whether they are missed.
    """
    kind, what, own = "", "", False
    written: set[str] = set()
    missed = []
    for call in calls:
        if call.name == "write" and call.path == str(points):
            own = True
            kind, what = _announcement(call)
            if kind == without:
                kind = what = "-"
            if kind == "open":
                written.add(what)
        elif own and kind and not _is_expected(call, kind, what, written):
            missed.append(call.line)
        elif own and kind and call.name in _ON_FILES and not _DATABASE.search(call.path):
            what = ""  # announced once, done once
    return missed


def _announcement(call: Call) -> tuple[str, str]:
    text = re.search(r'"((?:[^"\\]|\\.)*)"', call.line)
    found = re.search(r'\\"kind\\": \\"(\w*)\\", \\"what\\": \\"((?:[^"\\]|\\\\.)*)\\"', text[0] if text else "")
    assert found is not None, call.line
    return found[1], found[2]


def _is_expected(call: Call, kind: str, what: str, written: set[str]) -> bool:
    if _DATABASE.search(call.path) and kind in ("connect", "commit", "close"):
        return True
    if call.name in _STARTS:
        return kind == "spawn"
    if call.name in _ON_FILES:
        return kind == _ON_FILES[call.name] and (call.path == what or what.isdigit())
    if call.name == "openat":
        return not _OPENED.search(call.line) or call.path == os.devnull or (kind == "open" and call.path == what)
    if call.name in ("fsync", "fdatasync") and kind in ("connect", "commit", "close", "open"):
        return True  # of the folder that a new file lies in
    return call.path in written or _is_of_no_account(call)


def _is_of_no_account(call: Call) -> bool:
    """Pipes, files of memory and files without a name go with the process; what it says is the launcher's."""
    path = call.path
    return not path.startswith("/") or path.startswith("/memfd:") or "(deleted)" in call.line or path.endswith(OUTPUT)


def cuts(calls: Iterable[Call]) -> list[tuple[str, int]]:
    """Where to cut: the name of a call, and the how-manieth of its name it is. Of a row of writes to the database's
    log, the first, the middle and the last: until the commit's own the others are of no account.
    """
    seen: Counter[str] = Counter()
    found: list[tuple[str, int]] = []
    row: list[tuple[str, int]] = []
    for call in calls:
        if call.name not in CUT_AT:
            continue
        seen[call.name] += 1
        point = (call.name, seen[call.name])
        if call.name == "pwrite64":
            row.append(point)
            continue
        found += sorted({row[0], row[len(row) // 2], row[-1]}) if row else []
        row = []
        if call.name != "write" or not _is_of_no_account(call):
            found.append(point)
    return found


def at(point: tuple[str, int]) -> str:
    """strace's words for a cut."""
    return f"inject={point[0]}:signal=KILL:when={point[1]}"
