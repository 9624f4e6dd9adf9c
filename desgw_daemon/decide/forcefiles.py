"""What is known of an exposure's forcephoto files: a listing added to it, those that count, pairs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from desgw_daemon.decide.attempt import made_since
from desgw_daemon.domain.facts import ForcefilesSeen
from desgw_daemon.domain.names import ExposureKey, parse_forcefile
from desgw_daemon.domain.snapshot import Exposure, Forcefile


@dataclass(frozen=True, slots=True)
class Pair:
    """A CCD's .fits and .psf, neither of them empty.

    since: when the later of them was first seen so. oldest: mtime of the older one, seconds since the epoch.
    """

    since: datetime
    oldest: float


def with_forcefiles(exposure: Exposure, key: ExposureKey, sight: ForcefilesSeen) -> Exposure:
    """The exposure with what a listing of its forcephoto folder shows."""
    known = {file.name: file for file in exposure.forcefiles}
    files = []
    for entry in sight.files:
        old = known.get(entry.name)
        if entry.size is not None and entry.mtime is not None:
            size, mtime = entry.size, entry.mtime
        elif old is not None:
            size, mtime = old.size, old.mtime
        else:  # its size was not asked for and nobody knows it: it waits for the next look
            continue
        name = parse_forcefile(entry.name, key.expnum)
        same = old is not None and (old.size, old.mtime) == (size, mtime)
        files.append(
            Forcefile(
                exposure_id=exposure.id,
                name=entry.name,
                ccd=name.ccd if name else None,
                band=name.band if name else None,
                kind=name.kind if name else None,
                size=size,
                mtime=mtime,
                first_seen=old.first_seen if old else sight.at,
                whole_at=None if size == 0 else old.whole_at if old and same else sight.at,
                as_of=sight.at,
            )
        )
    return replace(
        exposure,
        forcefiles=tuple(sorted(files, key=lambda file: file.name)),
        forcefiles_at=sight.at if sight.there else exposure.forcefiles_at,
    )


def fresh_forcefiles(exposure: Exposure) -> Iterator[Forcefile]:
    """The files that the present attempt wrote; those of an earlier one are overwritten sooner or later."""
    since = made_since(exposure)
    return (file for file in exposure.forcefiles if file.mtime >= since)


def pairs(exposure: Exposure) -> dict[int, Pair]:
    """For each CCD that has both of its files, whole: the pair."""
    halves: dict[int, dict[str, Forcefile]] = {}
    for file in fresh_forcefiles(exposure):
        if file.ccd is not None and file.kind is not None and file.band == exposure.band and file.whole_at is not None:
            halves.setdefault(file.ccd, {})[file.kind] = file
    return {
        ccd: Pair(
            since=max(file.whole_at for file in kinds.values() if file.whole_at is not None),
            oldest=min(file.mtime for file in kinds.values()),
        )
        for ccd, kinds in halves.items()
        if len(kinds) == 2
    }
