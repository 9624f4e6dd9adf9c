"""Where the commands of a piece of bash begin and end, as far as that can be told without running it.

Must never guess: what it cannot follow for sure it says so (`NotFollowedError`), and nothing behind it is touched.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

#: What ends a word that is not quoted.
_META: Final = " \t\n;&|<>()"
_OPERATORS: Final = ("&&", "||", "|&", ";;", "<<<", "<<-", "<<", ">>", ">&", "<&", "&>", ">|")
#: After these a line break does not end the command.
_GO_ON: Final = frozenset({"&&", "||", "|", "|&"})
_OPENS: Final = {
    "if": "fi",
    "while": "done",
    "until": "done",
    "for": "done",
    "select": "done",
    "case": "esac",
    "{": "}",
}
_BETWEEN: Final = frozenset({"then", "do", "else", "elif", "!", "time"})
#: Their grammar is not followed.
_STRANGE: Final = frozenset({"function", "coproc"})
#: `${...}` without anything in it that has a grammar of its own.
_PLAIN_BRACES: Final = re.compile(r"\$\{[^'\"`\\{}$\n]*\}")
_HERE_WORD: Final = re.compile(r"[ \t]*(?:'([^'\n]+)'|\"([^\"$`\\\n]+)\"|([A-Za-z0-9_.+-]+))")


class NotFollowedError(Exception):
    """The text cannot be followed from here on; the message says why."""


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a command: `start` and `end` are places in the text."""

    kind: Literal["word", "operator", "comment"]
    start: int
    end: int


def word_end(text: str, start: int) -> int:
    """Where the word that begins at `start` ends; `start` itself when there is none. Raises NotFollowedError."""
    i = start
    while i < len(text) and text[i] not in _META:
        i = _past(text, i)
    return i


def command_at(text: str, start: int) -> tuple[int, list[Token]]:
    """The command that begins at `start`: where the next one begins, and its tokens.

    A line that is empty or a comment is a command, too. Raises NotFollowedError.
    """
    return _Command(text, start).read()


def _past(text: str, i: int) -> int:
    """The place after the character, or the quoted or expanded piece, at `i` of a word."""
    char = text[i]
    if char == "\\":
        if i + 1 == len(text):
            raise NotFollowedError("a backslash ends the file")
        return i + 2
    if char == "'":
        return _closing(text, i + 1, "'", escapes=False)
    if char == '"':
        return _past_double(text, i)
    if char == "`":
        return _closing(text, i + 1, "`", escapes=True)
    if char == "$":
        return _past_dollar(text, i, quoted=False)
    return i + 1


def _closing(text: str, i: int, quote: str, *, escapes: bool) -> int:
    while i < len(text):
        if escapes and text[i] == "\\":
            i += 2
        elif text[i] == quote:
            return i + 1
        else:
            i += 1
    raise NotFollowedError(f"a {quote} is never closed")


def _past_double(text: str, i: int) -> int:
    i += 1
    while i < len(text):
        if text[i] == "\\":
            i += 2
        elif text[i] == '"':
            return i + 1
        elif text[i] == "`":
            i = _closing(text, i + 1, "`", escapes=True)
        elif text[i] == "$":
            i = _past_dollar(text, i, quoted=True)
        else:
            i += 1
    raise NotFollowedError('a " is never closed')


def _past_dollar(text: str, i: int, *, quoted: bool) -> int:
    following = text[i + 1 : i + 2]
    if following == "{":
        if (braces := _PLAIN_BRACES.match(text, i)) is None:
            raise NotFollowedError("an expansion ${...} is more than a name")
        return braces.end()
    if following == "(":
        return _past_parentheses(text, i + 1)
    if following == "[":
        raise NotFollowedError("arithmetic $[...] is not followed")
    if following == "'" and not quoted:
        return _closing(text, i + 2, "'", escapes=True)
    if following == '"' and not quoted:
        return _past_double(text, i + 1)
    return i + 1


