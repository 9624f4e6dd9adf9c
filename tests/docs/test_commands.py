"""The commands that the pages name are commands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import pytest

from desgw_daemon.cli.main import build_parser

from .pages import DOCS, names, sections

#: Stand for something in a command.
PLACEHOLDERS = {
    "EXPNUM": "1400001",
    "N": "2206",
    "NITE": "20261121",
    "FILE": "tonight.list",
}


def commands() -> Iterator[str]:
    """Every `desgw-daemon ...` in the pages, in the text and in pieces of shell."""
    for path in sorted(DOCS.rglob("*.md")):
        text = path.read_text(encoding="utf-8")
        lines = [line for section in sections(text) for piece in section.code("sh") for line in piece.split("\n")]
        for words in (*names(text), *lines):
            if words.startswith("desgw-daemon ") and not re.search(r"[|]|\.\.\.", words):
                yield words


class TestCommands:
    """Each is one that the program understands."""

    @pytest.mark.parametrize("command", sorted(set(commands())))
    def test_parses(self, command: str) -> None:
        words = [
            PLACEHOLDERS.get(word, word) for word in shlex.split(command.partition(" > ")[0].removesuffix(" &"))[1:]
        ]
        build_parser().parse([word for word in words if word])

    def test_there_are_some(self) -> None:
        assert len(set(commands())) > 10
