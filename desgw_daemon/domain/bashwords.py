"""One word of bash as a value, and a value as one word: what it says without running anything, and how it is quoted."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

from desgw_daemon.domain.rcscan import NotFollowedError, word_end

_PLAIN: Final = re.compile(r"[A-Za-z0-9_./:,@%+=-]+")
_NAME: Final = re.compile(r"\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_ESCAPES: Final = {
    "a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
    "\\": "\\", "'": "'", '"': '"', "?": "?",
}  # fmt: skip
_ESCAPE: Final = re.compile(r"\\(?:([abeEfnrtv\\'\"?])|x([0-9a-fA-F]{1,2})|([0-7]{1,3}))")


class NotToldError(Exception):
    """The value of a word cannot be told without running something; the message says why."""


def quoted(value: str) -> str:
    """The value as a word that bash reads back exactly, in whatever way is the plainest. Raises ValueError for NUL."""
    if "\0" in value:
        raise ValueError("bash has no value with a NUL byte in it")
    if _PLAIN.fullmatch(value):
        return value
    if _CONTROL.search(value):
        return "$'" + "".join(_escaped(char) for char in value) + "'"
    if not re.search(r"[\"$`\\!]", value):
        return f'"{value}"'
    return "'" + value.replace("'", "'\\''") + "'"


def referring(value: str, names: Collection[str]) -> tuple[str, tuple[str, ...]]:
    """The value as a word in which $NAME and ${NAME} of these names stay references, and all else is literal text.

    Returns the word and the names it refers to, in their order. Raises ValueError for characters that end a line.
    """
    if _CONTROL.search(value):
        raise ValueError("a value with references must be one line of text")
    word, used, done = "", list[str](), 0
    for found in _NAME.finditer(value):
        name = found[1] or found[2]
        if name in names:
            word += _inside_double(value[done : found.start()]) + f"${{{name}}}"
            used.append(name)
            done = found.end()
    return f'"{word}{_inside_double(value[done:])}"', tuple(dict.fromkeys(used))


def references(word: str) -> tuple[str, ...]:
    """The variables that a word refers to, in their order. Raises NotToldError."""
    return tuple(dict.fromkeys(name for name, text in _pieces(word) if name is not None))


def value_of(word: str, known: Mapping[str, str]) -> str:
    """What bash would make of a word, with these variables set. Raises NotToldError."""
    value = ""
    for name, text in _pieces(word):
        if name is None:
            value += text
        elif name in known:
            value += known[name]
        else:
            raise NotToldError(f"it refers to {name}, which is not set above it")
    return value


def _escaped(char: str) -> str:
    if char in "\\'":
        return "\\" + char
    plain = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(char)
    return plain or (f"\\{ord(char):03o}" if _CONTROL.match(char) else char)


def _inside_double(text: str) -> str:
    return re.sub(r'([\\"$`])', r"\\\1", text)


def _pieces(word: str) -> list[tuple[str | None, str]]:
    """The word as literal texts (None, text) and references (name, "")."""
    try:
        if word_end(word, 0) != len(word):
            raise NotToldError("it is more than one word")
    except NotFollowedError as problem:
        raise NotToldError(str(problem)) from None
    pieces: list[tuple[str | None, str]] = []
    i = 0
    while i < len(word):
        char = word[i]
        if char == "\\":
            pieces.append((None, "" if word[i + 1] == "\n" else word[i + 1]))
            i += 2
        elif char == "'":
            end = word.index("'", i + 1)
            pieces.append((None, word[i + 1 : end]))
            i = end + 1
        elif word.startswith("$'", i):
            text, i = _ansi(word, i + 2)
            pieces.append((None, text))
        elif char == '"' or word.startswith('$"', i):
            i = _double(word, word.index('"', i) + 1, pieces)
        elif char in "$`":
            i = _dollar(word, i, pieces)
        elif char == "~" and word[i - 1 : i] in ("", ":"):
            raise NotToldError("~ stands for a home folder")
        else:
            pieces.append((None, char))
            i += 1
    return pieces


def _double(word: str, i: int, pieces: list[tuple[str | None, str]]) -> int:
    while word[i] != '"':
        if word[i] == "\\" and word[i + 1] in '$`"\\\n':
            pieces.append((None, "" if word[i + 1] == "\n" else word[i + 1]))
            i += 2
        elif word[i] in "$`":
            i = _dollar(word, i, pieces)
        else:
            pieces.append((None, word[i]))
            i += 1
    return i + 1


def _dollar(word: str, i: int, pieces: list[tuple[str | None, str]]) -> int:
    if found := _NAME.match(word, i):
        pieces.append((found[1] or found[2], ""))
        return found.end()
    if word[i] == "`" or re.match(r"[({\[0-9@*#?$!_-]", word[i + 1 : i + 2]):
        raise NotToldError("it is made by a command or an expansion when DAGMaker reads it")
    pieces.append((None, "$"))
    return i + 1


def _ansi(word: str, i: int) -> tuple[str, int]:
    text = ""
    while word[i] != "'":
        if word[i] != "\\":
            text += word[i]
            i += 1
            continue
        found = _ESCAPE.match(word, i)
        code = int(found[2], 16) if found and found[2] else int(found[3], 8) if found and found[3] else None
        if found is None or (code is not None and not 0 < code < 128):
            raise NotToldError(f"its escape {word[i : i + 2]} is not followed")
        text += _ESCAPES[found[1]] if code is None else chr(code)
        i = found.end()
    return text, i + 1
