"""What was seen, as values. A thing that could not be seen is `Unseen`: not absent, not failed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from desgw_daemon.domain.names import ExposureKey


@dataclass(frozen=True, slots=True)
class SeenFile:
    """A file in a listing.

    size (bytes) and mtime (seconds since the epoch) are None when the file was not asked for them
    again, because an earlier look knows them and they cannot change any more.
    """

    name: str
    size: int | None
    mtime: float | None


@dataclass(frozen=True, slots=True)
class SeenFail:
    """A FAIL file: size in bytes, mtime in seconds since the epoch, the first 4 kB of its text.

    body is None when it was not read (again): it is read once for each (size, mtime).
    """

    name: str
    size: int
    mtime: float
    body: str | None


@dataclass(frozen=True, slots=True)
class FoldersSeen:
    """Listing of the exposure's dpSEASON folder: its CCD folders.

    there is False when there is nothing at its place (Unseen: something else is). odd: names that look like a CCD
    folder of this exposure and are none (``r_07_old``, a file ``r_07``).
    """

    exposure_id: int
    at: datetime
    there: bool
    ccds: frozenset[int]
    odd: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ForcefilesSeen:
    """Listing of the exposure's forcephoto folder (all its plain entries).

    at is the moment after the last size was known, and before any CCD folder of this exposure is listed
    in the same look. odd: what is named as a forcefile and is none (a folder, a link), in words.
    """

    exposure_id: int
    at: datetime
    there: bool
    files: tuple[SeenFile, ...]
    odd: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CcdSeen:
    """Listing of one CCD's folder.

    at is the moment before the listing began. there is False when the folder has gone, or something else is at its
    place (which odd tells). tarballs are its own, and the names of the first other ``outputs_*`` files; fails all
    signs of failure. odd: what is named as a tarball and is no file (a folder, a link), in words.
    """

    exposure_id: int
    ccd: int
    at: datetime
    there: bool
    tarballs: tuple[SeenFile, ...] = ()
    fails: tuple[SeenFail, ...] = ()
    odd: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unseen:
    """Something that was asked for and could not be seen: the mount's error, or no answer in time.

    hung: the call on it did not come back.
    """

    exposure_id: int
    what: Literal["folders", "forcefiles", "ccd"]
    ccd: int | None
    problem: str
    at: datetime
    hung: bool = False


Sighting = FoldersSeen | ForcefilesSeen | CcdSeen | Unseen


@dataclass(frozen=True, slots=True)
class LookRequest:
    """What to look at for one exposure, forcefiles first.

    folders: list dpSEASON, and then every CCD folder found that is in `ccds` (or all of them, if
    ccds is None). Without it, the CCDs in `ccds` are listed directly.
    known_sizes: names (forcefiles, and tarballs) whose size is known and cannot change any more: no stat.
    known_fails: (size, mtime) by (ccd, name) of FAIL files whose text has been read.
    """

    exposure_id: int
    key: ExposureKey
    forcefiles: bool
    folders: bool
    ccds: tuple[int, ...] | None
    known_sizes: frozenset[str] = frozenset()
    known_fails: Mapping[tuple[int, str], tuple[int, float]] = field(default_factory=dict)

    @property
    def full(self) -> bool:
        """Whether every CCD and forcefile of the exposure is asked for."""
        return self.folders and self.forcefiles and self.ccds is None


@dataclass(frozen=True, slots=True)
class CallCounts:
    """Calls made on the file system, by kind. A listing is one call here (five system calls)."""

    listings: int = 0
    stats: int = 0
    reads: int = 0

    def __add__(self, other: CallCounts) -> CallCounts:
        return CallCounts(self.listings + other.listings, self.stats + other.stats, self.reads + other.reads)


@dataclass(frozen=True, slots=True)
class Look:
    """The outcome of one look at /pnfs: what was seen, what it cost, and whether it came to its end.

    stuck: the worker did not end within its deadline and was abandoned; what it had seen until then
    is here all the same, and the rest is Unseen. silent: the reason why nothing at all could be
    seen (the root folder is away), else None.
    """

    sightings: tuple[Sighting, ...]
    calls: CallCounts
    seconds: float
    stuck: bool = False
    silent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stuck:
    """A process that hangs in a call on a tree, was killed, and does not die.

    start: in clock ticks since the boot, since pids are used again. tree: `pnfs`, `workflow` or `postprocessing`; what:
    the folders that it hangs on, with ", " between them.
    """

    pid: int
    start: int
    boot_id: str
    tree: str
    what: str
    since: datetime


@dataclass(frozen=True, slots=True)
class EvidenceFile:
    """A file that an earlier run of post-processing left: size in bytes, mtime in seconds since the epoch.

    flaw: why it is not whole, None when it looks so. expnums: the exposure numbers in it, for the files that list some.
    entries: (expnum, nite, band) of each row, for the one that says so. rows: of the first table of a FITS file.
    """

    path: str
    size: int
    mtime: float
    flaw: str | None = None
    expnums: tuple[int, ...] | None = None
    entries: tuple[tuple[int, str, str], ...] | None = None
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class SeasonTrace:
    """What the newest run of another season left in the Post-Processing folder: when it began, and its last word.

    Seconds since the epoch.
    """

    season: int
    began: float
    last: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PostprocEvidence:
    """What a start of post-processing above 0 would read.

    files: by the role that each plays; one that is not there, or cannot be read, is left out. ini: the file that says
    where they are. problem: why none of them can count. others: the runs of other seasons.
    """

    files: Mapping[str, EvidenceFile] = field(default_factory=dict)
    ini: str | None = None
    problem: str | None = None
    others: tuple[SeasonTrace, ...] = ()
