"""Starting a keeper in a transient unit of the user's systemd, outside the sandbox of the daemon's service.

The service may make no namespaces, which the containers of the children need; and what runs in a unit of its own is
not touched by a stop of the service. Must not decide whether a command runs: that is the keeper's claim, as ever.
"""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from desgw_daemon.children import keeper

#: A keeper claims its folder within 100 ms on an idle machine; more than this is a machine that hangs.
CLAIM_WITHIN: Final = timedelta(seconds=60)
#: Somebody else has just started the unit: its keeper claims the folder in a moment.
_OTHERS_CLAIM: Final = timedelta(seconds=5)
#: systemd takes connections at once.
_ANSWERS_WITHIN: Final = timedelta(seconds=5)
#: In a unit's name stands what a person can read, and enough of a checksum to be the folder's alone.
_NAME_LENGTH: Final = 80
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9_.]+")
#: What the keeper is handed is in such a file, for as long as the start takes; readable by its owner alone.
REQUEST: Final = ".request."


class NotStartedError(OSError):
    """The keeper could not be started, could not claim the folder, or did not say so in time. Try again."""


def unit_name(folder: Path) -> str:
    """The unit of this folder: always the same, so that there is never a second one beside it."""
    readable = _NOT_IN_NAMES.sub("-", "-".join(folder.parts[-2:])).strip("-.")[:_NAME_LENGTH]
    return f"desgw-{readable}-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]}.service"


def start_unit(folder: Path, request: Mapping[str, Any]) -> None:
    """Start the keeper of this folder in its unit. Returns when the folder is claimed, by whomever.

    :raises NotStartedError: as far as anybody knows nothing runs; asking again is safe.
    :raises OSError: there is no room for the request.
    """
    started = folder / "started"
    try:
        words = _run(folder, request)
        if words is None and started.exists():
            return
        end = time.monotonic() + _OTHERS_CLAIM.total_seconds()
        while _is_taken(words) and not started.exists() and time.monotonic() < end:
            time.sleep(0.05)
        if not started.exists():
            raise NotStartedError(
                f"{folder}: the keeper of {request['argv'][0]} could not start: {_why(folder, words)}"
            )
    finally:
        for left in folder.glob(f"{REQUEST}*"):  # of starters that were killed, too
            left.unlink(missing_ok=True)


def manager_problem() -> str | None:
    """Why no unit can be started: this user's systemd does not run. None: it is there."""
    path = _runtime_dir() / "systemd" / "private"
    try:
        # The file alone proves nothing: it may be left from one that has ended.
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as sock:
            sock.settimeout(_ANSWERS_WITHIN.total_seconds())
            sock.connect(str(path))
    except OSError as error:
        return _no_manager(f"{path}: {error.strerror or error}")
    return None


def _run(folder: Path, request: Mapping[str, Any]) -> str | None:
    """What systemd-run says when it fails; None when it has started the keeper."""
    if (problem := manager_problem()) is not None:
        raise NotStartedError(problem)
    fd, path = tempfile.mkstemp(prefix=REQUEST, dir=folder)
    with os.fdopen(fd, "w", encoding="ascii") as file:
        json.dump(request, file)
    command = [
        *("systemd-run", "--user", "--collect", "--no-ask-password", "--slice=desgw.slice"),
        *("--unit", unit_name(folder), "--description", f"{request['argv'][0]} in {folder}"),
        *_properties(folder, path),
        # systemd would put the value of a variable in the place of its name
        *("--", *(word.replace("$", "$$") for word in (sys.executable, "-I", "-S", keeper.__file__, str(folder)))),
    ]
    environment = {"PATH": os.environ.get("PATH", os.defpath), "XDG_RUNTIME_DIR": str(_runtime_dir())}
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=CLAIM_WITHIN.total_seconds(),
            check=False,
        )
    except FileNotFoundError as error:
        raise NotStartedError(
            'systemd-run is missing: install systemd, or set [service] children = "process"'
        ) from error
    except subprocess.TimeoutExpired as error:
        raise NotStartedError(f"{folder}: this user's systemd did not answer within {CLAIM_WITHIN}") from error
    if done.returncode == 0:
        return None
    return (done.stderr.decode(errors="replace").strip().splitlines() or ["it gave no reason"])[0]


def _properties(folder: Path, request: str) -> list[str]:
    properties = {
        # The first process of the keeper ends when the folder is claimed: that is the unit's start.
        "Type": "forking",
        "TimeoutStartSec": f"{CLAIM_WITHIN.total_seconds():g}",
        "StandardInput": f"file:{request}",
        "StandardOutput": "null",
        "StandardError": f"append:{folder / 'keeper.log'}",
        # A stop of the unit is a SIGTERM to the keeper, which ends its command; what a command leaves running on
        # purpose lives on, as it does without a unit.
        "KillMode": "process",
        # One job of many that the kernel ends for want of memory must not take the others with it.
        "OOMPolicy": "continue",
        "UMask": _umask(),
    }
    return [f"--property={name}={value}" for name, value in properties.items()]


def _umask() -> str:
    """This process's own; asking by os.umask would change it for all threads for a moment."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("Umask:"):
            return line.split()[1]
    return "0022"


def _is_taken(words: str | None) -> bool:
    """Whether the unit is there already: another start of the same folder."""
    return words is not None and ("already" in words or "exists" in words)


def _why(folder: Path, words: str | None) -> str:
    """The keeper's own words, else systemd's."""
    log = folder / "keeper.log"
    said = log.read_text(errors="replace").strip().splitlines() if log.is_file() else []
    return f"{said[-1] if said else words or 'it gave no reason'} (unit {unit_name(folder)}, its log is {log})"


def _no_manager(why: str) -> str:
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    return (
        f"the systemd of user {name}, in which children run, is not there ({why}): `loginctl enable-linger {name}` as"
        f" root, then `systemctl start user@{os.getuid()}`; docs/service.md"
    )


def _runtime_dir() -> Path:
    return Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")
