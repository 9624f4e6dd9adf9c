"""Which season numbers may be used.

1-10 belong to the SN group, 5000 and 6000 are reserved. 11-99 are for testing, and may be named by whoever tests.
"""

from __future__ import annotations

from typing import Final

#: Below it, seasons are the SN group's.
FIRST_SEASON: Final = 11
#: Prefixes and folder names have room for six digits.
LAST_SEASON: Final = 999_999
RESERVED: Final = frozenset({5000, 6000})


def season_problem(season: int) -> str | None:
    """Why a season may not be used; None when it may."""
    if season < FIRST_SEASON:
        return f"season {season}: 1 to 10 belong to the SN group; take another"
    if season in RESERVED:
        return f"season {season} is reserved; take another"
    if season > LAST_SEASON:
        return f"season {season} is too large a number for a season"
    return None
