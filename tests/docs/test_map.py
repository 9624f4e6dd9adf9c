"""docs/map.md names every module, and none that has gone."""

from __future__ import annotations

from collections import Counter

from .pages import ROOT, names, page, sections

PACKAGE = ROOT / "desgw_daemon"
PAGE = sections(page("map.md"))
FIRST = next(i for i, section in enumerate(PAGE) if section.title == "The modules")

#: The stand-ins are programs of their own, and the map shows their folder. `_installed` holds copies in a wheel.
LEFT_OUT = ("sandbox/standins/", "_installed/")


def modules() -> set[str]:
    """Every module of the package; an __init__.py is its folder's."""
    found = (path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")
    return {path for path in found if not path.startswith(LEFT_OUT)}


def listed() -> list[str]:
    """The modules that have a row, in order."""
    return [name for section in PAGE[FIRST:] for cell, _ in section.table for name in names(cell)]


class TestModules:
    """Each module has one row, under the heading of its package."""

    def test_all(self) -> None:
        assert sorted(modules() - set(listed())) == [], "not on the map"
        assert sorted(set(listed()) - modules()) == [], "gone"

    def test_once(self) -> None:
        assert [name for name, count in Counter(listed()).items() if count > 1] == []

    def test_in_place(self) -> None:
        for section in PAGE[FIRST:]:
            folder = next(iter(names(section.title)), "")
            for cell, what in section.table:
                (name,) = names(cell)
                assert name.rpartition("/")[0] == folder.rstrip("/")
                assert what


class TestElsewhere:
    """What the rest of the page names exists."""

    def test_paths(self) -> None:
        text = "\n".join("\n".join(section.lines) for section in PAGE[:FIRST])
        paths = [name for name in names(text) if "/" in name]
        assert len(paths) > 40
        assert [path for path in paths if not ((PACKAGE / path).exists() or (ROOT / path).exists())] == []

    def test_twenty_places(self) -> None:
        where = next(section for section in PAGE if section.title.startswith("Where do I change"))
        assert len(where.table) >= 20
