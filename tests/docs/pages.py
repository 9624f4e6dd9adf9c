"""Reading the pages of docs/: their sections, tables and pieces of code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"

_HEADING: Final = re.compile(r"(#+) (.+)")
_NAME: Final = re.compile(r"`([^`]+)`")
_RULE: Final = re.compile(r":?-+:?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """What stands between one heading and the next of any level."""

    title: str
    level: int
    lines: tuple[str, ...]

    @property
    def table(self) -> list[list[str]]:
        """The cells of its table, row by row, without the heading; a cell's text is as it stands."""
        rows = [_cells(line) for line in self.lines if line.startswith("|")]
        return [row for row in rows[1:] if not all(_RULE.fullmatch(cell) for cell in row)]

    def code(self, language: str) -> list[str]:
        """Its fenced pieces of code in a language."""
        pieces: list[list[str]] = []
        inside = False
        for line in self.lines:
            if line.startswith("```"):
                if not inside and line == f"```{language}":
                    pieces.append([])
                    inside = True
                else:
                    inside = False
            elif inside:
                pieces[-1].append(line)
        return ["\n".join(piece) for piece in pieces]


def page(name: str) -> str:
    """The text of a page of docs/."""
    return (DOCS / name).read_text(encoding="utf-8")


def sections(text: str) -> list[Section]:
    """The sections of a page, in order. A `#` inside a piece of code is no heading."""
    found: list[tuple[str, int, list[str]]] = []
    fenced = False
    for line in text.split("\n"):
        fenced ^= line.startswith("```")
        heading = None if fenced else _HEADING.fullmatch(line)
        if heading is not None:
            found.append((heading[2], len(heading[1]), []))
        elif found:
            found[-1][2].append(line)
    return [Section(title=title, level=level, lines=tuple(lines)) for title, level, lines in found]


def names(text: str) -> list[str]:
    """What stands between backticks."""
    return _NAME.findall(text)


def links(text: str) -> Iterator[str]:
    """The targets of its links."""
    for match in re.finditer(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        yield match[1]


def _cells(line: str) -> list[str]:
    inner = line.strip().removeprefix("|").removesuffix("|")
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", inner)]
