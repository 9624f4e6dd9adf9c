"""Foreign bytes are made fit for a line of output, and printable names are left as they are."""

from __future__ import annotations

import os

from hypothesis import given
from hypothesis import strategies as st

from desgw_daemon.observe.text import last_lines, plain_name, plain_text


class TestPlainName:
    """A name comes out printable; one that was printable is not touched."""

    @given(st.binary(min_size=1, max_size=60))
    def test_any_bytes(self, name: bytes) -> None:
        shown = plain_name(os.fsdecode(name))
        assert shown.isprintable()
        shown.encode()

    @given(st.text(st.characters(exclude_categories=["C", "Z"])))
    def test_printable(self, name: str) -> None:
        assert plain_name(name) == name


class TestPlainText:
    """Text loses what moves a cursor or cannot be stored, and keeps its lines."""

    @given(st.binary(max_size=200))
    def test_any_bytes(self, data: bytes) -> None:
        text = plain_text(data)
        text.encode()
        assert all(character.isprintable() or character in "\n\t\xa0" or ord(character) > 0x9F for character in text)

    def test_a_terminal_is_not_needed(self) -> None:
        assert plain_text(b"\x1b[1;31mError copying\x1b[0m x\r\n50%\r100%\n\x1b]0;title\x07done\0") == (
            "Error copying x\n50%\n100%\ndone\N{REPLACEMENT CHARACTER}"
        )


class TestLastLines:
    """The last lines that hold anything, not too long."""

    def test_blank_lines_do_not_count(self) -> None:
        assert last_lines("a\nb\n\nc  \n\n \n", 2) == ("b", "c")
        assert last_lines("", 3) == ()
        assert last_lines("x" * 1000, 3) == ("x" * 300,)
