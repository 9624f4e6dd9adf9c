"""The grammar of dagmaker.rc: shell assignments that bash sources, edited by key, everything else byte for byte.

Nothing is ever run. A key that is set by more than a plain assignment (inside an `if`, behind `&&`, by `+=` ...) is not
edited: `CannotEditError` names the line. What cannot be followed at all makes all that stands behind it untouchable.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from desgw_daemon.domain.bashwords import NotToldError, quoted, references, referring, value_of
from desgw_daemon.domain.rcscan import NotFollowedError, Token, command_at, word_end

_ASSIGNMENT: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=")
_COMMENTED: Final = re.compile(r"#+[ \t]*((?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)=)")
#: Expansions in a value that may set a variable themselves.
_MAY_SET: Final = re.compile(r"\$\(\(|\$\[|\$\{[A-Za-z_][A-Za-z0-9_]*:?=")


class CannotEditError(Exception):
    """The change cannot be made without risk; the message says why, and on which line."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """`KEY=WORD`, perhaps behind `export`. start, word and end are places in the text; lines count from 1."""

    key: str
    line: int
    #: Of the first character of the command, and of its value; where the value ends.
    start: int
    word: int
    end: int
    raw: str
    exported: bool


@dataclass(frozen=True, slots=True)
class Commented:
    """`#KEY=WORD`, which can be turned on. opening is what stands between # and the value."""

    key: str
    line: int
    start: int
    end: int
    opening: str


@dataclass(frozen=True, slots=True)
class Odd:
    """What is neither an assignment nor a comment, on these lines; why: only where it could not be followed."""

    line: int
    last_line: int
    text: str
    why: str | None = None

    @property
    def where(self) -> str:
        return f"line {self.line}" if self.line == self.last_line else f"lines {self.line} to {self.last_line}"


@dataclass(frozen=True, slots=True)
class Setting:
    """A key as it stands at the end of the file. value is None when it cannot be told without running bash: see why."""

    key: str
    line: int
    raw: str
    value: str | None
    refers_to: tuple[str, ...] = ()
    why: str | None = None


