"""Running DAGMaker.sh: one for each exposure at a time, as a process that outlives the daemon."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from desgw_daemon.act.environment import child_environment, in_bash
from desgw_daemon.act.leftovers import put_leftovers_aside
from desgw_daemon.act.rcfile import Parameters, with_season
from desgw_daemon.children import ensure_started, look, stop
from desgw_daemon.domain.actions import MakeDag
from desgw_daemon.domain.snapshot import Exposure
from desgw_daemon.domain.states import MakingState
from desgw_daemon.domain.submissions import Making
from desgw_daemon.observe.door import Way
from desgw_daemon.store.claims import claim_making
from desgw_daemon.store.database import writing
from desgw_daemon.store.journal import move_making
from desgw_daemon.store.rc import keep_version

#: In the folder of a run: the parameters that DAGMaker was started with.
PARAMETERS: Final = "dagmaker.rc"
#: A keeper ends its command well within this after the time-out.
_AFTER_TIMEOUT: Final = timedelta(minutes=1)


class DagMaker:
    """Starts DAGMaker. It never waits for it: what became of it is read in a later tick."""

    def __init__(
        self,
        *,
        database: Engine,
        workflow: Path,
        way: Way,
        setup: Path,
        command: Sequence[str],
        prefix: Sequence[str],
        timeout: timedelta,
        attempts: Path,
        parameters: Parameters,
        environment: Mapping[str, str],
    ) -> None:
        """attempts: the folder below which each attempt has its own. environment: what it gets besides the daemon's.

        way: to the workflow folder.
        """
        self._database = database
        self._workflow = workflow
        self._way = way
        self._setup = setup
        self._command = tuple(command)
        self._prefix = tuple(prefix)
        self._timeout = timeout
        self._attempts = attempts
        self._parameters = parameters
        self._environment = dict(environment)

    def make(self, action: MakeDag, exposure: Exposure, now: datetime) -> Making | None:
        """Start DAGMaker for an exposure, or take up a start that a crash has interrupted.

        None when the exposure has changed meanwhile. Raises OSError when nothing could be started, Refused when its
        season could not be set in dagmaker.rc; the intent stays, and the next tick tries again.
        """
        folder_of = str(self._attempts / tag_of(exposure, action.attempt) / "dagmaker-{number}")
        with writing(self._database) as connection:
            making = claim_making(connection, exposure.id, attempt=action.attempt, folder_of=folder_of, at=now)
        if making is None or making.state is not MakingState.INTENT:
            return making
        folder = Path(making.folder)
        if look(folder).state == "absent":
            folder.mkdir(parents=True, exist_ok=True)
            self._way.change(put_leftovers_aside, self._workflow, exposure.expnum, folder)
            # Nobody changes the parameters between our look at them and the start.
            with self._parameters.locked():
                self._set_season(exposure, action.attempt, folder, now)
                ensure_started(
                    folder,
                    in_bash(self._prefix, self._script(exposure.expnum)),
                    cwd=self._workflow,
                    env={**child_environment(), **self._environment},
                    output=self._workflow / f"dagmaker_{exposure.expnum}.out",
                    timeout=self._timeout,
                )
        # From its folder, not from where DAGMaker read it: after a crash that may be another one by now.
        read = _read(folder / PARAMETERS)
        with writing(self._database) as connection:
            checksum = None if read is None else keep_version(connection, read, at=now)
            move_making(connection, making, MakingState.RUNNING, at=now, why="DAGMaker runs", rc_sha256=checksum)
        return making

    def end_overdue(self, making: Making) -> None:
        """End a DAGMaker that nobody ends: its keeper, which has the time-out, was killed. Raises OSError.

        By how long it runs: a clock that is set forward ends nothing.
        """
        folder = Path(making.folder)
        if (age := look(folder).age) is not None and age >= self._timeout + _AFTER_TIMEOUT:
            stop(folder)

    def _set_season(self, exposure: Exposure, attempt: int, folder: Path, now: datetime) -> None:
        """DAGMaker has no other way to be told its season. What it will read is kept in the folder of the run."""
        _, data = self._parameters.edit(
            self._database,
            lambda rc: with_season(rc, exposure.season),
            who="daemon",
            why=f"for exposure {exposure.label}, attempt {attempt}",
            at=now,
        )
        (folder / PARAMETERS).write_bytes(data)

    def _script(self, expnum: int) -> str:
        """`source SETUP && exec ./DAGMaker.sh EXPNUM`; the set-up script sees no arguments of ours."""
        return f"source {shlex.quote(str(self._setup))} && exec {shlex.join([*self._command, str(expnum)])}"


def _read(path: Path) -> bytes | None:
    """A file of a run's folder; None for a run that an older version of this program has started."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def tag_of(exposure: Exposure, attempt: int) -> str:
    """The name of an attempt, unique for ever: it is the tag of its DAG, too."""
    return f"dp{exposure.season}_{exposure.nite}_{exposure.expnum}_a{attempt}"
