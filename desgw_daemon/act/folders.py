"""Makes the empty folders of CCDs that have none, on /pnfs, by a process that may hang and is abandoned then.

Only below exp/NITE/EXPNUM/dpSEASON, which must be there. Must not touch the mount itself.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

from desgw_daemon.domain.snapshot import Exposure

#: -P: a `json.py` in the folder where the daemon was started must not be taken for the library's.
WORKER: Final = (sys.executable, "-P", "-m", "desgw_daemon.act.folder_worker")
#: A folder is made in milliseconds. What takes longer is left out of the run, which goes on without it.
_LONGEST: Final = timedelta(seconds=30)
#: A killed process that is not in the middle of a hanging call is gone after this long (seconds).
_DEATH: Final = 1.0


class FolderMaker:
    """Makes folders below one root, and remembers a process that hangs: no second one joins it."""

    def __init__(self, *, root: Path, worker: Sequence[str] = WORKER, longest: timedelta = _LONGEST) -> None:
        """worker: the command line of the process. longest: what is not made by then is left."""
        self._worker, self._longest = worker, longest
        self._root = root.absolute()
        self._stuck: subprocess.Popen[bytes] | None = None

    def make(self, exposures: Sequence[Exposure], wanted: Mapping[int, Sequence[int]]) -> dict[int, str]:
        """Make the folders of these CCDs; by exposure id, why one or more of its folders are not there now."""
        folders = {
            e.id: [str(self._root / e.key.ccd_folder(ccd)) for ccd in wanted[e.id]]
            for e in exposures
            if e.key is not None and wanted.get(e.id)
        }
        if self._stuck is not None and self._stuck.poll() is None:
            why = f"process {self._stuck.pid}, which was to make folders below {self._root}, hangs"
            return dict.fromkeys(folders, why)
        answers = self._ask(folders)
        problems = dict[int, str]()
        for number, paths in folders.items():
            missing = [f"{path}: {answers.get(path, 'no answer')}" for path in paths if answers.get(path) != ""]
            if missing:
                problems[number] = missing[0]
        return problems

    def _ask(self, folders: Mapping[int, Sequence[str]]) -> dict[str, str]:
        """What the worker said of each path before its time was over: empty when the folder is there."""
        # A file that needs no disk: what a killed worker has said until then stays in it.
        with os.fdopen(os.memfd_create("folders"), "w+b") as said:
            try:
                process = subprocess.Popen(
                    self._worker,
                    stdin=subprocess.PIPE,
                    stdout=said,
                    stderr=subprocess.DEVNULL,
                    cwd="/",
                    start_new_session=True,
                )
            except OSError as error:
                return {path: str(error) for paths in folders.values() for path in paths}
            try:
                process.communicate(json.dumps(list(folders.values())).encode(), self._longest.total_seconds())
            except subprocess.TimeoutExpired:
                self._bury(process)
            said.seek(0)
            answers = dict[str, str]()
            # Of a worker that was killed the last line may be cut off.
            for line in said.read().split(b"\n")[:-1]:
                path, problem = json.loads(line)
                answers[path] = problem
            return answers

    def _bury(self, process: subprocess.Popen[bytes]) -> None:
        process.kill()
        try:
            process.wait(_DEATH)
        except subprocess.TimeoutExpired:
            self._stuck = process
