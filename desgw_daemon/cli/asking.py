"""Asking a person at a terminal, one question at a time: again after a wrong answer, until there is a right one.

Whoever asks has done nothing yet when somebody leaves (Ctrl-C or Ctrl-D). Must not be used where a script may wait:
`can_ask` says whether there is a terminal.
"""

from __future__ import annotations

import select
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar, Final, TypeVar

from desgw_daemon.errors import Refused, UsageError

T = TypeVar("T")
#: A Ctrl-C that came in just before the wait is noticed within this (seconds).
_SIGNALS_EVERY_S: Final = 0.2


class Left(Refused):
    """Who was asked has left."""

    exit_code: ClassVar[int] = 130


def can_ask() -> bool:
    """Whether a person is at both ends."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def ask(question: str, parse: Callable[[str], T], default: str | None = None) -> T:
    """The answer, as `parse` has it. An empty one is `default`, where there is one.

    parse raises UsageError for a wrong answer: its words are shown, and the question is asked again. Raises Left.
    """
    shown = f"{question} [{default}]: " if default else f"{question}: "
    while True:
        try:
            answer = _line(shown).strip()
        except (EOFError, KeyboardInterrupt):
            print()  # what follows does not belong on the line of the question
            raise Left("left at a question: nothing was done") from None
        if not answer and default is None:
            print("an answer is needed; Ctrl-C leaves with nothing done")
            continue
        try:
            return parse(answer or default or "")
        except UsageError as wrong:
            print(wrong)


def _line(prompt: str) -> str:
    """A line from the terminal. Raises EOFError, KeyboardInterrupt.

    Not by input(): a Ctrl-C between its prompt and its read waits for the next line (seen on a busy machine).
    """
    print(prompt, end="", flush=True)
    while not select.select([sys.stdin], [], [], _SIGNALS_EVERY_S)[0]:
        pass
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line


def ask_yes_or_no(question: str) -> bool:
    """Whether the answer is yes. Raises Left."""

    def parse(answer: str) -> bool:
        if answer.lower() not in ("yes", "y", "no", "n"):
            raise UsageError(f"{answer!r}: yes or no?")
        return answer.lower().startswith("y")

    return ask(f"{question} (yes or no)", parse)


def ask_season(default: int | None = None) -> int:
    """The season for exposures. Raises Left."""
    return ask("Season, a number such as 2206", _season, None if default is None else str(default))


def ask_exposures(check: Callable[[Sequence[str]], object]) -> list[str]:
    """List files and exposure numbers, as words that `check` took without a UsageError. Raises Left."""

    def parse(answer: str) -> list[str]:
        words = [word for piece in words_of(answer) for word in ([piece] if Path(piece).exists() else piece.split(","))]
        check([word for word in words if word])
        return [word for word in words if word]

    return ask("Exposures: .list files or numbers, with blanks between", parse)


def words_of(answer: str) -> list[str]:
    """Words as a shell would have them: one with a blank stands in quotes. Raises UsageError."""
    import shlex

    try:
        return shlex.split(answer)
    except ValueError:
        raise UsageError(
            "a quote is not closed: what holds a blank stands in quotes, such as 'to night.list'"
        ) from None


def _season(answer: str) -> int:
    from desgw_daemon.domain.seasons import season_problem

    if not answer.isascii() or not answer.isdigit() or len(answer) > 9:
        raise UsageError(f"{answer!r} is no season: it is a whole number such as 2206")
    if problem := season_problem(int(answer)):
        raise UsageError(problem)
    return int(answer)
