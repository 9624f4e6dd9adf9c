"""Trees such as the grid jobs leave on /pnfs, built from the facts about their names."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

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
