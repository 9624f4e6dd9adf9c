"""What lies on the trees of the pipeline, asked through a door for each.

What hangs is left behind, and its tree is asked nothing more.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from desgw_daemon.domain.times import age
from desgw_daemon.errors import TreeSilent
from desgw_daemon.observe.abandoned import Abandoned
from desgw_daemon.observe.door import Door
from desgw_daemon.observe.paths import Seen, seen


class Trees:
    """Answers about paths; each is asked of the tree that it lies in, by one check at a time."""

    def __init__(self, roots: Mapping[str, Path], *, patience: timedelta) -> None:
        """roots: the trees by name. patience: how long one answer may take."""
        self._roots = {**roots, "": Path("/")}
        self._patience = patience
        abandoned = Abandoned()
        self._doors = {
            name: (
                threading.Lock(),
                Door(tree=name, root=root, abandoned=abandoned, answer_within=patience, max_stuck=1),
            )
            for name, root in self._roots.items()
        }

    def look(self, path: Path) -> Seen:
        """What is there. Waits for the deadline at most, and never for one that is stuck."""
        lock, door = self._doors[next(name for name, root in self._roots.items() if path.is_relative_to(root))]
        with lock:
            try:
                return door.ask(seen, path)
            except TreeSilent:
                return Seen(problem=f"no answer within {age(self._patience)}", silent=True)
