"""A real HTCondor pool for the tests: Debian's minihtcondor in a chroot, in namespaces of its own, on loopback.

Each pytest process has a pool of its own: a test may freeze its schedd, and no other test notices. The chroot is made
once for a machine (a minute), in $DESGW_CONDOR_BASE, by default /var/tmp/desgw-condor, and used again; a pool is up in
two seconds. It dies with the pytest process, however that ends.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from tests.tools import left_out, needed

_SCRIPTS: Final = Path(__file__).with_name("condor")
_BASE: Final = Path(os.environ.get("DESGW_CONDOR_BASE", "/var/tmp/desgw-condor"))
_STARTS_IN_S: Final = 120
#: DAGMan runs its own job in the scheduler universe.
DAGS: Final = "JobUniverse == 7"
#: What stands in the pool's bin folder.
_PROGRAMS: Final = (
    "condor_config_val",
    "condor_history",
    "condor_hold",
    "condor_q",
    "condor_qedit",
    "condor_release",
    "condor_rm",
    "condor_status",
    "condor_submit",
    "condor_submit_dag",
    "condor_version",
    "condor_wait",
)


class Pool:
    """One pool. A path below `work` is the same inside and outside."""

    #: The name of its schedd.
    schedd: Final = "desgwpool.test"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.work = folder / "work"
        self._frozen: list[int] = []
        self._season = 2999
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, root: Path) -> None:
        """Bring it up, and wait until a job could be run."""
        port = _free_port()
        config = (_SCRIPTS / "pool.config").read_text()
        config = config.replace("@POOL@", str(self.folder)).replace("@PORT@", str(port))
        (self.folder / "condor_config").write_text(config)
        self.bin.mkdir()
        inside = _SCRIPTS / "in-pool.sh"
        for program in _PROGRAMS:
            wrapper = self.bin / program
            wrapper.write_text(f'#!/bin/bash\nexec {inside} {self.folder} {program} "$@"\n')
            wrapper.chmod(0o755)
        with (self.folder / "pool.out").open("wb") as output:
            # It dies with this process, and everything in its namespaces with it.
            self._process = subprocess.Popen(
                [
                    *("setpriv", "--pdeathsig", "KILL"),
                    *("unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--propagation", "private"),
                    *(_SCRIPTS / "run-pool.sh", root, self.folder.parent, self.folder),
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        (self.folder / "pool.pid").write_text(f"{self._process.pid}\n")
        self._until("its first process runs", lambda: bool(_children(self._pid)))
        (self.folder / "init.pid").write_text(f"{_children(self._pid)[0]}\n")
        self._until("it has slots", lambda: self._says("condor_status", "-af", "Name") != "")
        self.until_schedd_answers()

    def end(self) -> None:
        """End all its processes at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            init = int((self.folder / "init.pid").read_text())
            _until_gone(init)
            self._process = None

    @property
    def _pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def environment(self, **more: str) -> dict[str, str]:
        """An environment in which the pool's commands are found first."""
        return {**os.environ, "PATH": f"{self.bin}:{os.environ['PATH']}", **more}

    def new_season(self) -> int:
        """A season of which this pool has never had a DAG: tags are unique for ever, and its history remembers them."""
        self._season += 1
        return self._season

    def call(self, *command: str, cwd: Path | None = None, as_root: bool = False) -> str:
        """Run a command in the pool; its output. It must end with 0."""
        done = self._run(*command, cwd=cwd, as_root=as_root)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
        return done.stdout

    def ads(self, constraint: str, *attributes: str) -> list[dict[str, Any]]:
        """The jobs of the queue and of the history that fulfil a constraint. None is counted twice."""
        found = {}
        for program in ("condor_q", "condor_history"):
            words = [program, "-name", self.schedd, "-constraint", constraint, "-json"]
            said = self.call(*words, "-attributes", ",".join(("ClusterId", "ProcId", *attributes)))
            for ad in json.loads(said or "[]"):
                found[ad["ClusterId"], ad["ProcId"]] = ad
        return [found[key] for key in sorted(found)]

    def dags(self) -> list[dict[str, Any]]:
        """Every DAG that was ever submitted: tag, state, what it was submitted for."""
        return self.ads(DAGS, "DesgwTag", "JobStatus", "ExitCode", "Iwd")

    def freeze_schedd(self) -> None:
        """SIGSTOP: it is there, and answers nobody."""
        pid = self._schedd()
        os.kill(pid, signal.SIGSTOP)
        self._frozen.append(pid)

    def thaw_schedd(self) -> None:
        """SIGCONT, if it is frozen."""
        while self._frozen:
            try:
                os.kill(self._frozen.pop(), signal.SIGCONT)
            except ProcessLookupError:
                continue

    def stop_schedd(self) -> None:
        """Shut it down, until `start_schedd`: nobody listens."""
        self.thaw_schedd()
        pid = self._schedd()
        self.call("condor_off", "-fast", "-daemon", "schedd", as_root=True)
        _until_gone(pid)

    def start_schedd(self) -> None:
        """Start it again, and wait until it answers."""
        self.call("condor_on", "-daemon", "schedd", as_root=True)
        self.until_schedd_answers()

    def kill_schedd(self) -> None:
        """kill -9. The master starts it again in a few seconds."""
        pid = self._schedd()
        os.kill(pid, signal.SIGKILL)
        _until_gone(pid)
        self._frozen = []

    def until_schedd_answers(self) -> None:
        """Wait for it."""
        self._until("its schedd answers", lambda: self._run("condor_q", "-name", self.schedd).returncode == 0)

    def tidy(self) -> None:
        """Leave the pool to the next test: awake, and without jobs."""
        self.thaw_schedd()
        if not self._daemons("condor_schedd"):
            self.start_schedd()
        self.until_schedd_answers()
        self._until("its queue is empty", self._emptied)

    def _emptied(self) -> bool:
        """Whether its queue is empty; what is there is removed."""
        if self._says("condor_q", "-allusers", "-af", "ClusterId") == "":
            return True
        self._run("condor_rm", "-all", as_root=True)
        return False

    def _schedd(self) -> int:
        found = self._daemons("condor_schedd")
        assert len(found) == 1, f"{len(found)} schedds"
        return found[0]

    def _daemons(self, name: str) -> list[int]:
        """Processes of the master with this name."""
        (init,) = _children(self._pid)
        return [pid for master in _children(init) for pid in _children(master) if _name(pid) == name]

    def _says(self, *command: str) -> str | None:
        """What it prints; None when it fails."""
        done = self._run(*command)
        return done.stdout.strip() if done.returncode == 0 else None

    def _run(self, *command: str, cwd: Path | None = None, as_root: bool = False) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [_SCRIPTS / "in-pool.sh", self.folder, *command],
            cwd=cwd or self.folder,
            env={**os.environ, "IN_POOL_AS": "root" if as_root else ""},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )

    def _until(self, what: str, is_so: Callable[[], bool]) -> None:
        end = time.monotonic() + _STARTS_IN_S
        while not is_so():
            assert self._process is not None
            said = (self.folder / "pool.out").read_text()
            assert self._process.poll() is None, f"the pool has ended: {said}"
            assert time.monotonic() < end, f"waited in vain until {what} (logs in {self.folder / 'log'}): {said}"
            time.sleep(0.1)


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for path in Path(f"/proc/{pid}/task").glob("*/children") for word in path.read_text().split()]
    except OSError:
        return []


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _until_gone(pid: int) -> None:
    end = time.monotonic() + _STARTS_IN_S
    while (stat := _stat(pid)) and stat[0] != "Z":
        assert time.monotonic() < end, f"process {pid} does not end"
        time.sleep(0.02)


