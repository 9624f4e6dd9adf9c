"""Stands between the daemon and the pool's commands: logs every call, and has submissions run into their time-out when
that is ordered.

It is a folder of small programs that is put before the pool's own on PATH. An order is a file, which is obeyed once.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Final, Literal

from tests.condorpool import Pool

_SUBMIT: Final = r"""#!/bin/bash
echo "${0##*/} $*" >>"$DIR/calls"
for order in "$DIR"/orders/*; do
    mv "$order" "$DIR/taken/" 2>/dev/null || continue
    case $order in
    */before-*) sleep 600; exit 1 ;;
    */after-*) "$POOL/${0##*/}" "$@"; sleep 600; exit 1 ;;
    esac
done
exec "$POOL/${0##*/}" "$@"
"""
_ASK: Final = r"""#!/bin/bash
echo "${0##*/} $*" >>"$DIR/calls"
exec "$POOL/${0##*/}" "$@"
"""


class Submits:
    """The folder of one test. bin: what comes first on PATH."""

    def __init__(self, folder: Path, pool: Pool) -> None:
        self._folder = folder
        self.bin = folder / "bin"
        for path in (self.bin, folder / "orders", folder / "taken"):
            path.mkdir(parents=True)
        for name, text in (("condor_submit_dag", _SUBMIT), ("condor_q", _ASK), ("condor_history", _ASK)):
            program = self.bin / name
            program.write_text(text.replace("$DIR", str(folder)).replace("$POOL", str(pool.bin)))
            program.chmod(0o755)
        self._numbers = itertools.count(1)

    def order(self, when: Literal["before", "after"]) -> None:
        """Have the next submission hang before, or after it has submitted, until it is ended."""
        (self._folder / "orders" / f"{when}-{next(self._numbers)}").touch()

    def ordered(self) -> bool:
        """Whether there are orders that nobody has taken yet."""
        return any((self._folder / "orders").iterdir())

    def cancel(self) -> None:
        """Orders that nobody has taken yet."""
        for path in (self._folder / "orders").iterdir():
            path.unlink(missing_ok=True)

    def taken(self, when: Literal["before", "after"]) -> int:
        """How many such orders were obeyed."""
        return len(list((self._folder / "taken").glob(f"{when}-*")))

    def calls(self, words: str) -> list[str]:
        """The calls that hold these words."""
        path = self._folder / "calls"
        return [line for line in path.read_text().splitlines() if words in line] if path.exists() else []
