"""Foreign bytes made fit for a database, a terminal and a log line: names, and ends of outputs.

Must not shorten or change a name that is printable: those are compared with the pipeline's grammar.
"""

from __future__ import annotations

import re
from typing import Final

#: Control characters other than the line feed and the tab, and the surrogates of undecodable bytes.
_UNFIT: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
#: Colours and cursor movements that programs write for a terminal.
_TERMINAL: Final = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\-_]")


def plain_name(name: str) -> str:
    """A file's name as it is, or with escapes (``\\n``, ``\\udcff``) where it could not be printed."""
    return name if name.isprintable() else name.encode("unicode_escape").decode("ascii")


def plain_text(data: bytes) -> str:
    """Text of a file: undecodable bytes and control characters become ``\N{REPLACEMENT CHARACTER}``.

    Line feeds and tabs stay, ``\\r\\n`` is a line feed, a lone ``\\r`` (a progress bar) too.
    """
    text = data.decode("utf-8", errors="replace").replace("\r\n", "\n").replace("\r", "\n")
    return _UNFIT.sub("\N{REPLACEMENT CHARACTER}", _TERMINAL.sub("", text))


def last_lines(text: str, count: int, *, width: int = 300) -> tuple[str, ...]:
    """The last lines that hold anything, each cut to `width` characters."""
    lines = [line.rstrip() for line in text.split("\n")]
    return tuple(line[:width] for line in [line for line in lines if line][-count:])