def _stat(pid: int) -> str:
    """A process's state and what follows; empty when there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2]
    except OSError:
        return ""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _locked(path: Path, how: int = fcntl.LOCK_EX) -> Iterator[None]:
    with path.open("ab") as file:
        fcntl.flock(file, how)
        yield


def _chroot() -> Path:
    """The chroot, made when it is not there. Where that cannot be done the test is left out; in CI it fails."""
    if os.geteuid() != 0:
        left_out("an HTCondor pool needs root (a chroot, namespaces)")
    needed("debootstrap", "debootstrap", "makes the chroot of an HTCondor pool")
    for program in ("unshare", "nsenter", "setpriv"):
        needed(program, "util-linux", "runs an HTCondor pool")
    root, log = _BASE / "trixie", _BASE / "making.log"
    _BASE.mkdir(parents=True, exist_ok=True)
    with _locked(_BASE / "making.lock"), log.open("ab") as output:
        done = subprocess.run(
            [_SCRIPTS / "make-chroot.sh", root], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
    assert done.returncode == 0, f"making {root} failed; the end of {log}:\n{log.read_text()[-2000:]}"
    return root


def _remove_old(pools: Path) -> None:
    """Folders of pools that are no more."""
    for folder in pools.iterdir():
        with (folder / "alive").open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            shutil.rmtree(folder)


@contextmanager
def running_pool(*, keep: Callable[[], bool] = lambda: False) -> Iterator[Pool]:
    """A pool for as long as the block lasts. Its folder goes with it unless keep() says that people want to look."""
    old = os.umask(0o022)
    try:
        root = _chroot()
        pools = _BASE / "pools"
        pools.mkdir(exist_ok=True)
        with _locked(_BASE / "making.lock"):
            _remove_old(pools)
            folder = Path(tempfile.mkdtemp(prefix="", dir=pools))
            folder.chmod(0o755)
            alive = (folder / "alive").open("ab")
            fcntl.flock(alive, fcntl.LOCK_EX)
        pool = Pool(folder)
        with alive:
            try:
                pool.start(root)
                os.umask(old)
                yield pool
            finally:
                pool.end()
                if not keep():
                    shutil.rmtree(folder)
    finally:
        os.umask(old)


@pytest.fixture(scope="session")
def condor_pool(request: pytest.FixtureRequest) -> Iterator[Pool]:
    """The pool of this pytest process. Tests take `pool`."""
    with running_pool(keep=lambda: request.session.testsfailed > 0) as pool:
        yield pool


@pytest.fixture
def pool(condor_pool: Pool) -> Iterator[Pool]:
    """The pool for one test: awake, without jobs.

    Its jobs run as another user than the tests, one of root's group: what is made meanwhile, the group may write.
    """
    condor_pool.tidy()
    old = os.umask(0o002)
    try:
        yield condor_pool
    finally:
        os.umask(old)
        condor_pool.tidy()


@pytest.fixture
def pool_folder(pool: Pool, request: pytest.FixtureRequest) -> Path:
    """A folder of this test's own, below the pool's."""
    name = re.sub(r"[^A-Za-z0-9]+", "-", request.node.name)[:40]
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=pool.work))
    folder.chmod(0o777)
    return folder
