"""The host: its clock, its limits, and the daemon on it."""

from __future__ import annotations

import getpass
import resource
import shutil
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import text as sql

from desgw_daemon.children.unit import manager_problem
from desgw_daemon.daemon.doctor.check import Answer, Case, check, fail, ok, warn
from desgw_daemon.daemon.lock import is_held
from desgw_daemon.daemon.service import longest_cycle
from desgw_daemon.domain.times import age, utc
from desgw_daemon.errors import DesgwError
from desgw_daemon.store.database import make_reading_engine, reading

UNIT: Final = "desgw-daemon.service"
#: adjtimex(2): the clock is not synchronised.
_TIME_ERROR: Final = 5
#: `struct timex` has 208 bytes; all zero is a question.
_TIMEX_BYTES: Final = 256
#: Looks at /pnfs, the database, logs and children use some dozens.
_FEW_FILES: Final = 256
_PATIENCE: Final = timedelta(seconds=5)


@check("clock")
def clock(case: Case) -> Answer:
    """Whether something keeps this host's clock right."""
    said = f"this host says {utc(case.now)}"
    try:
        # The sandbox of the service may forbid what it needs, and the call itself (then -1).
        import ctypes

        answer = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (ImportError, OSError, MemoryError, AttributeError):
        answer = -1
    if answer == _TIME_ERROR:
        todo = "`timedatectl` tells whether a time service runs; ages and deadlines rest on it"
        return warn(f"{said}, and nothing keeps its clock right", todo)
    if answer < 0:
        return ok(f"{said}; the kernel does not tell whether that is kept right")
    return ok(f"{said}, kept right by a time service")


@check("time_zone")
def time_zone(case: Case) -> Answer:
    """All times of the daemon are UTC; the host's zone only matters to people."""
    name = case.environment.get("TZ")
    known = [Path(folder) for folder in ("/usr/share/zoneinfo", "/usr/lib/zoneinfo")]
    # Other words are rules of their own, such as CST6CDT.
    named = name is not None and ("/" in name or name.isalpha())
    zones = [folder / (name or "").removeprefix(":") for folder in known if folder.is_dir()]
    if named and zones and not any(zone.is_file() for zone in zones):
        return warn(f"TZ={name} is no time zone of this host: programs take it for UTC", "correct or unset TZ")
    offset = timedelta(seconds=time.localtime(case.now.timestamp()).tm_gmtoff)
    if not offset:
        return ok("this host is on UTC, as all times of the daemon are")
    sign = "-" if offset < timedelta(0) else "+"
    return ok(f"this host is on UTC{sign}{age(abs(offset))}; all times of the daemon are UTC")


@check("open_files")
def open_files(case: Case) -> Answer:
    """How many files one process may have open."""
    limit, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit != resource.RLIM_INFINITY and limit < _FEW_FILES:
        todo = f"raise it (`ulimit -n`, LimitNOFILE= in the unit; the hard limit is {hard})"
        return warn(f"a process may have {limit} files open: too few for a busy night", todo)
    return ok(f"a process may have {limit} files open")


@check("daemon")
def daemon(case: Case) -> Answer:
    """Whether the daemon is at work, and has written a cycle down of late."""
    config = case.config
    if not is_held(config.paths.state):
        todo = "`desgw-daemon run`, or `systemctl start desgw-daemon`"
        return warn(f"no daemon is at work on {config.paths.state}", todo)
    try:
        engine = make_reading_engine(config.database)
    except DesgwError:
        return ok("a daemon is at work; what it has written cannot be read")
    with reading(engine) as connection:
        row = connection.execute(sql("SELECT max(ended_at) FROM v_poll WHERE ended_at IS NOT NULL")).scalar()
    engine.dispose()
    if row is None:
        return ok("a daemon is at work on its first cycle")
    last = datetime.fromisoformat(str(row)).astimezone(UTC)
    old = case.now - last
    if old > longest_cycle(config) + timedelta(minutes=1):
        text = f"a daemon holds the state folder, and has written down no cycle since {utc(last)} ({age(old)})"
        return fail(text, "it hangs: `desgw-daemon status`, the log; a restart harms nothing")
    return ok(f"a daemon is at work; its last cycle was written down {age(old)} ago")


@check("service")
def service(case: Case) -> Answer:
    """Whether systemd starts the daemon again after a restart of the machine."""
    if shutil.which("systemctl") is None or not Path("/run/systemd/system").is_dir():
        return ok("no systemd is at work on this host: who starts the daemon again is up to you")
    for scope in ((), ("--user",)):
        said = _systemctl(*scope, "show", UNIT, "--property=LoadState,ActiveState,UnitFileState")
        if said.get("LoadState") != "loaded":
            continue
        name = " ".join(("systemctl", *scope))
        if said.get("ActiveState") == "failed":
            return fail(f"{UNIT} has failed", f"`{name} status {UNIT}`; then `{name} restart {UNIT}`")
        if said.get("UnitFileState") not in ("enabled", "enabled-runtime", "static"):
            text = f"{UNIT} is installed, and not started at boot ({said.get('UnitFileState')})"
            return warn(text, f"{name} enable {UNIT}, unless timers start it")
        return ok(f"{UNIT} is {said.get('ActiveState')}, and started at boot")
    return warn(f"{UNIT} is not installed: nobody starts the daemon again", "desgw-daemon install-service")


@check("linger")
def linger(case: Case) -> Answer:
    """Whether the account's systemd, in which children run, lives without somebody logged in."""
    children = case.config.service.children
    as_service = "NOTIFY_SOCKET" in case.environment
    if children == "process" or (children == "auto" and not as_service):
        return ok("children are processes beside the daemon: no systemd of the account is needed")
    user = getpass.getuser()
    todo = f"loginctl enable-linger {user}"
    if (problem := manager_problem()) is not None:
        return fail(problem.partition(": `")[0], todo)
    if not Path("/var/lib/systemd/linger", user).exists():
        return warn(f"the systemd of user {user} ends when nobody is logged in, and children with it", todo)
    return ok(f"children run in the systemd of user {user}, which stays")


def _systemctl(*words: str) -> dict[str, str]:
    """What `systemctl show` says; nothing when it gives no answer."""
    try:
        done = subprocess.run(
            ["systemctl", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_PATIENCE.total_seconds(),
        )
    except (OSError, subprocess.TimeoutExpired):
        return {}
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
