"""The lists in refused/ that somebody should know of: refused lately, and neither taken away nor mended since.

Read from the folders anew each time: nothing is remembered. Must not change anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from desgw_daemon.observe.inbox import REFUSED, TAKEN
from desgw_daemon.observe.text import plain_name

#: Whoever dropped it has come by until then, or will not.
TOLD_FOR: Final = timedelta(days=1)
#: Of a .why (characters): enough for the first line that says what is wrong.
_MOST_WORDS: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One refused list. name: as it was dropped, below inbox/. why: the first thing that is wrong. since: refused."""

    name: str
    why: str
    file: Path
    since: datetime


def lately_refused(inbox: Path, now: datetime) -> tuple[Refusal, ...]:
    """By name and time. A folder that cannot be read has none: that is told by the scan of the inbox."""
    found: list[Refusal] = []
    with suppress(OSError):
        for folder in sorted((inbox, *(path for path in inbox.iterdir() if path.is_dir() and not path.is_symlink()))):
            if (folder / REFUSED).is_dir():
                found += _of(folder, inbox, now)
    return tuple(found)


def _of(folder: Path, inbox: Path, now: datetime) -> Iterator[Refusal]:
    """Those of a folder; of several with one name the newest."""
    named: set[str] = set()
    for why in sorted((folder / REFUSED).glob("*.why"), reverse=True):
        refused = why.with_suffix("")
        dropped_as = _dropped_as(refused.name)
        with suppress(FileNotFoundError):  # taken away just now
            refused.lstat()
            written = why.stat()
            since = datetime.fromtimestamp(written.st_mtime, UTC)
            if (
                dropped_as in named
                or now - since >= TOLD_FOR
                or _mended(folder / TAKEN, dropped_as, written.st_mtime_ns)
            ):
                continue
            named.add(dropped_as)
            _, _, words = why.read_text(errors="replace")[:_MOST_WORDS].partition("\n")
            name = "/".join(plain_name(part) for part in (*folder.relative_to(inbox).parts, dropped_as))
            yield Refusal(name=name, why=plain_name(words.partition("\n")[0]), file=why, since=since)


def _mended(taken: Path, dropped_as: str, refused_ns: int) -> bool:
    """Whether a list of that name was moved to taken/ since: its ctime is then."""
    if not taken.is_dir():
        return False
    return any(
        _dropped_as(path.name) == dropped_as and path.lstat().st_ctime_ns > refused_ns for path in taken.iterdir()
    )


def _dropped_as(name: str) -> str:
    """Without the time that it was given in front."""
    return name.partition("_")[2]
