"""Having exposures.list refreshed by a process of its own, which outlives the daemon. Nobody waits for it here."""

from __future__ import annotations

import shutil
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from desgw_daemon.act.environment import child_environment
from desgw_daemon.children import ensure_started, look
from desgw_daemon.domain.actions import RefreshExposures
from desgw_daemon.domain.runs import Refresh
from desgw_daemon.store.database import writing
from desgw_daemon.store.refreshes import claim_refresh

#: What the process says: its result as JSON, or why there is none.
OUTPUT: Final = "output"
#: A refresh that takes longer is ended: an hour is enough for a hundred times as many exposures as there are, and what
#: hangs on a disk must not keep the next one back for ever.
_LONGEST: Final = timedelta(hours=1)
#: Folders of evidence that are kept.
_KEEP: Final = 10


class Refresher:
    """Starts a refresh: the same command that people use, with the same configuration."""

    def __init__(self, *, database: Engine, config_file: Path, state: Path) -> None:
        self._database = database
        # -P: what lies in the state folder must not be taken for a library.
        self._program = (sys.executable, "-P", "-m", "desgw_daemon", "--config", str(config_file))
        self._folder = state / "refresh"

    def start(self, action: RefreshExposures, now: datetime) -> None:
        """Claim a refresh, and start it. Does nothing while another one goes on.

        Raises OSError when nothing could be started; the claim stays, and `launch` tries again.
        """
        with writing(self._database) as connection:
            folder_of = str(self._folder / "{number}")
            refresh = claim_refresh(connection, folder_of=folder_of, why=action.reason, at=now)
        if refresh is not None:
            self._tidy(refresh)
            self.launch(refresh)

    def launch(self, refresh: Refresh) -> None:
        """Start what is claimed, if that has not been done. Raises OSError."""
        if refresh.folder is None:
            return
        folder = Path(refresh.folder)
        if look(folder).state != "absent":
            return
        ensure_started(
            folder,
            [*self._program, "exposures", "refresh", "--json", "--claimed", str(refresh.id)],
            cwd=self._folder,
            env=child_environment(),
            output=folder / OUTPUT,
            timeout=_LONGEST,
        )

    def _tidy(self, newest: Refresh) -> None:
        for path in self._folder.glob("[0-9]*"):
            if path.name.isdigit() and int(path.name) <= newest.id - _KEEP:
                shutil.rmtree(path, ignore_errors=True)
