"""What a grid job leaves behind, as a script of moves, and what such a script amounts to.

A script is what a SEdiff job does once its pictures are through, word by word, in its order:

=================  ==================================================================================
`tarball`          the outputs tarball, whole
`tarball:late`     ... of size 0 first (dCache, while it is written), filled after the late pause
`tarball:empty`    ... of size 0 for good (a broken transfer)
`fail:K`           RUNkk_name.FAIL of step K (1 to 28), `fail:NOOVERLAPS`, or `fail:ALL` (body NONE)
`fits` `psf`       a forcephoto file; `:empty` and `:late` as above, `fits.fz` with a trailing .fz
`stamps`           the stamps tarball
`pause:MS`         a pause of MS milliseconds
`hang`             the job never ends (until the sandbox is deleted)
`exit:N`           it ends here with status N
=================  ==================================================================================

This module must not know the daemon's rules: `fate` says what is really true of such a CCD.
"""

from __future__ import annotations

from typing import Final, Literal

Moves = tuple[str, ...]
Fate = Literal["complete", "failed", "broken", "lost", "missing"]

#: The 28 steps of SEdiff, as its FAIL files name them.
STEPS: Final = (
    *("expose_prepData", "expose_makeStarCat", "expose_mkWStemplate", "expose_stripPV"),
    *("expose_makeWeight", "expose_sex1", "combined_astromScamp", "combined_astromHeaders"),
    *("expose_sex2", "expose_psfex1", "combined+expose_doFake", "combined_swarpSEARCH"),
    *("combined_sexCoadd", "combined_psfexCoadd", "combined_ingest", "combined+expose_distorTEMPLATES"),
    *("combined+expose_sexDistorTEMPLATES", "combined+expose_hotpants", "combined_coaddWSdiff"),
    *("combined_sexDiffim", "combined_mergeDiffim", "combined+expose_filterObj", "combined_makeStamps"),
    *("combined_autoScan", "combined_makeCand", "combined_fakeForcePhoto", "combined_fakeMatch"),
    "combined_prepForcePhoto",
)

#: All went well.
COMPLETE: Final[Moves] = ("tarball", "fits", "psf", "stamps")
#: The tarball shows with size 0 for a while, as dCache does.
LATE_TARBALL: Final[Moves] = ("tarball:late", "fits", "psf", "stamps")
#: The tarball's transfer broke: size 0 for good, and nothing after it.
EMPTY_TARBALL: Final[Moves] = ("tarball:empty",)
#: All went well, and RUN_ALL.FAIL was copied by mistake: no failure.
COMPLETE_WITH_RUN_ALL: Final[Moves] = ("tarball", "fail:ALL", "fits", "psf", "stamps")
#: The SE part failed: status 0, and nothing is copied.
SE_FAILS: Final[Moves] = ("exit:0",)
#: The job's own set-up failed.
SETUP_FAILS: Final[Moves] = ("exit:2",)
#: No template overlaps this CCD.
NO_OVERLAPS: Final[Moves] = ("fail:NOOVERLAPS",)
#: Neither of its forcephoto files came back.
NO_FORCEFILES: Final[Moves] = ("tarball", "stamps")
NO_FITS: Final[Moves] = ("tarball", "psf", "stamps")
NO_PSF: Final[Moves] = ("tarball", "fits", "stamps")
#: The transfer of the PSF broke.
EMPTY_PSF: Final[Moves] = ("tarball", "fits", "psf:empty", "stamps")
#: Failed in the last step, after its force files had been copied to the worker's tray: they are surplus.
FAILS_AT_28: Final[Moves] = ("tarball", "fail:28", "fits", "psf", "stamps")
#: Force files of a CCD that left no other sign: nothing explains them.
STRAY_FORCEFILES: Final[Moves] = ("fits", "psf")
NEVER_ENDS: Final[Moves] = ("hang",)


def fails_at(step: int, *, after_ms: int = 0) -> Moves:
    """Difference imaging fails at this step (1 to 28), its FAIL `after_ms` milliseconds after the tarball."""
    wait = (f"pause:{after_ms}",) if after_ms else ()
    return ("tarball", *wait, f"fail:{step}")


def fate(moves: Moves, *, folder_made: bool = True) -> Fate:
    """What is true of a CCD after these moves, once nothing more can come.

    folder_made: whether DAGMaker made its folder; if not, a job that copies something back does.
    """
    done: list[str] = []
    for move in moves:
        if move == "hang" or move.startswith("exit:"):
            break
        done.append(move)
    if any(move.startswith("fail:") and move != "fail:ALL" for move in done):
        return "failed"
    if "tarball" in done or "tarball:late" in done:
        return "complete"
    if "tarball:empty" in done:
        return "broken"
    return "lost" if folder_made or done else "missing"


def forcefiles(moves: Moves) -> frozenset[str]:
    """The kinds (fits, psf) of forcephoto files with bytes in them that these moves leave."""
    names = {move.removesuffix(":late").removesuffix(".fz") for move in moves}
    return frozenset(names & {"fits", "psf"})