@dataclass(frozen=True)
class RcFile:
    """The text, taken apart. It never changes: an edit gives another one."""

    text: str
    assignments: tuple[Assignment, ...] = field(init=False)
    commented: tuple[Commented, ...] = field(init=False)
    odd: tuple[Odd, ...] = field(init=False)

    def __post_init__(self) -> None:
        parts = list(_parts(self.text))
        for name, kind in (("assignments", Assignment), ("commented", Commented), ("odd", Odd)):
            object.__setattr__(self, name, tuple(part for part in parts if isinstance(part, kind)))

    @classmethod
    def of(cls, data: bytes) -> RcFile:
        """From the bytes of the file. Raises CannotEditError when it is no text."""
        if b"\0" in data:
            raise CannotEditError("it holds a NUL byte: it is no text")
        return cls(data.decode("utf-8", "surrogateescape"))

    @property
    def data(self) -> bytes:
        """The bytes of the file."""
        return self.text.encode("utf-8", "surrogateescape")

    @cached_property
    def settings(self) -> dict[str, Setting]:
        """Every key that is set, as bash has it at the end of the file."""
        known: dict[str, str] = {}
        found: dict[str, Setting] = {}
        for each in self.assignments:
            value: str | None = None
            why: str | None = None
            refers: tuple[str, ...] = ()
            try:
                refers = references(each.raw)
                if each.exported and "{" in each.raw.replace("${", ""):
                    raise NotToldError("braces behind `export` are not followed")
                value = value_of(each.raw, known)
            except NotToldError as problem:
                why = str(problem)
            if (odd := self._set_elsewhere(each.key)) is not None:
                value, why = None, f"{odd.where} may change it"
            if value is None:
                known.pop(each.key, None)
            else:
                known[each.key] = value
            found[each.key] = Setting(each.key, each.line, each.raw, value, refers, why)
        return found

    def with_value(self, key: str, value: str, *, refer: frozenset[str] = frozenset()) -> RcFile:
        """With the key set to this value: in its place, else where it is commented out, else at the end.

        refer: names of which $NAME stays a reference in the value, if they are set above it; everything else is literal
        text. Raises CannotEditError.
        """
        self._refuse_odd(key)
        if (found := self._last(key)) is not None:
            opening, start, end, ending = "", found.word, found.end, ""
        elif (off := next((c for c in reversed(self.commented) if c.key == key), None)) is not None:
            opening, start, end, ending = off.opening, off.start, off.end, ""
        else:
            # A last line without an end stays one.
            ending = "\n" if self.text.endswith("\n") or not self.text else ""
            opening, start, end = self._at_the_end(key), len(self.text), len(self.text)
        word = self._word(value, before=start, refer=refer)
        edited = RcFile(f"{self.text[:start]}{opening}{word}{self.text[end:]}{ending}")
        edited._must_differ_only_in(key, self, lambda setting: setting is not None and setting.raw == word)
        if not refer and edited.settings[key].value != value:
            raise CannotEditError(f"{key}: the value would not be read back as it is")
        return edited

    def without(self, key: str) -> RcFile:
        """With the key commented out, wherever it is set. Raises CannotEditError."""
        self._refuse_odd(key)
        text = self.text
        for each in reversed(self.assignments):
            if each.key == key:
                inside = text[each.start : each.end]
                text = text[: each.start] + "#" + inside.replace("\n", "\n#") + text[each.end :]
        edited = RcFile(text)
        edited._must_differ_only_in(key, self, lambda setting: setting is None)
        return edited

    def referring_to(self, key: str) -> tuple[str, ...]:
        """The keys whose values refer to this one."""
        return tuple(setting.key for setting in self.settings.values() if key in setting.refers_to)

    def _last(self, key: str) -> Assignment | None:
        return next((each for each in reversed(self.assignments) if each.key == key), None)

    def _word(self, value: str, *, before: int, refer: frozenset[str]) -> str:
        try:
            if not refer:
                return quoted(value)
            above = {each.key for each in self.assignments if each.start < before}
            return referring(value, refer & above)[0]
        except ValueError as problem:
            raise CannotEditError(str(problem)) from None

    def _at_the_end(self, key: str) -> str:
        if self.odd and self.odd[-1].why is not None:
            odd = self.odd[-1]
            raise CannotEditError(f"{key} cannot be added behind line {odd.line}: {odd.why}; edit it by hand")
        return f"{key}=" if not self.text or self.text.endswith("\n") else f"\n{key}="

    def _refuse_odd(self, key: str) -> None:
        if (odd := self._set_elsewhere(key)) is not None:
            why = "is more than an assignment" if odd.why is None else f"cannot be followed ({odd.why})"
            raise CannotEditError(f"{key}: {odd.where} {why}; edit it by hand")

    def _set_elsewhere(self, key: str) -> Odd | None:
        """What may set the key besides plain assignments."""
        # `$KEY` and `${KEY}` only read it.
        named = re.compile(rf"(?<![A-Za-z0-9_$])(?<!\$\{{){key}(?![A-Za-z0-9_])|\$\{{{key}:?=")
        for odd in self.odd:
            if named.search(odd.text):
                return odd
        for each in self.assignments:
            named_here = each.key == key or re.search(rf"(?<![A-Za-z0-9_]){key}(?![A-Za-z0-9_])", each.raw)
            if named_here and _MAY_SET.search(each.raw):
                last = each.line + each.raw.count("\n")
                return Odd(each.line, last, each.raw)
        return None

    def _must_differ_only_in(self, key: str, before: RcFile, holds: Callable[[Setting | None], bool]) -> None:
        """What an edit promises, looked at once more in what it has made."""
        mine = [(each.key, each.raw, each.exported) for each in self.assignments if each.key != key]
        theirs = [(each.key, each.raw, each.exported) for each in before.assignments if each.key != key]
        # A last line without an end gets one when something is added below it.
        odd = [each.text.rstrip("\n") for each in self.odd] == [each.text.rstrip("\n") for each in before.odd]
        if mine != theirs or not odd or not holds(self.settings.get(key)):
            raise CannotEditError(f"{key}: the file cannot be edited without changing more; edit it by hand")


def _parts(text: str) -> Iterator[Assignment | Commented | Odd]:
    start, line = 0, 1
    while start < len(text):
        try:
            after, tokens = command_at(text, start)
        except NotFollowedError as problem:
            yield Odd(line, line + text[start:].removesuffix("\n").count("\n"), text[start:], str(problem))
            return
        command = text[start:after]
        words = [token for token in tokens if token.kind != "comment"]
        if not words:
            yield from _commented(text, tokens, line)
        elif (assignment := _assignment(text, words, line)) is not None:
            yield assignment
        else:
            yield Odd(line, line + command.removesuffix("\n").count("\n"), command)
        start, line = after, line + command.count("\n")


def _assignment(text: str, words: list[Token], line: int) -> Assignment | None:
    first = words[0]
    exported = text[first.start : first.end] == "export"
    if len(words) != 1 + exported or any(token.kind != "word" for token in words):
        return None
    last = words[-1]
    found = _ASSIGNMENT.match(text, last.start, last.end)
    if found is None:
        return None
    return Assignment(
        key=found[1],
        line=line,
        start=first.start,
        word=found.end(),
        end=last.end,
        raw=text[found.end() : last.end],
        exported=exported,
    )


def _commented(text: str, tokens: list[Token], line: int) -> Iterator[Commented]:
    for token in tokens:
        found = _COMMENTED.match(text, token.start, token.end)
        if found is None:
            continue
        # On its own: a quote that is open at the end of the line belongs to prose.
        rest = text[found.end() : token.end]
        try:
            end = word_end(rest, 0)
        except NotFollowedError:
            continue
        if re.fullmatch(r"[ \t\r]*|[ \t]+#.*", rest[end:], re.DOTALL):
            yield Commented(key=found[2], line=line, start=token.start, end=found.end() + end, opening=found[1])
