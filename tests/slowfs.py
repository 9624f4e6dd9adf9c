"""A slow folder that may hang: what is in a real one, read-only, through a FUSE mount that this program serves.

    python -m tests.slowfs FOLDER MOUNTPOINT SOCKET [--ms 2] [--cache nfs|none]

It speaks the kernel's protocol on /dev/fuse with the standard library alone; it needs root. Each line that comes over
SOCKET is a JSON order, and is answered with one line, the state (see Orders). SIGTERM, or the death of
whoever started it, lets everything go and unmounts.

A request that the kernel has handed over and that nobody answers cannot be given up: its process survives SIGKILL
until the answer comes. That is a hang that nothing can kill. In one that can be killed (an NFS mount's) the interrupt
that the kernel tells of is answered with EINTR.
"""

from __future__ import annotations

import argparse
import ctypes
import errno
import json
import os
import signal
import socket
import stat
import struct
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

#: Operations of the protocol (linux/fuse.h) that are served.
LOOKUP, FORGET, GETATTR, READLINK, OPEN, READ, STATFS, RELEASE = 1, 2, 3, 5, 14, 15, 17, 18
FLUSH, INIT, OPENDIR, READDIR, RELEASEDIR, INTERRUPT, DESTROY, BATCH_FORGET = 25, 26, 27, 28, 29, 36, 38, 42
#: Those that go over the network of a real mount: they take time, are counted, and may hang.
ROUND_TRIPS: Final = {
    LOOKUP: "lookup",
    GETATTR: "getattr",
    READLINK: "readlink",
    OPEN: "open",
    READ: "read",
    OPENDIR: "opendir",
    READDIR: "readdir",
}
#: Those that would change something.
WRITES: Final = frozenset({4, 6, 8, 9, 10, 11, 12, 13, 16, 20, 21, 24, 35, 43, 45})
#: A Linux NFS client's defaults (acdirmin, acregmin): seconds for which a folder's and a file's attributes hold.
NFS_FOLDER, NFS_FILE = 30, 3
#: Twice what the worker has at once by default; a call that hangs holds none of them.
THREADS: Final = 16

_IN: Final = struct.Struct("<IIQQIIIHH")
_OUT: Final = struct.Struct("<IiQ")
_ATTR: Final = struct.Struct("<6Q10I")
_NODEV_NOSUID_RDONLY: Final = 1 | 2 | 4
_DETACH: Final = 2
_DIE_WITH_PARENT, _TIMER_SLACK = 1, 29
#: The kernel wants room for what it might send, although nothing here can be written.
_LONGEST_REQUEST: Final = 1 << 16
#: Answers to INIT: reads and lookups in a folder may be asked side by side.
_WANTED_FLAGS: Final = 1 | 1 << 18
_CACHE_DIR, _KEEP_CACHE = 1 << 3, 1 << 1
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Request:
    """One question of the kernel."""

    what: int
    unique: int
    node: int
    body: bytes


class Orders:
    """What holds at the moment: how slow, what hangs, what was counted.

    hang: ``{"do": "hang", "under": "a/folder", "killable": true}``, "" for everything. fail: ``"under"``, ``"error"``,
    the errno that everything there is answered with. release (both), reset (the counts), slow (``"ms"``), state.
    """

    def __init__(self, seconds: float) -> None:
        self._lock = threading.Lock()
        self._seconds = seconds
        self._hanging: list[tuple[str, bool]] = []
        self._held: dict[int, tuple[Request, bool]] = {}
        self._failing: dict[str, int] = {}
        self._counts: Counter[str] = Counter()
        self._answer: Callable[[Request], None] = lambda request: None

    def served_by(self, answer: Callable[[Request], None]) -> None:
        """Who answers requests that are let go."""
        self._answer = answer

    def passes(self, request: Request, path: str) -> bool:
        """Count it, and let its time pass; False if it is held back. Raises the OSError that it was told to answer."""
        name = ROUND_TRIPS[request.what]
        with self._lock:
            self._counts[name] += 1
            seconds = self._seconds
        if seconds:
            time.sleep(seconds)
        with self._lock:
            for under, killable in self._hanging:
                if _is_below(path, under):
                    self._held[request.unique] = request, killable
                    return False
            for under, error in self._failing.items():
                if _is_below(path, under):
                    raise OSError(error, os.strerror(error))
        return True

    def interrupted(self, unique: int) -> bool:
        """Whether a held request may be given up, as its process was sent a signal."""
        with self._lock:
            if unique not in self._held or not self._held[unique][1]:
                return False
            del self._held[unique]
            return True

    def obey(self, order: dict[str, Any]) -> dict[str, Any]:
        """Do it, and say how things stand."""
        let_go: list[Request] = []
        with self._lock:
            match order["do"]:
                case "hang":
                    self._hanging.append((order["under"].strip("/"), order["killable"]))
                case "fail":
                    self._failing[order["under"].strip("/")] = order["error"]
                case "release":
                    let_go = [request for request, _ in self._held.values()]
                    self._hanging, self._held, self._failing = [], {}, {}
                case "reset":
                    self._counts.clear()
                case "slow":
                    self._seconds = order["ms"] / 1e3
            state = {"counts": dict(self._counts), "held": len(self._held)}
        for request in let_go:
            self._answer(request)
        return state


