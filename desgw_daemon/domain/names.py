"""The grammar of names that the pipeline's programs give to files and folders.

Every name is matched whole: a look-alike (``r_07_old``, ``outputs_*.part``, a tarball of another
exposure) is never taken for the real thing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from desgw_daemon.domain.decam import ALL_CCDS, BANDS

_CCD_FOLDER: Final = re.compile(r"(?P<band>[ugrizY])_(?P<ccd>\d\d)", re.ASCII)
_TARBALL: Final = re.compile(
    r"outputs_dp(?P<season>\d+)_(?P<nite>\d{8})_(?P<expnum>\d+)_(?P<band>[ugrizY])_(?P<ccd>\d\d)\.tar\.gz",
    re.ASCII,
)
#: Any characters in the middle: to overlook a FAIL would make a failed CCD complete.
_STEP_FAIL: Final = re.compile(r"RUN(?P<step>\d\d)_.*\.FAIL", re.ASCII | re.DOTALL)
_FORCEFILE_END: Final = re.compile(r"\.(?P<kind>fits|psf)(?:\.fz)?\Z", re.ASCII)
_FORCEFILE_CCD: Final = re.compile(r"_(?P<band>[ugrizY])_(?P<ccd>\d\d)(?=[^A-Za-z0-9])", re.ASCII)
_NITE: Final = re.compile(r"(?:19|20)\d{6}", re.ASCII)

#: A CCD on which no template overlaps leaves only this file.
NOOVERLAPS: Final = "NOOVERLAPS.FAIL"
#: Written by every job, body NONE when all is well: no failure by itself.
RUN_ALL: Final = "RUN_ALL.FAIL"

ForcefileKind = Literal["fits", "psf"]


@dataclass(frozen=True, slots=True)
class ExposureKey:
    """What an exposure is: (season, nite, expnum)."""

    season: int
    nite: str
    expnum: int
    band: str

    @property
    def dp(self) -> str:
        """Folder name of the season."""
        return f"dp{self.season}"

    def exp_folder(self) -> str:
        """Folder of the CCDs below the /pnfs root."""
        return f"exp/{self.nite}/{self.expnum}/{self.dp}"

    def ccd_folder(self, ccd: int) -> str:
        """Folder of one CCD below the /pnfs root."""
        return f"{self.exp_folder()}/{self.band}_{ccd:02d}"

    def forcephoto_folder(self) -> str:
        """Folder of the forcephoto files below the /pnfs root."""
        return f"forcephoto/images/{self.dp}/{self.nite}/{self.expnum}"

    def tarball(self, ccd: int) -> str:
        """Name of the tarball that a finished CCD leaves in its folder."""
        return f"outputs_{self.dp}_{self.nite}_{self.expnum}_{self.band}_{ccd:02d}.tar.gz"


def is_nite(text: str) -> bool:
    """Whether the text is a calendar day written YYYYMMDD."""
    if not _NITE.fullmatch(text):
        return False
    try:
        datetime.strptime(text, "%Y%m%d")  # noqa: DTZ007 - a calendar day has no zone
    except ValueError:
        return False
    return True


def is_band(text: str) -> bool:
    """Whether SEdiff accepts this band."""
    return text in BANDS


def ccd_of_folder(name: str, band: str) -> int | None:
    """CCD number of a folder name such as ``i_05`` of this band, else None."""
    match = _CCD_FOLDER.fullmatch(name)
    if match is None or match["band"] != band:
        return None
    ccd = int(match["ccd"])
    return ccd if ccd in ALL_CCDS else None


def is_tarball(name: str) -> bool:
    """Whether the name has the form of an outputs tarball, of whatever exposure."""
    return _TARBALL.fullmatch(name) is not None


def looks_like_output(name: str) -> bool:
    """Whether the old automation (``outputs_*``) would have taken the file for a tarball."""
    return name.startswith("outputs_")


def is_fail(name: str) -> bool:
    """Whether the file is a sign of failure: a step's FAIL or NOOVERLAPS. RUN_ALL is none."""
    return name == NOOVERLAPS or fail_step(name) is not None


def fail_step(name: str) -> int | None:
    """Step number of ``RUNkk_name.FAIL``, else None (also for NOOVERLAPS and RUN_ALL).

    SEdiff has 28 steps (steplist.txt of Post-Processing). A later step counts, too: to overlook its FAIL would make a
    failed CCD complete.
    """
    match = _STEP_FAIL.fullmatch(name)
    return int(match["step"]) or None if match is not None else None


def first_fail(names: tuple[str, ...]) -> str | None:
    """The name that tells where a CCD failed: the lowest step of several, else NOOVERLAPS."""
    steps = sorted((step, name) for name in names if (step := fail_step(name)) is not None)
    if steps:
        return steps[0][1]
    return NOOVERLAPS if NOOVERLAPS in names else None


@dataclass(frozen=True, slots=True)
class ForcefileName:
    """What the name of a forcephoto file says."""

    band: str
    ccd: int
    kind: ForcefileKind


def parse_forcefile(name: str, expnum: int) -> ForcefileName | None:
    """Band, CCD and kind of a forcephoto file of this exposure, else None.

    The CCD stands as ``_BAND_CC`` somewhere in the name, delimited; the last one counts, since the
    field's own name may look like one. A trailing ``.fz`` may appear.
    """
    end = _FORCEFILE_END.search(name)
    if end is None or f"_{expnum}_" not in name:
        return None
    found = [m for m in _FORCEFILE_CCD.finditer(name) if int(m["ccd"]) in ALL_CCDS]
    if not found:
        return None
    kind: ForcefileKind = "fits" if end["kind"] == "fits" else "psf"
    return ForcefileName(band=found[-1]["band"], ccd=int(found[-1]["ccd"]), kind=kind)