def _past_parentheses(text: str, i: int) -> int:
    depth = 0
    while i < len(text):
        char = text[i]
        if char in "#`" or text.startswith(("<<", "case", "esac"), i):
            break
        if char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
            if depth == 0:
                return i + 1
        i = _past(text, i) if char in "\\'\"$" else i + 1
    raise NotFollowedError("a command $(...) is not followed")


class _Command:
    """Reads one command, with the blocks and here-documents that it opens."""

    def __init__(self, text: str, start: int) -> None:
        self._text = text
        self._i = start
        self._tokens: list[Token] = []
        #: What closes the blocks that are open.
        self._open: list[str] = []
        #: Whether a command may begin here, so that reserved words count.
        self._at_command = True
        #: End words of here-documents, and whether tabs before them are dropped.
        self._here: list[tuple[str, bool]] = []
        self._last = ""

    def read(self) -> tuple[int, list[Token]]:
        text = self._text
        while self._i < len(text):
            char = text[self._i]
            if char in " \t":
                self._i += 1
            elif text.startswith("\\\n", self._i):
                self._i += 2
            elif char == "\n":
                self._i += 1
                self._skip_here()
                if not self._open and self._last not in _GO_ON:
                    return self._i, self._tokens
                self._at_command = self._open[-1:] != ["]]"]
            elif char == "#":
                end = text.find("\n", self._i)
                self._add("comment", len(text) if end < 0 else end)
            elif char in _META:
                self._operator()
            else:
                self._word()
        if self._open or self._last in _GO_ON or self._here:
            raise NotFollowedError("the end of what begins here is missing")
        return self._i, self._tokens

    def _add(self, kind: Literal["word", "operator", "comment"], end: int) -> None:
        self._tokens.append(Token(kind, self._i, end))
        if kind != "comment":
            self._last = self._text[self._i : end] if kind == "operator" else ""
        self._i = end

    def _operator(self) -> None:
        text = self._text
        found = next((op for op in _OPERATORS if text.startswith(op, self._i)), text[self._i])
        inside_test = self._open[-1:] == ["]]"]
        if found == "(":
            if text.startswith("((", self._i):
                raise NotFollowedError("arithmetic ((...)) is not followed")
            self._open.append("])" if inside_test else ")")
        elif found == ")":
            if self._open[-1:] in ([")"], ["])"]):
                self._open.pop()
            elif self._open[-1:] != ["esac"]:
                raise NotFollowedError("a ) has no (")
        elif found in ("<<", "<<-"):
            self._here_word(found)
            return
        self._add("operator", self._i + len(found))
        self._at_command = not inside_test and "<" not in found and ">" not in found

    def _here_word(self, operator: str) -> None:
        found = _HERE_WORD.match(self._text, self._i + len(operator))
        if found is None or found.end() != word_end(self._text, found.end()):
            raise NotFollowedError("the end word of a here-document is not followed")
        self._here.append((next(word for word in found.groups() if word), operator == "<<-"))
        self._add("operator", found.end())

    def _skip_here(self) -> None:
        for word, drops_tabs in self._here:
            while True:
                if self._i >= len(self._text):
                    raise NotFollowedError(f"the end {word} of a here-document is missing")
                end = self._text.find("\n", self._i)
                end = len(self._text) if end < 0 else end
                line = self._text[self._i : end]
                self._i = min(end + 1, len(self._text))
                if (line.lstrip("\t") if drops_tabs else line) == word:
                    break
        self._here = []

    def _word(self) -> None:
        end = word_end(self._text, self._i)
        word = self._text[self._i : end]
        self._add("word", end)
        if self._open[-1:] == ["]]"]:
            if word == "]]":
                self._open.pop()
            return
        if not self._at_command:
            return
        if word in _STRANGE:
            raise NotFollowedError(f"`{word}` is not followed")
        if word in _OPENS:
            self._open.append(_OPENS[word])
            self._at_command = word not in ("for", "select", "case")
        elif word in _BETWEEN:
            pass
        elif word == "[[":
            self._open.append("]]")
            self._at_command = False
        elif word in _OPENS.values():
            if self._open[-1:] != [word]:
                raise NotFollowedError(f"a `{word}` has no beginning")
            self._open.pop()
            self._at_command = False
        else:
            self._at_command = False
