"""The dead man's switch: a file that is touched, or a URL that is fetched, after each cycle that was written down.

Whoever watches it hears when it stops: that the daemon, its host or its disk is no more is what it cannot tell itself.
"""

from __future__ import annotations

import http.client
import threading
import time
import urllib.error
import urllib.request
from datetime import timedelta
from pathlib import Path
from typing import Final

from desgw_daemon.daemon.after_cycle import Committed

#: A server that is alive answers within a second.
_ANSWER_WITHIN: Final = timedelta(seconds=10)
#: A name service may hang for longer than any limit that can be set; from then on it is told.
_HANGS_AFTER: Final = timedelta(minutes=2)


class Heartbeat:
    """One task of AfterCycle, which tells an error of it once."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._begun = 0.0
        self._problem: str | None = None

    def cycle_done(self, committed: Committed) -> None:
        """Touch or fetch. Raises OSError: it cannot be touched; or the last fetch has failed, which took its time."""
        where = committed.house.config.alerts.heartbeat
        if not where:
            return
        if where.startswith(("http://", "https://")):
            self._fetch(where)
        else:
            (committed.house.config.paths.state / Path(where)).touch()

    def _fetch(self, url: str) -> None:
        if self._thread is not None and self._thread.is_alive():
            if time.monotonic() - self._begun > _HANGS_AFTER.total_seconds():
                raise OSError("the URL of alerts.heartbeat does not answer, and the request cannot be ended")
            return  # never two at once
        problem, self._problem = self._problem, None
        self._begun = time.monotonic()
        self._thread = threading.Thread(target=self._get, args=(url,), name="heartbeat", daemon=True)
        self._thread.start()
        if problem is not None:
            raise OSError(problem)

    def _get(self, url: str) -> None:
        """The URL is as good as a password: its words never hold it."""
        try:
            with urllib.request.urlopen(url, timeout=_ANSWER_WITHIN.total_seconds()):
                pass
        except urllib.error.HTTPError as error:
            self._problem = f"the URL of alerts.heartbeat answers with {error.code}"
            error.close()
        except urllib.error.URLError as error:
            self._problem = f"the URL of alerts.heartbeat cannot be reached: {error.reason}"
        except (OSError, ValueError, http.client.HTTPException) as error:
            self._problem = f"the URL of alerts.heartbeat cannot be fetched ({type(error).__name__})"
