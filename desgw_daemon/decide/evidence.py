"""What one file tells of a start of post-processing: is it stale, of other exposures, of another season?

Each rule gives its reason in words, or None when all is well. The table of starts is in skipto.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from desgw_daemon.decide.words import at, plural, some
from desgw_daemon.domain.facts import EvidenceFile, SeasonTrace

#: The clock of /pnfs may differ from this host's by so much.
_SLACK: Final = timedelta(minutes=1)
#: Two files of one run are stamped by one server; one that seems older by no more than this is not taken for stale.
_ORDER: Final = timedelta(seconds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class NextRun:
    """The run that is about to start. exposures: (expnum, nite, band) of each.

    results_at: when the newest of their forcephoto files was written, as far as that is known.
    """

    season: int
    fingerprint: str
    exposures: tuple[tuple[int, str, str], ...]
    results_at: datetime | None = None

    @property
    def expnums(self) -> frozenset[int]:
        """Their numbers."""
        return frozenset(expnum for expnum, _, _ in self.exposures)


def older_than(file: EvidenceFile, earlier: Iterable[EvidenceFile]) -> str | None:
    """Stale, if something that is made before it is newer."""
    for other in earlier:
        if file.mtime + _ORDER.total_seconds() < other.mtime:
            return f"{file.path} ({when(file)}) is older than {other.path} ({when(other)}), which comes before it"
    return None


def of_others(role: str, file: EvidenceFile, coming: NextRun) -> str | None:
    """Of other exposures or bands than those of the run that is about to start."""
    wanted = coming.expnums
    if role == "filename_1" and file.rows is not None and file.rows != len(wanted):
        return f"{file.path} has {plural(file.rows, 'row')}, for {plural(len(wanted), 'exposure')}"
    if role == "expniteband_df":
        wanted_rows = {f"{expnum} {band} of {nite}" for expnum, nite, band in coming.exposures}
        return _differ(file, wanted_rows, {f"{expnum} {band} of {nite}" for expnum, nite, band in file.entries or ()})
    if role == "step0_expnums":
        return _differ(file, {str(expnum) for expnum in wanted}, {str(expnum) for expnum in file.expnums or ()})
    if role == "step0_blacklist" and (lost := wanted & set(file.expnums or ())):
        return f"{file.path} leaves {some(str(expnum) for expnum in sorted(lost))} out"
    if role == "truthplus" and file.expnums is not None and (lost := wanted - set(file.expnums)):
        return f"{file.path} has no row of {some(str(expnum) for expnum in sorted(lost))}"
    if role == "forcephoto" and coming.results_at is not None:
        newest = coming.results_at.timestamp()
        if file.mtime + _SLACK.total_seconds() < newest:
            return f"{file.path} ({when(file)}) is older than a forcephoto file ({at(coming.results_at)})"
    return None


def _differ(file: EvidenceFile, wanted: set[str], found: set[str]) -> str | None:
    if wanted == found:
        return None
    said = f"{file.path} names other exposures"
    said += f": it lacks {some(sorted(wanted - found))}" if wanted - found else ""
    return said + (f"{',' if wanted - found else ':'} it has {some(sorted(found - wanted))}" if found - wanted else "")


def of_another_season(file: EvidenceFile, ours: float, others: Iterable[SeasonTrace]) -> str | None:
    """hostmatchstatus.txt is one file for all seasons: a run of another one may have written it after ours.

    ours: when this season's step 2 ended. A run of another season that began after that and before the file was
    written, or that was at work when it was written, may be the one that wrote it.
    """
    for other in others:
        if other.began <= file.mtime and (file.mtime <= other.last or ours <= other.began):
            since = clock(other.began)
            return f"{file.path} ({when(file)}) may be from season {other.season}, whose run began at {since}"
    return None


def described(file: EvidenceFile) -> str:
    """Path, size in bytes, time."""
    return f"{file.path}: {file.size} bytes, {when(file)}"


def when(file: EvidenceFile) -> str:
    """When it was written."""
    return clock(file.mtime)


def clock(seconds: float) -> str:
    """Seconds since the epoch, as a moment."""
    return at(datetime.fromtimestamp(seconds, UTC))
