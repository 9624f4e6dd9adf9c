"""The name of the list of complete exposures in the Post-Processing folder.

Must stay cheap to import: the process behind the door to that folder loads it.
"""

from __future__ import annotations

from datetime import datetime
from itertools import chain, count
from pathlib import Path


def list_name_for(folder: Path, season: int, number: int, at: datetime, listing: bytes) -> str:
    """``complete_exposures_S{season}_{YYYYMMDD_HH-MM}.list``; with the run's number, or more, if that is taken."""
    stem = f"complete_exposures_S{season}_{at:%Y%m%d_%H-%M}"
    more = (f"_run{number}_{again}" for again in count(2))
    for end in chain(("", f"_run{number}"), more):
        there = folder / f"{stem}{end}.list"
        if not there.exists() or there.read_bytes() == listing:
            return there.name
    raise AssertionError("numbers do not end")
