"""The camera: its CCDs, its bands.

A search exposure is processed on 59 of the 62 CCDs: 2, 31 and 61 are skipped (DAGMaker.sh writes no
line for them).
"""

from __future__ import annotations

from typing import Final

#: Every CCD position of the focal plane.
ALL_CCDS: Final = tuple(range(1, 63))
#: Not processed in search exposures.
SKIPPED_CCDS: Final = frozenset({2, 31, 61})
#: The CCDs that a search exposure is expected to have.
SEARCH_CCDS: Final = tuple(ccd for ccd in ALL_CCDS if ccd not in SKIPPED_CCDS)
EXPECTED_CCDS: Final = len(SEARCH_CCDS)

#: The bands that SEdiff accepts. VR exists in the exposure database, but SEdiff refuses it and
#: DAGMaker makes no list of it: it is refused at the queue.
BANDS: Final = ("u", "g", "r", "i", "z", "Y")

#: An exposure number has six or seven digits (above 1,000,000 since 2021); 182809 is the first one
#: that the exposure database's filter lets through.
EXPNUM_MIN: Final = 100_000
EXPNUM_MAX: Final = 9_999_999
