"""Where the CCDs of DECam lie, and a drawing of them in characters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Final

#: CCDs 1 to 62 fill twelve centred rows, rising along each row (detectors S29-S31 are 1-3, ..., N29-N31 are 60-62).
_IN_ROWS: Final = (3, 4, 5, 6, 6, 7, 7, 6, 6, 5, 4, 3)
ROWS: Final[Sequence[Sequence[int]]] = tuple(
    tuple(range(before + 1, last + 1)) for before, last in pairwise((0, *accumulate(_IN_ROWS)))
)
#: A chip is 63.9 mm along its row and 33.8 mm across: with characters twice as high as wide, four characters by one.
#: The gap between two keeps their marks apart.
_CELL: Final = 6


def draw(marks: Mapping[int, str]) -> list[str]:
    """Twelve lines, each CCD as its number and its mark (one character): ``05 F``. Every CCD needs a mark."""
    widest = max(_IN_ROWS)
    return [
        (
            " " * ((widest - len(row)) * _CELL // 2) + "".join(f"{ccd:02d} {marks[ccd]}".ljust(_CELL) for ccd in row)
        ).rstrip()
        for row in ROWS
    ]
