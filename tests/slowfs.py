"""A slow folder that may hang: what is in a real one, read-only, through a FUSE mount that this program serves.

    python -m tests.slowfs FOLDER MOUNTPOINT SOCKET [--ms 2] [--cache nfs|none]

It speaks the kernel's protocol on /dev/fuse with the standard library alone; it needs root. Whoever connects to
SOCKET gives one order, a line of JSON, and is answered with one line, the state (see Orders). SIGTERM, or the death of
whoever started it, lets everything go and unmounts.

A request that the kernel has handed over and that nobody answers cannot be given up: its process survives SIGKILL
until the answer comes. That is a hang that nothing can kill. In one that can be killed (an NFS mount's) the interrupt
that the kernel tells of is answered with EINTR.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import errno
import heapq
import json
import os
import select
import signal
import socket
import stat
import struct
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final, NamedTuple

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
#: Seconds before an answer is due from which on it is awaited awake: on a machine that sleeps deeply waking up may take
#: a tenth of a millisecond, and the mount would be slower than it is told to be.
_AWAKE: Final = 0.0003
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


class Request(NamedTuple):
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
        self.seconds = seconds
        self.counts: Counter[str] = Counter()
        self._hanging: list[tuple[str, bool]] = []
        self._held: dict[int, tuple[Request, bool]] = {}
        self._failing: dict[str, int] = {}

    def passes(self, request: Request, path: str) -> bool:
        """False if it is held back. Raises the OSError that it was told to answer."""
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
        if unique not in self._held or not self._held[unique][1]:
            return False
        del self._held[unique]
        return True

    def release(self) -> list[Request]:
        """Nothing hangs or fails any more: the requests that waited."""
        let_go = [request for request, _ in self._held.values()]
        self._hanging, self._held, self._failing = [], {}, {}
        return let_go

    def obey(self, order: dict[str, Any]) -> dict[str, Any]:
        """Do it, and say how things stand."""
        match order["do"]:
            case "hang":
                self._hanging.append((order["under"].strip("/"), order["killable"]))
            case "fail":
                self._failing[order["under"].strip("/")] = order["error"]
            case "reset":
                self.counts.clear()
            case "slow":
                self.seconds = order["ms"] / 1e3
        return {"counts": dict(self.counts), "held": len(self._held)}


class Server:
    """Answers the kernel, and obeys.

    One thread does it all: several would take turns at the interpreter, and each turn would make the mount later than
    it is told to be. What has yet to wait lies in a heap by the time of its answer.
    """

    def __init__(self, folder: str, orders: Orders, *, nfs: bool) -> None:
        self._folder, self._orders, self._nfs = folder, orders, nfs
        self.device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
        #: When it is to be answered, a number in the order of arrival, what.
        self._waiting: list[tuple[float, int, Request]] = []
        self._arrived = 0
        #: Paths below the folder. A node is never forgotten: trees of tests are small.
        self._paths: dict[int, str] = {1: ""}
        self._nodes: dict[str, int] = {"": 1}
        self._open: dict[int, int | list[tuple[str, int, int]]] = {}
        self._last_handle = 0
        self._mtimes: dict[str, int] = {}
        #: One for good: with a new one each time the kernel maps it anew.
        self._message = bytearray(_LONGEST_REQUEST)

    def serve(self, door: socket.socket) -> None:
        """Until it is unmounted."""
        while True:
            wait = max(0.0, self._waiting[0][0] - time.monotonic() - _AWAKE) if self._waiting else None
            # Not a selector: those round up to whole milliseconds.
            ready, _, _ = select.select([self.device, door.fileno()], [], [], wait)
            if self.device in ready and not self._take():
                return
            self._answer_those_due()
            if door.fileno() in ready:
                self._obey(door.accept()[0])

    def release(self) -> None:
        """Answer all that hangs."""
        for request in self._orders.release():
            self._answer(request)

    def _obey(self, caller: socket.socket) -> None:
        """The one order of a caller, who may have gone by now."""
        with caller, caller.makefile("rw") as lines, contextlib.suppress(BrokenPipeError, ConnectionResetError):
            line = lines.readline()
            if not line:
                return
            order = json.loads(line)
            if order["do"] == "release":
                self.release()
            lines.write(json.dumps(self._orders.obey(order)) + "\n")

    def _take(self) -> bool:
        """All that the kernel asks at the moment; False if the mount has gone."""
        while True:
            try:
                length = os.readv(self.device, [self._message])
            except OSError as error:
                if error.errno == errno.EAGAIN:
                    return True
                if error.errno in (errno.EINTR, errno.ENOENT):
                    continue
                return False
            _, what, unique, node, *_ = _IN.unpack_from(self._message)
            request = Request(what, unique, node, bytes(self._message[_IN.size : length]))
            if what == INTERRUPT:
                (other,) = struct.unpack_from("<Q", request.body)
                if self._orders.interrupted(other):
                    self._say(other, -errno.EINTR, b"")
            elif what in (FORGET, BATCH_FORGET):
                pass
            elif not self._is_round_trip(request):
                self._answer(request)
            else:
                self._orders.counts[ROUND_TRIPS[what]] += 1
                self._arrived += 1
                due = time.monotonic() + self._orders.seconds
                heapq.heappush(self._waiting, (due, self._arrived, request))

    def _answer_those_due(self) -> None:
        """Those whose time is over, unless they are held back or are to fail."""
        now = time.monotonic()
        while self._waiting and self._waiting[0][0] <= now:
            request = heapq.heappop(self._waiting)[2]
            try:
                if self._orders.passes(request, self._path(request)):
                    self._answer(request)
            except OSError as error:
                self._say(request.unique, -(error.errno or errno.EIO), b"")

    def _is_round_trip(self, request: Request) -> bool:
        """The end of a listing comes with its last part."""
        if request.what == READDIR:
            handle, offset = struct.unpack_from("<QQ", request.body)
            entries = self._open[handle]
            return offset == 0 or (isinstance(entries, list) and offset < len(entries))
        return request.what in ROUND_TRIPS

    def _path(self, request: Request) -> str:
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
        node = self._nodes.setdefault(path, len(self._nodes) + 1)
        self._paths[node] = path
        believed = self._believed(seen)
        return struct.pack("<4Q2I", node, 0, believed, believed, 0, 0) + _attributes(seen)

    def _handle(self, thing: int | list[tuple[str, int, int]]) -> int:
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


class _End(Exception):
    """SIGTERM or SIGINT."""


def _end(_number: int, _frame: object) -> None:
    raise _End


def main() -> None:
    """Mount, serve until told to end, unmount."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("mountpoint", type=Path)
    arguments.add_argument("socket", type=Path)
    arguments.add_argument("--ms", type=float, default=0.0)
    arguments.add_argument("--cache", choices=("nfs", "none"), default="none")
    given = arguments.parse_args()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
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
    print("mounted", flush=True)
    with contextlib.suppress(_End):
        server.serve(door)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    server.release()
    os.close(server.device)  # whoever still waits is told that the mount has gone
    _LIBC.umount2(mountpoint, _DETACH)


if __name__ == "__main__":
    main()