class Server:
    """Answers the kernel."""

    def __init__(self, folder: str, orders: Orders, *, nfs: bool) -> None:
        self._folder, self._orders, self._nfs = folder, orders, nfs
        orders.served_by(self._answer)
        self.device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        self._lock = threading.Lock()
        #: Paths below the folder. A node is never forgotten: trees of tests are small.
        self._paths: dict[int, str] = {1: ""}
        self._nodes: dict[str, int] = {"": 1}
        self._open: dict[int, int | list[tuple[str, int, int]]] = {}
        self._last_handle = 0
        self._mtimes: dict[str, int] = {}

    def serve(self) -> None:
        """Until it is unmounted; several threads may."""
        message = bytearray(_LONGEST_REQUEST)  # one for good: with a new one each time the kernel maps it anew
        while True:
            try:
                length = os.readv(self.device, [message])
            except OSError as error:
                if error.errno in (errno.EINTR, errno.EAGAIN, errno.ENOENT):
                    continue
                return
            _, what, unique, node, *_ = _IN.unpack_from(message)
            request = Request(what, unique, node, bytes(message[_IN.size : length]))
            if what == INTERRUPT:
                (other,) = struct.unpack_from("<Q", request.body)
                if self._orders.interrupted(other):
                    self._say(other, -errno.EINTR, b"")
            elif what in (FORGET, BATCH_FORGET):
                pass
            else:
                self._ask(request)

    def _ask(self, request: Request) -> None:
        """Answer it, unless it is held back or is to fail."""
        try:
            if self._is_round_trip(request) and not self._orders.passes(request, self._path(request)):
                return
        except OSError as error:
            self._say(request.unique, -(error.errno or errno.EIO), b"")
        else:
            self._answer(request)

    def _is_round_trip(self, request: Request) -> bool:
        """The end of a listing comes with its last part."""
        if request.what == READDIR:
            handle, offset = struct.unpack_from("<QQ", request.body)
            entries = self._open[handle]
            return offset == 0 or (isinstance(entries, list) and offset < len(entries))
        return request.what in ROUND_TRIPS

    def _path(self, request: Request) -> str:
        with self._lock:
            path = self._paths.get(request.node, "")  # INIT and STATFS are about none
        if request.what == LOOKUP:
            return f"{path}/{os.fsdecode(request.body.rstrip(bytes(1)))}".lstrip("/")
        return path

    def _answer(self, request: Request) -> None:
        try:
            self._say(request.unique, 0, self._do(request))
        except OSError as error:
            self._say(request.unique, -(error.errno or errno.EIO), b"")

    def _say(self, unique: int, error: int, body: bytes) -> None:
        try:
            os.write(self.device, _OUT.pack(_OUT.size + len(body), error, unique) + body)
        except OSError as failure:
            if failure.errno not in (errno.ENOENT, errno.ENODEV):  # nobody waits for it any more
                raise

    def _do(self, request: Request) -> bytes:
        body, path = request.body, self._path(request)
        real = f"{self._folder}/{path}"
        match request.what:
            case 26:  # INIT
                _, minor, readahead, flags = struct.unpack_from("<4I", body)
                chosen = flags & _WANTED_FLAGS
                return struct.pack("<4I2H2I2H32x", 7, min(minor, 31), readahead, chosen, 64, 48, 4096, 1, 32, 0)
            case 1:  # LOOKUP
                return self._entry(path, real)
            case 3:  # GETATTR
                seen = os.lstat(real)
                return struct.pack("<QII", self._believed(seen), 0, 0) + _attributes(seen)
            case 5:  # READLINK
                return os.fsencode(Path(real).readlink())
            case 14:  # OPEN
                return struct.pack("<QII", self._handle(os.open(real, os.O_RDONLY)), 0, 0)
            case 15:  # READ
                handle, offset, size = struct.unpack_from("<QQI", body)
                file = self._open[handle]
                return os.pread(file, size, offset) if isinstance(file, int) else b""
            case 27:  # OPENDIR
                return self._opened_folder(path, real)
            case 28:  # READDIR
                return self._listing(*struct.unpack_from("<QQI", body))
            case 18 | 29:  # RELEASE, RELEASEDIR
                file = self._open.pop(struct.unpack_from("<Q", body)[0])
                if isinstance(file, int):
                    os.close(file)
                return b""
            case 17:  # STATFS
                return struct.pack("<5Q4I24x", 1 << 20, 1 << 20, 1 << 20, 1 << 20, 1 << 20, 4096, 255, 4096, 0)
            case 25 | 38:  # FLUSH, DESTROY
                return b""
        raise OSError(errno.EROFS if request.what in WRITES else errno.ENOSYS, "")

    def _believed(self, seen: os.stat_result) -> int:
        if not self._nfs:
            return 0
        return NFS_FOLDER if stat.S_ISDIR(seen.st_mode) else NFS_FILE

    def _entry(self, path: str, real: str) -> bytes:
        try:
            seen = os.lstat(real)
        except FileNotFoundError:
            if not self._nfs:
                raise
            return struct.pack("<4Q2I", 0, 0, NFS_FOLDER, 0, 0, 0) + bytes(_ATTR.size)  # an absence is believed too
        with self._lock:
            node = self._nodes.setdefault(path, len(self._nodes) + 1)
            self._paths[node] = path
        believed = self._believed(seen)
        return struct.pack("<4Q2I", node, 0, believed, believed, 0, 0) + _attributes(seen)

    def _handle(self, thing: int | list[tuple[str, int, int]]) -> int:
        with self._lock:
            self._last_handle += 1
            self._open[self._last_handle] = thing
            return self._last_handle

    def _opened_folder(self, path: str, real: str) -> bytes:
        """As an NFS client: opening asks whether the folder has changed; what was listed is kept if it has not."""
        with os.scandir(real) as found:
            entries = [(entry.name, entry.inode(), _kind(entry)) for entry in found]
        flags = 0
        if self._nfs:
            mtime = Path(real).stat().st_mtime_ns
            flags = _CACHE_DIR | (_KEEP_CACHE if self._mtimes.get(path) == mtime else 0)
            self._mtimes[path] = mtime
        return struct.pack("<QII", self._handle([(".", 1, 4), ("..", 1, 4), *entries]), flags, 0)

    def _listing(self, handle: int, offset: int, size: int) -> bytes:
        entries, out = self._open[handle], b""
        assert isinstance(entries, list)
        for number, (name, inode, kind) in enumerate(entries[offset:], offset + 1):
            raw = os.fsencode(name)
            entry = struct.pack("<QQII", inode, number, len(raw), kind) + raw + bytes(-len(raw) % 8)
            if len(out) + len(entry) > size:
                break
            out += entry
        return out


