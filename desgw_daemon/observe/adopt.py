"""Exposures that are on /pnfs already because somebody submitted them by hand: found by their folders.

One listing for the nites, one for each nite, one for each exposure in it. Must not look into CCD folders.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from desgw_daemon.domain.decam import ALL_CCDS
from desgw_daemon.domain.facts import CallCounts
from desgw_daemon.domain.names import is_nite
from desgw_daemon.observe.mount import Mount
from desgw_daemon.observe.text import plain_name

_CCD_FOLDER: Final = re.compile(r"([ugrizY])_(\d\d)", re.ASCII)
_EXPNUM: Final = re.compile(r"[1-9]\d{5,6}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundExposure:
    """An exposure with CCD folders in the season's folder."""

    nite: str
    expnum: int
    band: str
    ccds: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundNites:
    """The nites that have a folder, in order. problem: why they could not be listed."""

    nites: tuple[str, ...]
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was found, in the order of nites and numbers. problems: what was left out, and why."""

    exposures: tuple[FoundExposure, ...]
    problems: tuple[str, ...]
    calls: CallCounts


def find_nites(root: Path) -> FoundNites:
    """The nite folders below exp/: so many listings at least would a search of all of them take."""
    try:
        entries = Mount(calls_per_second=0).listing(str(root / "exp"))
        nites = [entry.name for entry in entries if is_nite(entry.name) and entry.is_dir(follow_symlinks=False)]
    except OSError as error:
        return FoundNites(nites=(), problem=_words(root / "exp", error))
    return FoundNites(nites=tuple(sorted(nites)))


def find_exposures(root: Path, season: int, nites: Sequence[str], *, calls_per_second: float) -> Found:
    """The exposures of these nites that have CCD folders of this season; calls_per_second 0 is no limit.

    One with folders of two bands, or without any, is a problem and not found.
    """
    mount = Mount(calls_per_second=calls_per_second)
    exposures: list[FoundExposure] = []
    problems: list[str] = []
    for nite in nites:
        folder = root / "exp" / nite
        try:
            names = [entry.name for entry in mount.listing(str(folder)) if entry.is_dir(follow_symlinks=False)]
        except OSError as error:
            problems.append(_words(folder, error))
            continue
        for expnum in sorted(int(name) for name in names if _EXPNUM.fullmatch(name)):
            place = folder / str(expnum) / f"dp{season}"
            try:
                entries = mount.listing(str(place))
                ccds = _ccds(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
            except FileNotFoundError:
                continue  # of another season
            except OSError as error:
                problems.append(_words(place, error))
                continue
            bands = sorted({band for band, _ in ccds})
            if len(bands) == 1:
                found = tuple(sorted(ccd for _, ccd in ccds))
                exposures.append(FoundExposure(nite=nite, expnum=expnum, band=bands[0], ccds=found))
            else:
                kind = f"CCD folders of the bands {', '.join(bands)}" if bands else "no CCD folder"
                problems.append(f"{expnum} (nite {nite}) has {kind} in {plain_name(str(place))}: not adopted")
    return Found(exposures=tuple(exposures), problems=tuple(problems), calls=mount.calls)


def _ccds(names: Iterable[str]) -> list[tuple[str, int]]:
    """(band, CCD) of each CCD folder."""
    matches = (_CCD_FOLDER.fullmatch(name) for name in names)
    return [(match[1], int(match[2])) for match in matches if match and int(match[2]) in ALL_CCDS]


def _words(folder: Path, error: OSError) -> str:
    return f"{plain_name(str(folder))} cannot be listed: {error.strerror or error}"
