"""exposures.list: exact first column, one pass, and nothing believed of a file that is being written."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desgw_daemon.observe.exposures_list import ExposureData, ExposuresList

HEADER = (
    " EXPNUM      NITE       MJD_OBS       RADEG      DECDEG   BAND  EXPTIME      PROPID  OBSTYPE    TEFF  OBJECT\n"
)
SAMPLE = Path(__file__).parents[3] / "shared" / "data" / "sample_exposures.tab"


def line(expnum: int, *, nite: str = "20211004", band: str = "g", exptime: str = "50.00", teff: str = "1.10") -> str:
    return (
        f"{expnum:8d}  {nite}  59492.347917   93.967875 -21.691360  {band:>5}  {exptime:>7}   2021A-0275  object"
        f"  {teff:>6}   DESNU IC210922A hex 5 of 6\n"
    )


def write(path: Path, *lines: str) -> ExposuresList:
    path.write_text(HEADER + "".join(lines))
    return ExposuresList(path)


class TestLookup:
    """An exposure is found by its exact number in the first column, and by nothing else in the line."""

    def test_the_whole_number(self, tmp_path: Path) -> None:
        listing = write(tmp_path / "e", line(1040414), line(104041, band="r"), line(940414, nite="20200304"))
        found = listing.lookup({1040414, 104041, 40414, 59492, 20211004}).found
        assert found == {
            1040414: ExposureData(expnum=1040414, nite="20211004", band="g", exptime=50.0),
            104041: ExposureData(expnum=104041, nite="20211004", band="r", exptime=50.0),
        }

    def test_odd_values_are_returned_as_they_are(self, tmp_path: Path) -> None:
        listing = write(
            tmp_path / "e",
            line(900001, band="VR", teff="NaN"),
            line(900002, exptime="NaN"),
            line(900003, nite="?"),
            line(900004, exptime="***"),
        )
        found = listing.lookup(range(900001, 900005)).found
        assert (found[900001].band, found[900001].exptime) == ("VR", 50.0)
        assert (found[900002].exptime, found[900004].exptime) == (None, None)
        assert found[900003].nite == "?"

    def test_two_lines_that_differ_are_a_conflict(self, tmp_path: Path) -> None:
        listing = write(
            tmp_path / "e",
            line(900001),
            line(900001, teff="0.5"),
            line(900002, band="g"),
            line(900002, band="r"),
            line(900003, nite="20211004"),
            line(900003, nite="20211005"),
            line(900003, nite="20211004"),
        )
        found = listing.lookup(range(900001, 900004)).found
        assert {expnum: data.conflict for expnum, data in found.items()} == {900001: False, 900002: True, 900003: True}

    @pytest.mark.parametrize("cut", range(1, len(line(900002))))
    def test_a_line_cut_off_is_believed_whole_or_not_at_all(self, tmp_path: Path, cut: int) -> None:
        listing = write(tmp_path / "e", line(900001), line(900002, band="VR")[:cut])
        found = listing.lookup([900001, 900002]).found
        assert 900001 in found
        whole = ExposureData(expnum=900002, nite="20211004", band="VR", exptime=50.0)
        assert found.get(900002) in (None, whole)

    @pytest.mark.skipif(not SAMPLE.exists(), reason="the sample of real lines is not beside this checkout")
    def test_real_lines_without_header_and_with_one_more_column(self) -> None:
        rows = [row.split() for row in SAMPLE.read_text().splitlines()]
        found = ExposuresList(SAMPLE).lookup([int(row[0]) for row in rows]).found
        assert len(found) == 40
        assert all(
            (found[int(row[0])].nite, found[int(row[0])].band, found[int(row[0])].exptime)
            == (row[1], row[5], float(row[6]))
            for row in rows
        )

    @given(st.binary(max_size=400))
    def test_no_file_makes_it_fail(self, data: bytes) -> None:
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"941225 " + data + b"\n941225" + data)
            file.flush()
            assert ExposuresList(Path(file.name)).lookup([941225]).problem is None


class TestMemory:
    """The file is read once for each question that is new, and again when it has changed."""

    def reads(self) -> int:
        """Bytes that this process has asked of files."""
        fields = dict(row.split(": ") for row in Path("/proc/self/io").read_text().splitlines())
        return int(fields["rchar"])

    def test_nothing_is_read_twice(self, tmp_path: Path) -> None:
        listing = write(tmp_path / "e", *(line(900000 + n) for n in range(20_000)))
        size = (tmp_path / "e").stat().st_size
        begin = self.reads()
        assert listing.lookup([900001, 100001]).found.keys() == {900001}
        once = self.reads()
        assert once - begin >= size
        for _ in range(5):
            assert listing.lookup([900001, 100001]).found.keys() == {900001}
            assert listing.lookup([100001]).found == {}
        assert self.reads() - once < size / 10

    def test_a_new_line_is_found(self, tmp_path: Path) -> None:
        listing = write(tmp_path / "e", line(900001))
        assert listing.lookup([900002]).found == {}
        with (tmp_path / "e").open("a") as file:
            file.write(line(900002))
        assert listing.lookup([900002]).found.keys() == {900002}

    def test_a_replaced_file_is_read_again(self, tmp_path: Path) -> None:
        listing = write(tmp_path / "e", line(900001, band="g"))
        assert listing.lookup([900001]).found[900001].band == "g"
        before = (tmp_path / "e").stat()
        write(tmp_path / "new", line(900001, band="r"))
        os.utime(tmp_path / "new", ns=(before.st_atime_ns, before.st_mtime_ns))
        (tmp_path / "new").replace(tmp_path / "e")
        assert listing.lookup([900001]).found[900001].band == "r"


class TestAway:
    """A file that cannot be read is a problem in words, and nothing is remembered of it."""

    def test_it_comes_back(self, tmp_path: Path) -> None:
        path = tmp_path / "exposures.list"
        listing = ExposuresList(path)
        answer = listing.lookup([900001])
        assert answer.found == {}
        assert answer.problem == f"{path} cannot be read: No such file or directory"
        write(path, line(900001))
        assert listing.lookup([900001]).found.keys() == {900001}
        path.unlink()
        assert listing.lookup([900001]).problem is not None

    def test_a_folder_or_a_pipe(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        begin = time.monotonic()
        assert ExposuresList(tmp_path).lookup([900001]).problem == f"{tmp_path} cannot be read: Is a directory"
        pipe = tmp_path / "pipe"
        assert ExposuresList(pipe).lookup([900001]).problem == f"{pipe} cannot be read: Not a regular file"
        assert time.monotonic() - begin < 5
