"""On which line of daemon.toml each key stands: tomllib does not say."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any


def lines_of_keys(text: str) -> dict[str, int]:
    """`section.key` (and `section`) -> line number, counted from 1, where it is set.

    The text must be right TOML. It is taken apart into statements, the shortest runs of lines that are
    TOML by themselves, so that texts and lists over several lines are no trap.
    """
    found: dict[str, int] = {}
    section: tuple[str, ...] = ()
    chunk: list[str] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not chunk and not line.strip():
            continue
        chunk.append(line)
        try:
            statement = tomllib.loads("\n".join(chunk) + "\n")
        except tomllib.TOMLDecodeError:
            continue
        header = chunk[0].lstrip().startswith("[")
        before = () if header else section
        for leaf in _leaves(statement):
            whole = before + leaf
            for depth in range(1, len(whole) + 1):
                found.setdefault(".".join(whole[:depth]), number - len(chunk) + 1)
            if header:
                section = whole
        chunk = []
    return found


def _leaves(table: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """The names that lead to each value that is no table, and to each empty table."""
    for name, value in table.items():
        inner = value[0] if isinstance(value, list) and value and isinstance(value[0], dict) else value
        if isinstance(inner, dict) and inner:
            for leaf in _leaves(inner):
                yield (name, *leaf)
        else:
            yield (name,)
