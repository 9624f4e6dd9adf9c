"""`status EXPNUM`: one exposure, CCD by CCD."""

from __future__ import annotations

import re
from pathlib import Path

from . import filled
from .conftest import change
from .test_status import as_json, shown


class TestOneExposure:
    """status EXPNUM shows each of the 62 positions with a letter, and names what is wrong with which CCD."""

    def test_plane(self, night: Path) -> None:
        lines = shown(str(filled.FEW), cwd=night).splitlines()
        assert "              01 F  02 -  03 F" in lines
        assert "  25 C  26 C  27 C  28 C  29 C  30 C  31 -" in lines
        assert "     39 C  40 M  41 B  42 L  43 L  44 C" in lines
        assert "  C complete  F failed  . pending  M missing  B broken  L lost  - not processed" in lines

    def test_never_looked_at(self, night: Path) -> None:
        text = shown(str(filled.MAKING), cwd=night)
        assert "CCDs, never looked at: 59 pending of 59" in text
        assert "  25 .  26 .  27 .  28 .  29 .  30 .  31 -" in text

    def test_troubles(self, night: Path) -> None:
        text = shown(str(filled.FEW), cwd=night)
        assert (
            "  r_01  failed    RUN18_search.FAIL; job 81234501.0@jobsub01.example.org, host fnpc1.example.org\n" in text
        )
        assert "  r_40  missing   it has no folder on /pnfs\n" in text
        assert "  r_41  broken    its tarball is empty since " in text
        assert "  r_43  lost      its DAG ended at " in text
        assert "r_44" not in text

    def test_files(self, night: Path) -> None:
        text = shown(str(filled.PARTIAL), cwd=night)
        # More of them may come, and its folders are looked at seldom.
        assert re.search(r"Forcephoto files of the complete CCDs \(as of \S+Z, \d+ min ago\): 104 of 114 found\n", text)
        assert "  missing (10): r_01 .fits, r_01 .psf, " in text
        assert "  too many (1): WS2206_1200202_" in shown(str(filled.SURPLUS), cwd=night)

    def test_run(self, night: Path) -> None:
        text = shown("1200121", cwd=night)
        assert "  run  2  running" in text
        assert "  run  1" not in text

    def test_unseen(self, night: Path) -> None:
        text = shown(str(filled.UNSEEN), cwd=night)
        assert "\nnot seen since " in text
        assert ": exp/20261121/1200206/dp2206/r_09: Input/output error" in text

    def test_stale_sign(self, night: Path) -> None:
        words = "RUN05_x.FAIL is older than this attempt's tarball: it does not count"
        change(
            night,
            "UPDATE ccd SET reason = ?, stale = '[\"RUN05_x.FAIL\"]' WHERE ccd = 20 AND exposure_id ="
            " (SELECT id FROM exposure WHERE expnum = ?)",
            words,
            filled.FULL,
        )
        assert f"  r_20  complete  {words}\n" in shown(str(filled.FULL), cwd=night)

    def test_json(self, night: Path) -> None:
        (exposure,) = as_json(str(filled.FEW), cwd=night)["exposures"]
        assert len(exposure["ccd"]) == 59
        first = exposure["ccd"][0]
        assert (first["ccd"], first["state"], first["step"], first["fails"]) == (
            1,
            "failed",
            "RUN18_search.FAIL",
            ["RUN18_search.FAIL"],
        )
