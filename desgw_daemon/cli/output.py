"""Printing for people and programs: JSON, tables, times, ages.

In a pipe a table is plain text, one line a row, nothing cut off; on a terminal long texts are wrapped.
"""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from datetime import date, datetime, timedelta
from pathlib import PurePath
from shutil import get_terminal_size
from typing import Any, Final

from desgw_daemon.domain.times import age as age
from desgw_daemon.domain.times import utc as utc
from desgw_daemon.errors import one_line

_GAP: Final = "  "
#: A wrapped text narrower than this is put on lines of its own below its row.
_NARROWEST: Final = 32
_INDENT: Final = "    "


def print_json(value: Any) -> None:
    """The value as JSON. Times as `utc` writes them, time spans in seconds, sets sorted."""
    print(json.dumps(value, indent=2, default=_as_json))


def print_table(
    headers: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: Sequence[str] = (),
    styles: Sequence[str | None] | None = None,
) -> None:
    """Print rows under their headers. The last column is the long one: it is wrapped on a terminal.

    right: headers of the columns that are aligned to the right (numbers). styles: a rich style for each
    row, used on a terminal only.
    """
    cells = [[one_line(cell) for cell in row] for row in rows]
    widths = [max(len(line[n]) for line in [list(headers), *cells]) for n in range(len(headers))]
    terminal = os.isatty(1)
    lines = [list(headers), *cells]
    whole = [_layout(line, headers, widths, right, get_terminal_size().columns if terminal else None) for line in lines]
    print_lines(list(zip(whole, ["bold", *(styles or [None] * len(rows))], strict=True)))


def print_lines(lines: Sequence[tuple[str, str | None]]) -> None:
    """Print lines that are laid out already, each with a rich style, which is used on a terminal only."""
    if not os.isatty(1):
        print("\n".join(text for text, _ in lines))
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for text, style in lines:
        console.print(Text(text, style=style or ""), soft_wrap=True)


def _layout(
    cells: Sequence[str],
    headers: Sequence[str],
    widths: Sequence[int],
    right: Sequence[str],
    width: int | None,
) -> str:
    """One row as text; several lines only when a width (in characters) is given."""
    short = [
        cell.rjust(w) if header in right else cell.ljust(w)
        for cell, header, w in zip(cells[:-1], headers[:-1], widths[:-1], strict=True)
    ]
    start = _GAP.join(short) + (_GAP if short else "")
    last = cells[-1].rjust(widths[-1]) if headers[-1] in right else cells[-1]
    if width is None or len(start) + len(last) <= width:
        return (start + last).rstrip()
    room = width - len(start)
    if room >= _NARROWEST:
        wrapped = textwrap.wrap(last, room, break_on_hyphens=False) or [""]
        return (start + f"\n{' ' * len(start)}".join(wrapped)).rstrip()
    below = textwrap.wrap(
        last,
        max(width, _NARROWEST),
        initial_indent=_INDENT,
        subsequent_indent=_INDENT,
        break_on_hyphens=False,
    )
    return "\n".join([start.rstrip(), *below])


def _as_json(value: object) -> Any:
    if isinstance(value, datetime):
        return utc(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise TypeError(f"cannot write {type(value).__name__} as JSON")
