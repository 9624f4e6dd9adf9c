"""List files for the queue: taken whole or not at all, and each bad line named."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desgw_daemon.observe.lists import MAX_BYTES, ParsedList, RefusedList, parse_list, read_list

#: Bad files, and what must be said of each: the line, and what is wrong with it.
BAD = {
    "empty": (b"", "it names no exposure"),
    "blank lines only": (b"\n  \n\t\n", "it names no exposure"),
    "comments only": (b"# tonight\n#941225 i\n", "it names no exposure"),
    "a byte-order mark only": (b"\xef\xbb\xbf", "it names no exposure"),
    "not a number": (b"941225 i\nexposure\n", "line 2: 'exposure' is no exposure number"),
    "a header line": (b"EXPNUM BAND NITE\n941225 i 20200304\n", "line 1: 'EXPNUM' is no exposure number"),
    "a number that is too short": (b"94122\n", "line 1: '94122' is no exposure number"),
    "a number that is too long": (b"94122500\n", "line 1: '94122500' is no exposure number"),
    "a number of five thousand digits": (b"9" * 5000, "line 1: '" + "9" * 40 + "' is no exposure number"),
    "a leading zero": (b"0941225\n", "line 1: '0941225' is no exposure number"),
    "a sign": (b"-941225\n", "line 1: '-941225' is no exposure number"),
    "a fraction": (b"941225.0\n", "line 1: '941225.0' is no exposure number"),
    "digits of another script": ("९४१२२५\n".encode(), "line 1: '९४१२२५' is no exposure number"),
    "an unknown band": (b"941225 q\n", "line 1: 'q' is no band (u, g, r, i, z, Y)"),
    "a band in the wrong case": (b"941225 y\n", "line 1: 'y' is no band"),
    "the band that is not processed": (b"941225 i\n941226 VR\n", "line 2: band VR: SEdiff does not process it"),
    "nite instead of band": (b"941225 20200304\n", "line 1: '20200304' is no band"),
    "a nite that is no day": (b"941225 i 20200230\n", "line 1: '20200230' is no nite (YYYYMMDD)"),
    "a nite with dashes": (b"941225 i 2020-03-04\n", "line 1: '2020-03-04' is no nite"),
    "a nite of another century": (b"941225 i 18200304\n", "line 1: '18200304' is no nite"),
    "too many words": (b"941225 i 20200304 2206\n", "line 1: 4 words, at most three"),
    "several numbers in a line": (b"941225 941226 941227\n", "line 1: '941226' is no band"),
    "commas": (b"941225,i\n", "line 1: '941225,i' is no exposure number"),
    "the seed's output form": (b"[941225 i, 941226 i]\n20200304\n2206\n", "line 1: 4 words"),
    "two bands": (b"941225 i\n#\n941225 r\n", "line 3: 941225 is r here and i in line 1"),
    "two bands in two nites": (b"941225 i 20200304\n941225 r 20200305\n", "line 2: 941225 is r here and i in line 1"),
    "NUL bytes": (b"941225 i\n\0\0\0\n", "it is no text: it holds NUL bytes"),
    "UTF-16": ("941225 i\n".encode("utf-16"), "it is no text: it holds NUL bytes"),
    "a compressed file": (gzip.compress(b"941225 i\n", mtime=0), "NUL bytes"),
    "bytes that are no text": (b"\xff\xfe\xfa 941225\n", "line 1: '\\xff\\xfe\\xfa' is no exposure number"),
    "old line ends": (b"941225 i\r941226 i\r", "line 1: 4 words"),
    "a terminal's colours": (b"\x1b[31m941225 i\x1b[0m\n", "line 1: '\\x1b[31m941225' is no exposure number"),
    "too long": (b"941225\n" * (MAX_BYTES // 7 + 1), f"it is longer than {MAX_BYTES} bytes"),
    "an exposures.list": (b" 1040414  20211004  59492.347917   93.967875 -21.691360      g\n", "line 1: 6 words"),
    "a page that was saved": (b"<html><body>941225</body></html>\n", "line 1: '<html><body>941225</body></html>'"),
}


class TestBadLists:
    """A list with one bad line is refused as a whole, and the line is named with what is wrong with it."""

    @pytest.mark.parametrize("name", BAD)
    def test_refused_with_words(self, name: str) -> None:
        data, words = BAD[name]
        refused = parse_list(data)
        assert isinstance(refused, RefusedList)
        assert words in refused.problems[0]
        assert all(problem.isprintable() for problem in refused.problems)

    def test_good_lines_do_not_save_it(self) -> None:
        refused = parse_list(b"941225 i\n941226 i\nx\n941227 q\n")
        assert isinstance(refused, RefusedList)
        assert [problem.split(":")[0] for problem in refused.problems] == ["line 3", "line 4"]

    def test_of_many_problems_the_first_are_told(self) -> None:
        refused = parse_list(b"x\n" * 1000)
        assert isinstance(refused, RefusedList)
        assert len(refused.problems) == 11
        assert refused.problems[-1] == "and 990 more"


def entries(data: bytes) -> list[tuple[int, str | None, str | None]]:
    parsed = parse_list(data)
    assert isinstance(parsed, ParsedList), parsed
    return [(entry.expnum, entry.band, entry.nite) for entry in parsed.entries]


class TestGoodLists:
    """What a person may reasonably write is understood."""

    def test_words_comments_and_blanks(self) -> None:
        data = b"# a night\n\n941225\n  941226 i # best seeing\n\t1041227\tY\t20200304\n"
        assert entries(data) == [(941225, None, None), (941226, "i", None), (1041227, "Y", "20200304")]

    def test_windows_and_a_byte_order_mark(self) -> None:
        assert entries(b"\xef\xbb\xbf941225 i\r\n941226 r\r\n") == [(941225, "i", None), (941226, "r", None)]

    def test_no_line_end_at_the_end(self) -> None:
        assert entries(b"941225 i\n941226 i") == [(941225, "i", None), (941226, "i", None)]

    def test_comments_in_any_encoding(self) -> None:
        assert entries("941225 i # première nuit\n".encode("latin-1")) == [(941225, "i", None)]

    def test_line_numbers_are_kept(self) -> None:
        parsed = parse_list(b"\n# x\n941225\n")
        assert isinstance(parsed, ParsedList)
        assert parsed.entries[0].line == 3


class TestDuplicates:
    """An exposure that stands twice is named and taken once; a line that says less is about the same one."""

    def test_named_and_taken_once(self) -> None:
        parsed = parse_list(b"941225 i\n941226 i\n941225 i\n")
        assert isinstance(parsed, ParsedList)
        assert len(parsed.entries) == 2
        assert parsed.duplicates == ("941225 stands in line 1 and again in line 3: taken once",)

    def test_what_either_line_says_counts(self) -> None:
        assert entries(b"941225\n941225 i\n941225 i 20200304\n") == [(941225, "i", "20200304")]
        assert entries(b"941225 i 20200304\n941225\n") == [(941225, "i", "20200304")]

    def test_two_nites_are_two_exposures(self) -> None:
        data = b"941225 i 20200304\n941225 i 20200305\n"
        assert entries(data) == [(941225, "i", "20200304"), (941225, "i", "20200305")]


class TestAnything:
    """No bytes make the reader fail, and what it takes is always an exposure."""

    @given(st.binary(max_size=300))
    def test_bytes(self, data: bytes) -> None:
        self.check(data)

    @given(st.text("0123456789 \n\r\t#ugrizYVR\0é\x85\u2028", max_size=300))
    def test_text(self, text: str) -> None:
        self.check(text.encode())

    @given(st.lists(st.tuples(st.integers(941225, 941228), st.sampled_from([None, *"ri"]), st.booleans()), max_size=12))
    def test_each_number_has_one_band(self, rows: list[tuple[int, str | None, bool]]) -> None:
        lines = (f"{n} {band or ''}{' 20200304' if nite and band else ''}" for n, band, nite in rows)
        parsed = self.check("\n".join(lines).encode())
        bands = {n: {band for m, band, _ in rows if m == n and band} for n, _, _ in rows}
        if any(len(said) > 1 for said in bands.values()) or not rows:
            assert isinstance(parsed, RefusedList)
        else:
            assert isinstance(parsed, ParsedList)
            assert {entry.expnum: entry.band for entry in parsed.entries} == {
                n: next(iter(said), None) for n, said in bands.items()
            }
            assert len(parsed.entries) + len(parsed.duplicates) == len(rows)

    def check(self, data: bytes) -> ParsedList | RefusedList:
        parsed = parse_list(data)
        match parsed:
            case ParsedList():
                assert parsed.entries
                assert all(100_000 <= entry.expnum <= 9_999_999 for entry in parsed.entries)
            case RefusedList():
                assert parsed.problems
                assert all(problem.isprintable() for problem in parsed.problems)
        return parsed


class TestReadList:
    """A path that is no readable file is refused with words, and never waited for."""

    def test_paths(self, tmp_path: Path) -> None:
        (tmp_path / "good").write_text("941225 i\n")
        (tmp_path / "link").symlink_to(tmp_path / "good")
        os.mkfifo(tmp_path / "pipe")
        assert isinstance(read_list(tmp_path / "good"), ParsedList)
        assert isinstance(read_list(tmp_path / "link"), ParsedList)
        assert read_list(tmp_path / "none") == RefusedList(problems=("no such file",))
        assert read_list(tmp_path) == RefusedList(problems=("no regular file",))
        assert read_list(tmp_path / "pipe") == RefusedList(problems=("no regular file",))
