"""A real systemd for the tests: Debian's, as the first process of namespaces of its own, without a network.

Made once for a machine (a minute), in $DESGW_SYSTEMD_BASE, by default /var/tmp/desgw-systemd; a box is up in three
seconds, and serves all tests of a pytest process. It dies with that, however it ends; what lies about of one that was
killed is removed by the next. Inside, the program is installed in /opt/desgw as on a
host: a copy of this checkout, in a venv of the Python that runs the tests, and the account desgw with a systemd of its
own.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import pytest

from tests.tools import left_out, needed

_SCRIPTS: Final = Path(__file__).with_name("systemd")
_BASE: Final = Path(os.environ.get("DESGW_SYSTEMD_BASE", "/var/tmp/desgw-systemd"))
_CHECKOUT: Final = Path(__file__).parents[1]
_STARTS_IN_S: Final = 60
_GROUPS: Final = (Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup/systemd"), Path("/sys/fs/cgroup"))
#: The account of the daemon inside.
USER: Final = "desgw"
UID: Final = 5001
PROGRAM: Final = "/opt/desgw/venv/bin/desgw-daemon"
_INSTALL: Final = """
set -euo pipefail
mkdir -p /opt/desgw /etc/desgw-daemon
echo /opt/python/lib >/etc/ld.so.conf.d/python.conf
ldconfig
cp -r /opt/checkout/{desgw_daemon,migrations,systemd,docs,daemon.toml} /opt/desgw
/opt/python/bin/PYTHON -m venv --without-pip /opt/desgw/venv
printf '/opt/site\\n/opt/desgw\\n' >/opt/desgw/venv/lib/PYTHON/site-packages/desgw.pth
printf '#!/opt/desgw/venv/bin/python\\nfrom desgw_daemon.__main__ import main\\nmain()\\n' >PROGRAM
chmod +x PROGRAM
ln -s PROGRAM /usr/local/bin/desgw-daemon
# As pip does: the account may not write there, and would compile it all at every start.
/opt/desgw/venv/bin/python -m compileall -q /opt/desgw/desgw_daemon /opt/desgw/migrations
"""


class Box:
    """One systemd. Commands run inside, as root unless they are to run as somebody else."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._name = _name_of(folder)
        self._process: subprocess.Popen[bytes] | None = None
        self._init = 0

    def start(self) -> None:
        """Boot it, and install the program."""
        site = Path(sys.prefix) / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
        binds = (f"{sys.base_prefix}:/opt/python", f"{site}:/opt/site", f"{_CHECKOUT}:/opt/checkout")
        with (self._folder / "console").open("wb") as console:
            self._process = subprocess.Popen(
                [
                    *("setpriv", "--pdeathsig", "KILL"),
                    *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
                    *("--propagation", "private"),
                    *(_SCRIPTS / "boot.sh", _BASE, self._folder / "place", self._name, *binds),
                ],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.until("it has booted", self._is_up)
        script = _INSTALL.replace("PYTHON", site.parent.name).replace("PROGRAM", PROGRAM)
        self.ok("bash", "-c", script)

    def end(self) -> None:
        """End all its processes at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            _remove_groups(self._folder)

    def run(self, *command: str, user: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command inside."""
        become = ("runuser", "-u", user, "--", "env", f"HOME=/home/{user}") if user else ()
        if user == USER:
            become = (*become, f"XDG_RUNTIME_DIR=/run/user/{UID}")
        return subprocess.run(
            [
                *("nsenter", "-t", str(self._init), "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w", "--"),
                *("/usr/bin/env", "-i", "PATH=/usr/local/bin:/usr/bin:/usr/sbin", "HOME=/root", "LANG=C.UTF-8"),
                *("SYSTEMD_COLORS=0", "SYSTEMD_PAGER=", *become, *command),
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def ok(self, *command: str, user: str | None = None) -> str:
        """Run a command that must succeed; what it printed."""
        done = self.run(*command, user=user)
        assert done.returncode == 0, f"{' '.join(command)}: {done.returncode} {done.stdout} {done.stderr}"
        return done.stdout

    def show(self, unit: str, name: str, *, user: str | None = None) -> str:
        """A property of a unit."""
        manager = ("--user",) if user else ()
        return self.ok("systemctl", *manager, "show", "--value", f"--property={name}", unit, user=user).strip()

    def write(self, path: str, text: str) -> None:
        """A file inside."""
        place = Path(f"/proc/{self._init}/root{path}")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def read(self, path: str) -> str:
        """A file inside."""
        return Path(f"/proc/{self._init}/root{path}").read_text()

    def journal(self, *words: str) -> str:
        """What the journal has of the daemon."""
        return self.ok("journalctl", "--no-pager", "-q", "-u", "desgw-daemon", *words)

    def until(self, what: str, is_so: Callable[[], bool], seconds: float = _STARTS_IN_S) -> None:
        """Wait until something is so. To ask costs more than to wait: what takes long is asked for less often."""
        end, pause = time.monotonic() + seconds, 0.1
        while not is_so():
            assert self._process is not None
            console = (self._folder / "console").read_text(errors="replace")[-2000:]
            assert self._process.poll() is None, f"the box has ended: {console}"
            assert time.monotonic() < end, f"waited in vain until {what}: {console}"
            time.sleep(pause)
            pause = min(1.2 * pause, 0.6)

    def _is_up(self) -> bool:
        if not self._init:
            self._init = self._find_init()
        if not self._init or not Path(f"/proc/{self._init}/root/run/systemd/private").is_socket():
            return False
        state = self.run("systemctl", "is-system-running").stdout.strip()
        if state not in ("running", "degraded"):
            return False
        return self.run("systemctl", "is-active", f"user@{UID}").returncode == 0

    def _find_init(self) -> int:
        assert self._process is not None
        pids = [self._process.pid]
        while pids:
            pid = pids.pop()
            try:
                if Path(f"/proc/{pid}/comm").read_text() == "systemd\n":
                    return pid
                children = Path(f"/proc/{pid}/task").glob("*/children")
                pids += [int(word) for path in children for word in path.read_text().split()]
            except OSError:
                continue
        return 0


def _name_of(folder: Path) -> str:
    """Of the box in this folder, for systemd: a host's name, and a control group's."""
    return "desgw" + folder.name.replace("_", "x")


def _remove_groups(folder: Path) -> None:
    """The control groups of a box, whose processes have been killed but may not be gone yet."""
    end = time.monotonic() + _STARTS_IN_S
    for tree in _GROUPS:
        top = tree / _name_of(folder)
        while top.is_dir() and time.monotonic() < end:
            for path in sorted(top.rglob("*/"), reverse=True):
                with suppress(OSError):
                    path.rmdir()
            with suppress(OSError):
                top.rmdir()
            if top.is_dir():
                time.sleep(0.05)


def own_folder(base: Path = _BASE) -> tuple[Path, int]:
    """A folder for a box, and the lock by which others know that its owner lives."""
    folder = Path(tempfile.mkdtemp(prefix="box-", dir=base))
    (folder / "place").mkdir()
    lock = os.open(folder / "owner", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    return folder, lock


def sweep(base: Path = _BASE) -> list[Path]:
    """Remove what boxes have left whose owner was killed: their mounts went with their processes, the rest did not.

    Only for who holds making.lock: a folder that is being made has no lock of its own yet.
    """
    swept = []
    for folder in sorted(base.glob("box-*")):
        lock = os.open(folder / "owner", os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            _remove_groups(folder)
            shutil.rmtree(folder)
            swept.append(folder)
        finally:
            os.close(lock)
    return swept


@contextmanager
def running_box() -> Iterator[Box]:
    """A box for as long as the block lasts. Where there can be none the test is left out; in CI it fails."""
    if os.geteuid() != 0:
        left_out("a systemd of the tests' own needs root (namespaces)")
    for program, package in (("debootstrap", "debootstrap"), ("systemctl", "systemd"), ("unshare", "util-linux")):
        needed(program, package, "a systemd of the tests' own")
    _BASE.mkdir(parents=True, exist_ok=True)
    with (_BASE / "making.lock").open("ab") as lock, (_BASE / "making.log").open("ab") as log:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = subprocess.run([_SCRIPTS / "make-base.sh", _BASE], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        sweep()
        folder, mine = own_folder()
    box = Box(folder)
    try:
        words = (_BASE / "making.log").read_text(errors="replace")[-2000:]
        assert made.returncode == 0, f"making {_BASE} failed: {words}"
        box.start()
        yield box
    finally:
        box.end()
        shutil.rmtree(folder)
        os.close(mine)


@pytest.fixture(scope="session")
def box() -> Iterator[Box]:
    """A systemd for all tests of this process. What one of them changes in it is put back by it."""
    with running_box() as made:
        yield made
