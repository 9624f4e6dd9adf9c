"""What a judge says: lines, each of which holds or does not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

#: Of one kind of trouble, this many are spelt out.
_SPELT_OUT: Final = 12


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was checked: whether it held, and the words for it."""

    ok: bool
    text: str

    def __str__(self) -> str:
        return f" {'✓' if self.ok else '✗'} {self.text}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """All that was checked."""

    lines: tuple[Line, ...]

    @property
    def ok(self) -> bool:
        """Whether everything held."""
        return all(line.ok for line in self.lines)

    def __str__(self) -> str:
        return "\n".join(map(str, self.lines))


def lines_of(good: str, troubles: Iterable[str]) -> tuple[Line, ...]:
    """The good words if there is no trouble, else a line for each trouble."""
    found = list(troubles)
    if not found:
        return (Line(True, good),)
    lines = [Line(False, text) for text in found[:_SPELT_OUT]]
    if len(found) > _SPELT_OUT:
        lines.append(Line(False, f"... and {len(found) - _SPELT_OUT} more of this kind"))
    return tuple(lines)