def _is_below(path: str, under: str) -> bool:
    return not under or path == under or path.startswith(under + "/")


def _kind(entry: os.DirEntry[str]) -> int:
    return 10 if entry.is_symlink() else 4 if entry.is_dir() else 8


def _attributes(seen: os.stat_result) -> bytes:
    times = (seen.st_atime_ns, seen.st_mtime_ns, seen.st_ctime_ns)
    return _ATTR.pack(
        *(seen.st_ino, seen.st_size, seen.st_blocks),
        *(each // 10**9 for each in times),
        *(each % 10**9 for each in times),
        *(seen.st_mode, seen.st_nlink, seen.st_uid, seen.st_gid, 0, 4096, 0),
    )


def _listen(door: socket.socket, orders: Orders) -> None:
    while True:
        caller, _ = door.accept()
        with caller, caller.makefile("rw") as lines:
            for line in lines:
                lines.write(json.dumps(orders.obey(json.loads(line))) + "\n")
                lines.flush()


def _give_up(failure: threading.ExceptHookArgs) -> None:
    """Nobody must wait for an answer that a bug here has lost."""
    sys.stderr.write(f"{failure.exc_type.__name__}: {failure.exc_value}\n")
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Mount, serve until told to end, unmount."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("mountpoint", type=Path)
    arguments.add_argument("socket", type=Path)
    arguments.add_argument("--ms", type=float, default=0.0)
    arguments.add_argument("--cache", choices=("nfs", "none"), default="none")
    given = arguments.parse_args()
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT))
    _LIBC.prctl(_DIE_WITH_PARENT, signal.SIGTERM)
    _LIBC.prctl(_TIMER_SLACK, 1)  # nanoseconds; its default makes each sleep longer by 50 microseconds
    orders = Orders(given.ms / 1e3)
    server = Server(str(given.folder.resolve()), orders, nfs=given.cache == "nfs")
    mountpoint = os.fsencode(given.mountpoint.resolve())
    options = f"fd={server.device},rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions".encode()
    door = socket.socket(socket.AF_UNIX)
    door.bind(str(given.socket))
    door.listen()
    if _LIBC.mount(b"slowfs", mountpoint, b"fuse.slowfs", _NODEV_NOSUID_RDONLY, options):
        sys.exit(f"mount: {os.strerror(ctypes.get_errno())}")
    threading.excepthook = _give_up
    for _ in range(THREADS):
        threading.Thread(target=server.serve, daemon=True).start()
    threading.Thread(target=_listen, args=(door, orders), daemon=True).start()
    print("mounted", flush=True)
    signal.sigwait((signal.SIGTERM, signal.SIGINT))
    orders.obey({"do": "release"})
    _LIBC.umount2(mountpoint, _DETACH)
    os._exit(0)  # the device is closed: whoever still waits is told that the mount has gone


if __name__ == "__main__":
    main()
