"""docs/README.md leads to every page, and no link leads nowhere."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from .pages import DOCS, links, page

PAGES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))


class TestIndex:
    """Each page has one line in the index."""

    def test_all(self) -> None:
        listed = Counter(link for link in links(page("README.md")) if not link.startswith("../"))
        assert sorted(listed) == [name for name in PAGES if name != "README.md"]
        assert set(listed.values()) == {1}


class TestLinks:
    """Every link within the project leads to a file; one to a heading leads to a heading of the page."""

    @pytest.mark.parametrize("name", PAGES)
    def test_files(self, name: str) -> None:
        folder = (DOCS / name).parent
        assert [link for link in links(page(name)) if "://" not in link and not Path(folder, link).exists()] == []

    @pytest.mark.parametrize("name", PAGES)
    def test_headings(self, name: str) -> None:
        text = page(name)
        assert [anchor for anchor in anchors(text) if anchor not in headings(text)] == []


def anchors(text: str) -> list[str]:
    """Targets of the links within a page."""
    return [piece.split(")")[0] for piece in text.split("](#")[1:]]


def headings(text: str) -> set[str]:
    """The names that a renderer gives to the headings."""
    lines = (line.lstrip("#").strip() for line in text.split("\n") if line.startswith("#"))
    return {"".join(c for c in line.lower().replace(" ", "-") if c.isalnum() or c in "-_") for line in lines}
