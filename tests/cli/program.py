"""The program in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.warm import run_warm

PROGRAM = (sys.executable, "-m", "desgw_daemon")


def program(*words: str, cwd: Path, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run `desgw-daemon WORDS` in a folder to its end. DESGW_DAEMON_CONFIG is unset, unless `env` sets it."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("DESGW_")}
    return run_warm(words, cwd=cwd, env={**inherited, **(env or {})}, timeout=60)
