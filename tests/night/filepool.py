"""A pool of files: the commands of condor that an engine uses, in a small program whose answers a test writes.

queue.json, history.json   what the queue and the history have, whatever is asked for
silent                     while it is there, neither answers
hang                       while it is there, a submission goes on
said                       what a submission prints in the end
then.json                  what the queue has after the next submission
submitted                  a line for each submission
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, Final

_PROGRAM: Final = """#!/bin/sh
here=$(dirname "$0")
case "$1" in
condor_q | condor_history)
  [ -e "$here/silent" ] && { echo 'Failed to connect to the schedd' >&2; exit 1; }
  [ "$1" = condor_q ] && cat "$here/queue.json" || cat "$here/history.json"
  ;;
condor_submit_dag)
  echo "$*" >> "$here/submitted"
  while [ -e "$here/hang" ]; do sleep 0.02; done
  [ -e "$here/then.json" ] && mv "$here/then.json" "$here/queue.json"
  cat "$here/said"
  ;;
esac
"""


class FilePool:
    """One of them, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.program = folder / "pool"
        self.program.write_text(_PROGRAM)
        self.program.chmod(0o755)
        self.queue([])
        self.history([])
        self.says("submitted to cluster 163.")

    @property
    def settings(self) -> dict[str, str]:
        """What daemon.toml must say to use it."""
        return {"submit.engine": '"htcondor"', "htcondor.prefix": f'["{self.program}"]'}

    def queue(self, ads: list[dict[str, Any]]) -> None:
        """What is in the queue from now on."""
        (self.folder / "queue.json").write_text(json.dumps(ads))

    def takes(self, ads: list[dict[str, Any]]) -> None:
        """What is in the queue as soon as something is submitted."""
        (self.folder / "then.json").write_text(json.dumps(ads))

    def history(self, ads: list[dict[str, Any]]) -> None:
        """What has left it."""
        (self.folder / "history.json").write_text(json.dumps(ads))

    def says(self, text: str) -> None:
        """What a submission prints."""
        (self.folder / "said").write_text(text + "\n")

    def silent(self, now: bool = True) -> None:
        """The schedd answers no question any more; a submission it still takes."""
        self._switch("silent", now)

    def hang(self, now: bool = True) -> None:
        """Submissions do not come to their end."""
        self._switch("hang", now)

    def submissions(self) -> int:
        """How often something was submitted."""
        path = self.folder / "submitted"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def _switch(self, name: str, on: bool) -> None:
        if on:
            (self.folder / name).touch()
        else:
            (self.folder / name).unlink()


def dag_ad(tag: str, expnum: int, *, cluster: int = 163, status: int = 2, **more: Any) -> dict[str, Any]:
    """DAGMan's ad, as condor_q shows it. status: 2 runs, 3 removed, 4 completed, 5 held."""
    known = {"ClusterId": cluster, "ProcId": 0, "JobUniverse": 7, "JobStatus": status, "QDate": int(time.time())}
    return {**known, "Owner": "desgw", "DesgwTag": tag, "DesgwExpnum": expnum, **more}
