"""Finding exposures that somebody has submitted by hand: by their folders on /pnfs, listed once each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from desgw_daemon.domain.decam import BANDS, EXPNUM_MAX, EXPNUM_MIN
from desgw_daemon.domain.names import ccd_of_folder, is_nite


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundExposure:
    """An exposure of the season on /pnfs, with the number of its CCD folders."""

    nite: str
    expnum: int
    band: str
    ccds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """What was found. problems: folders that could not be seen or make no sense, in words."""

    found: tuple[FoundExposure, ...]
    problems: tuple[str, ...]
    listings: int


def nites_of(root: Path) -> tuple[str, ...]:
    """The nite folders below exp/. Raises OSError when it cannot be listed."""
    return tuple(sorted(name for name in _names(root / "exp") if is_nite(name)))


def find_exposures(root: Path, season: int, nites: Collection[str]) -> Adoption:
    """The season's exposures of these nites: one listing a nite, and one for each exposure's dpSEASON folder."""
    found: list[FoundExposure] = []
    problems: list[str] = []
    listings = 0
    for nite in sorted(nites):
        folder = root / "exp" / nite
        listings += 1
        try:
            expnums = sorted(int(name) for name in _names(folder) if _is_expnum(name))
        except OSError as error:
            problems.append(f"{folder} cannot be listed: {error.strerror}")
            continue
        for expnum in expnums:
            place = folder / str(expnum) / f"dp{season}"
            listings += 1
            try:
                names = _names(place)
            except FileNotFoundError:
                continue
            except OSError as error:
                problems.append(f"{place} cannot be listed: {error.strerror}")
                continue
            bands = Counter(band for name in names for band in BANDS if ccd_of_folder(name, band) is not None)
            if len(bands) == 1:
                ((band, ccds),) = bands.items()
                found.append(FoundExposure(nite=nite, expnum=expnum, band=band, ccds=ccds))
            elif bands:
                problems.append(f"{place} holds CCD folders of several bands ({', '.join(sorted(bands))}): left out")
    return Adoption(found=tuple(found), problems=tuple(problems), listings=listings)


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def _is_expnum(name: str) -> bool:
    return name.isascii() and name.isdigit() and EXPNUM_MIN <= int(name) <= EXPNUM_MAX
