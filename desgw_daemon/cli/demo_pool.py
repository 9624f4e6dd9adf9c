"""What the demo does on a HTCondor pool besides: it looks whether there is one, for a season that was never used there,
and ends the DAGs that a night has left in the queue.

Only DAGs of the sandbox's own daemon are ever removed.
"""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Final

from desgw_daemon.domain.states import IN_FLIGHT
from desgw_daemon.errors import Refused

_NEEDED: Final = ("condor_submit_dag", "condor_q", "condor_history", "condor_rm")
#: A schedd that answers at all answers sooner.
_ANSWERS_WITHIN: Final = timedelta(seconds=60)
_ENDS_WITHIN: Final = timedelta(seconds=60)


def season_for_pool(first: int) -> int:
    """The first season from this one on of which the pool remembers no DAG.

    Tags are unique for ever: the DAGs of an earlier demo would be taken for those of this one.

    Raises Refused where HTCondor's commands are missing, or do not answer.
    """
    if missing := [program for program in _NEEDED if shutil.which(program) is None]:
        raise Refused(
            f"--engine htcondor needs HTCondor's commands, and {', '.join(missing)} is not on PATH: run it on a submit"
            " host of a pool, or leave --engine out"
        )
    tags = [
        tag for program in ("condor_q", "condor_history") for tag in _tags(program, 'regexp("^dp[0-9]+_", DesgwTag)')
    ]
    used = {int(number) for number in re.findall(r"^dp(\d+)_", "\n".join(tags), re.MULTILINE)}
    return next(season for season in range(first, first + len(used) + 1) if season not in used)


def end_dags(config: Path) -> None:
    """Remove from the queue what the daemon with this daemon.toml has there, and wait until it is gone.

    To be called when that daemon and what it has started have ended. Raises Refused when the queue does not answer.
    """
    live = _live(config.parent / "state" / "desgw.db")
    if not live:
        return
    from desgw_daemon.config.loading import load
    from desgw_daemon.grid.engine import NoAnswer
    from desgw_daemon.wiring import engine_of

    engine = engine_of(load(config.absolute()).config, "htcondor")
    for tag in live:
        match engine.remove(tag):
            case NoAnswer(reason):
                raise Refused(f"{len(live)} DAGs may still be in the queue ({', '.join(live)}): {reason}")
    # DAGMan ends first; the queue then takes its jobs away.
    constraint = " || ".join(f'DesgwTag == "{tag}"' for tag in live)
    end = time.monotonic() + _ENDS_WITHIN.total_seconds()
    while left := _tags("condor_q", constraint):
        if time.monotonic() > end:
            raise Refused(f"these DAGs were removed from the queue and do not end: {', '.join(sorted(set(left)))}")
        time.sleep(0.5)


def _tags(program: str, constraint: str) -> list[str]:
    """The tags of what fulfils this, one for each job, of whichever account. Raises Refused when there is no answer."""
    everybody = ("-allusers",) if program == "condor_q" else ()
    try:
        done = subprocess.run(
            (program, *everybody, "-constraint", constraint, "-af", "DesgwTag"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_ANSWERS_WITHIN.total_seconds(),
        )
    except subprocess.TimeoutExpired:
        raise Refused(f"{program} gives no answer: is the pool up? (condor_status -schedd)") from None
    if done.returncode:
        said = " ".join((done.stderr.strip() or done.stdout.strip() or "nothing").split())
        raise Refused(f"{program} ended with status {done.returncode}: {said}")
    return done.stdout.split()


def _live(database: Path) -> list[str]:
    """Tags of DAGs that may be in the queue."""
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            rows = connection.execute(
                "SELECT tag, state FROM submission WHERE engine = 'htcondor' ORDER BY id"
            ).fetchall()
    except sqlite3.OperationalError:
        return []
    return [tag for tag, state in rows if state in IN_FLIGHT]
