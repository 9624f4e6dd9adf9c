"""Failures that a person must hear about: each is one line that says what, where and what to do.

Only failures live here. What could not be seen on disk or in the queue is a value (domain/facts.py),
not an exception.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import ClassVar


def one_line(text: str) -> str:
    """The text with every character that would break or disturb a line written as its escape."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


class DesgwError(Exception):
    """One clear line for a person; the command ends with `exit_code`."""

    exit_code: ClassVar[int] = 1

    def __str__(self) -> str:
        return one_line(super().__str__())


class Refused(DesgwError):
    """The answer is no, or the work failed."""


class TreeSilent(OSError):
    """A tree gives no answer: nothing is known of what is on it, neither that it is there nor that it is not.

    An OSError, so that whoever can go on without a file of the tree goes on without this one, too.
    """

    def __init__(self, words: str) -> None:
        super().__init__(errno.ETIMEDOUT, words)
        self.words = words

    def __str__(self) -> str:
        return one_line(self.words)

    def __reduce__(self) -> tuple[type[TreeSilent], tuple[str]]:
        return type(self), (self.words,)


class UsageError(DesgwError):
    """The command was given something that it cannot take."""

    exit_code = 2


class ConfigError(DesgwError):
    """The configuration cannot be used.

    problems: one line each, the first one first. file: the configuration file they were found in,
    None when there is none.
    """

    exit_code = 2

    def __init__(self, problems: str | Sequence[str], *, file: Path | None = None) -> None:
        lines = (problems,) if isinstance(problems, str) else tuple(problems)
        if not lines:
            raise ValueError("a ConfigError needs at least one problem")
        self.problems = tuple(one_line(line) for line in lines)
        self.file = file
        super().__init__(*self.problems)

    def __str__(self) -> str:
        first, more = self.problems[0], len(self.problems) - 1
        if not more:
            return first
        which = "" if self.file is None else f" --config {quote(str(self.file))}"
        return one_line(f"{first} (and {more} more: desgw-daemon{which} config check)")
