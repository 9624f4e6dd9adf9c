"""output.txt is read in every form that the pipeline's programs have given it, and never with a traceback."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desgw_daemon.domain.decam import BANDS
from desgw_daemon.domain.output_txt import NoOutput, Output, output_text, parse_output
from desgw_daemon.observe.output_txt import read_output

SAMPLE = Path(__file__).parents[2].parent / "shared" / "data" / "sampleoutput.txt"
TWO = ((941225, "i"), (941226, "z"))


class TestForms:
    """The document's three lines, and what came after them."""

    @pytest.mark.parametrize(
        ("text", "nite", "season", "propid"),
        [
            ("[941225 i, 941226 z]\n20200304\n2206\n", "20200304", 2206, None),
            ("\ufeff[941225 i, 941226 z]\r\n20200304\r\n2206", "20200304", 2206, None),
            ("['941225 i', '941226 z']\n20200304\n2206\n", "20200304", 2206, None),
            ('["941225 i","941226 z"]\n"20200304"\n"2206"\n', "20200304", 2206, None),
            ("[941225 i, 941226 z]\n2206\n", None, 2206, None),
            ("[941225 i, 941226 z]\n20200304\n2019B-0353\n", "20200304", None, "2019B-0353"),
            ("[941225 i, 941226 z]\n2206\n2019B-0353\n", None, 2206, "2019B-0353"),
            ("[941225 i, 941226 z]\n20200304\n2206\n'2019B-0353'\n", "20200304", 2206, "2019B-0353"),
            ("[941225 i, 941226 z]\n", None, None, None),
        ],
    )
    def test_each(self, tmp_path: Path, text: str, nite: str | None, season: int | None, propid: str | None) -> None:
        (tmp_path / "output.txt").write_bytes(text.encode())
        assert read_output(tmp_path / "output.txt") == Output(exposures=TWO, nite=nite, season=season, propid=propid)

    def test_without_bands(self) -> None:
        found = parse_output("[941225, '1041226']\n2206\n")
        assert isinstance(found, Output) and found.exposures == ((941225, None), (1041226, None))

    @pytest.mark.skipif(not SAMPLE.exists(), reason=f"{SAMPLE} is not there: a real output.txt")
    def test_sample(self) -> None:
        found = read_output(SAMPLE)
        assert isinstance(found, Output)
        assert found.exposures == tuple((expnum, "i") for expnum in range(941225, 941231))
        assert output_text(TWO, nite=str(found.nite), season=found.season or 0).splitlines()[1:] == ["20200304", "2206"]

    @given(
        st.lists(st.tuples(st.integers(100_000, 9_999_999), st.sampled_from(BANDS)), min_size=1),
        st.dates().map(lambda day: f"20{day:%y%m%d}"),
        st.integers(11, 999_999),
    )
    def test_what_is_written_is_read(self, exposures: list[tuple[int, str]], nite: str, season: int) -> None:
        text = output_text(exposures, nite=nite, season=season)
        assert len(text.splitlines()) == 3
        assert parse_output(text) in (
            Output(exposures=tuple(exposures), nite=nite, season=season, propid=None),
            NoOutput(problems=(f"line 2: '{nite}' is no nite (YYYYMMDD), season or PROPID",)),  # 29 February
        )


class TestOfNoUse:
    """What is no output.txt is named with its line."""

    @pytest.mark.parametrize(
        ("data", "words"),
        [
            (b"", "it is empty"),
            (b"941225 i, 941226 i\n20200304\n", "line 1 is no list such as [941225 i, 941226 i]"),
            (b"[]\n20200304\n2206\n", "line 1: '' is no exposure with its band"),
            (b"[941225 i, 94122 i]\n", "line 1: '94122 i' is no exposure with its band"),
            (b"[941225 i, '941226 i]\n", 'line 1: "\'941226 i" is no exposure with its band'),
            (b"[941225 VR]\n2206\n", "line 1: VR of 941225 is no band (u, g, r, i, z, Y)"),
            (b"[941225 i]\n20200231\n2206\n", "line 2: '20200231' is no nite (YYYYMMDD), season or PROPID"),
            (b"[941225 i]\n2206\n2207\n", "line 3: '2207' is another season than 2206 before it"),
            (b"\x80\x00\xff\n", "line 1 is no list"),
            (b"[" + b"x, " * 100 + b"x]\n", "and 91 more"),
            (b"[941225 i]" * 200_001, "it is longer than 2000000 bytes"),
        ],
    )
    def test_each(self, tmp_path: Path, data: bytes, words: str) -> None:
        (tmp_path / "output.txt").write_bytes(data)
        found = read_output(tmp_path / "output.txt")
        assert isinstance(found, NoOutput)
        assert words in "; ".join(found.problems)

    def test_no_file(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        for name, words in (("nowhere", "No such file"), (".", "Is a directory"), ("pipe", "Not a regular file")):
            assert read_output(tmp_path / name) in [
                NoOutput(problems=(f"it cannot be read: {words}{more}",)) for more in ("", " or directory")
            ]

    @given(st.text())
    def test_never_fails(self, text: str) -> None:
        parse_output(text)
        parse_output(f"[{text}]\n{text}")
