"""Runs of post-processing that the database knows nothing of: it was brought back from a copy that is older.

Their folders are there. A run that is to start is not taken for one of them by its number alone; it is one of them when
it would be over the same exposures and the same forcephoto files, and then nothing is run a second time.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from desgw_daemon.act.startscript import FORCEFILES
from desgw_daemon.children import look


def number_of_next(
    folder_of: str, known: int, *, expnums: Collection[int], forcefiles: Callable[[], str], anew: bool
) -> int:
    """The number of the next run.

    folder_of: template of the folder of a run, with ``{number}``. known: the highest number in the database.
    forcefiles: gives what the run's own list of them would hold, a line for each of tens of thousands: asked only where
    there is such a folder. anew: a person wants it to run, whatever has run already.
    """
    newest_first = sorted(_forgotten(folder_of, known), reverse=True)
    if not anew:
        for number in newest_first:
            if _is_of(Path(folder_of.format(number=number)), expnums, forcefiles):
                return number
    return max([known, *newest_first]) + 1


def _forgotten(folder_of: str, known: int) -> list[int]:
    pattern = Path(folder_of.format(number="*"))
    stem = pattern.name.removesuffix("*")
    numbers = (path.name.removeprefix(stem) for path in pattern.parent.glob(pattern.name))
    return [int(number) for number in numbers if number.isdigit() and int(number) > known]


def _is_of(folder: Path, expnums: Collection[int], forcefiles: Callable[[], str]) -> bool:
    if look(folder).state == "absent":
        return False
    try:
        (listed,) = folder.glob("complete_exposures_S*.list")
        same_files = (folder / FORCEFILES).read_text() == forcefiles()
        return same_files and listed.read_text().split() == [str(expnum) for expnum in sorted(set(expnums))]
    except (OSError, ValueError):
        return False
