"""Trees such as the grid jobs leave on /pnfs, built from the facts about their names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from desgw_daemon.domain.facts import Look, LookRequest, Sighting
from desgw_daemon.domain.names import ExposureKey
from desgw_daemon.observe.looker import WORKER, Looker

S = TypeVar("S", bound=Sighting)

CCDS = tuple(ccd for ccd in range(1, 63) if ccd not in (2, 31, 61))
SEASON = 2206
NITE = "20200304"


class Exposure:
    """One exposure's folders, as DAGMaker makes them, to be filled as its jobs would."""

    def __init__(self, root: Path, expnum: int, *, band: str = "i", nite: str = NITE, season: int = SEASON) -> None:
        self.expnum, self.band, self.nite, self.season = expnum, band, nite, season
        self.folder = root / "exp" / nite / str(expnum) / f"dp{season}"
        self.forcephoto = root / "forcephoto" / "images" / f"dp{season}" / nite / str(expnum)

    def make(self, ccds: Iterable[int] = CCDS) -> Exposure:
        """What is there before any job has run."""
        for ccd in ccds:
            (self.ccd(ccd) / "ingest").mkdir(parents=True)
            (self.ccd(ccd) / f"stamps_{self.nite}_WS3345-380_{self.band}_{ccd:02d}").mkdir()
        (self.folder.parent / "input_files").mkdir()
        (self.folder.parent / f"{self.expnum}_run_inputs.tar.gz").write_bytes(b"x")
        return self

    def ccd(self, ccd: int) -> Path:
        """Folder of a CCD."""
        return self.folder / f"{self.band}_{ccd:02d}"

    def tarball(self, ccd: int) -> Path:
        """The tarball that a job copies back first."""
        name = f"outputs_dp{self.season}_{self.nite}_{self.expnum}_{self.band}_{ccd:02d}.tar.gz"
        return self.ccd(ccd) / name

    def pair(self, ccd: int) -> tuple[Path, Path]:
        """The forcephoto files of a CCD."""
        stem = f"WS{self.season}_{self.expnum}_WS3345-380_tile1_combined_{self.band}_{ccd:02d}+fakeSN_diff"
        return self.forcephoto / f"{stem}.fits", self.forcephoto / f"{stem}.psf"

    def finish(self, ccds: Iterable[int] = CCDS, *, forcefiles: bool = True) -> Exposure:
        """These CCDs have come to a good end."""
        self.forcephoto.mkdir(parents=True, exist_ok=True)
        for ccd in ccds:
            self.tarball(ccd).write_bytes(b"tar")
            for file in self.pair(ccd) if forcefiles else ():
                file.write_bytes(b"fits")
        return self

    def fail(self, ccd: int, name: str = "RUN18_combined+expose_hotpants.FAIL", text: str = "hotpants died\n") -> Path:
        """This CCD has failed: the tarball is there all the same."""
        self.tarball(ccd).write_bytes(b"tar")
        path = self.ccd(ccd) / name
        path.write_text(text)
        return path


def request(
    exposure: Exposure,
    number: int = 0,
    *,
    forcefiles: bool = True,
    folders: bool = True,
    ccds: tuple[int, ...] | None = None,
    known_sizes: frozenset[str] = frozenset(),
    known_fails: Mapping[tuple[int, str], tuple[int, float]] | None = None,
) -> LookRequest:
    """What a daemon that knows nothing of the exposure asks for, unless told otherwise."""
    key = ExposureKey(exposure.season, exposure.nite, exposure.expnum, exposure.band)
    return LookRequest(number, key, forcefiles, folders, ccds, known_sizes, known_fails or {})


def look(
    root: Path,
    *requests: LookRequest,
    worker: Sequence[str] = WORKER,
    deadline: timedelta = timedelta(seconds=60),
    calls_at_once: int = 8,
    calls_per_second: float = 0,
    answer_within: timedelta = timedelta(seconds=20),
) -> Look:
    """One look by a looker of its own."""
    return Looker(root=root, worker=worker).look(
        requests,
        deadline=deadline,
        answer_within=answer_within,
        calls_at_once=calls_at_once,
        calls_per_second=calls_per_second,
        max_stuck=1,
    )


def only(look: Look, kind: type[S]) -> list[S]:
    """The sightings of one kind."""
    return [sighting for sighting in look.sightings if isinstance(sighting, kind)]
