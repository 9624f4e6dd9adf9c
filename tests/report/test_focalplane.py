"""The focal plane: which CCD lies in which row, and the drawing."""

from __future__ import annotations

import pytest

from desgw_daemon.domain.decam import ALL_CCDS
from desgw_daemon.report.focalplane import ROWS, draw


class TestRows:
    """Twelve centred rows of 3 4 5 6 6 7 7 6 6 5 4 3, rising along each row (detectors S29-S31 to N29-N31)."""

    def test_every_ccd_once(self) -> None:
        assert [ccd for row in ROWS for ccd in row] == list(ALL_CCDS)

    @pytest.mark.parametrize(
        ("row", "first", "last"),
        # The detectors of each row, S29-S31 first.
        [
            (0, 1, 3),
            (1, 4, 7),
            (2, 8, 12),
            (3, 13, 18),
            (4, 19, 24),
            (5, 25, 31),
            (6, 32, 38),
            (7, 39, 44),
            (8, 45, 50),
            (9, 51, 55),
            (10, 56, 59),
            (11, 60, 62),
        ],
    )
    def test_row(self, row: int, first: int, last: int) -> None:
        assert list(ROWS[row]) == list(range(first, last + 1))


class TestDrawing:
    """Each CCD stands once with its mark, its row centred."""

    def test_marks(self) -> None:
        lines = draw({ccd: "C" if ccd % 2 else "F" for ccd in ALL_CCDS})
        words = " ".join(lines).split()
        assert words == [word for ccd in ALL_CCDS for word in (f"{ccd:02d}", "C" if ccd % 2 else "F")]

    def test_centred(self) -> None:
        lines = draw(dict.fromkeys(ALL_CCDS, "C"))
        middles = {len(line) + len(line) - len(line.lstrip()) for line in lines}
        assert len(middles) == 1
        assert max(map(len, lines)) == 40
