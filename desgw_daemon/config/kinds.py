"""The kinds of values that daemon.toml holds, and the words with which a wrong one is refused."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, ValidationInfo

from desgw_daemon.config.locate import check_word, full_path
from desgw_daemon.config.spans import parse_span

#: Key of the validation context: the folder that relative paths start from.
FOLDER: Final = "folder"


def _span(value: object) -> timedelta:
    return parse_span(value)


def _span_or_zero(value: object) -> timedelta:
    return parse_span(value, zero=True)


def _spans_of_steps(value: object) -> dict[int, timedelta]:
    if not isinstance(value, dict):
        raise ValueError('must be a table of steps and spans, such as { 2 = "8 h", 5 = "8 h" }')
    spans = {}
    for step, span in value.items():
        if str(step) not in {str(number) for number in range(8)}:
            raise ValueError(f"has no step {step!r}: they are 0 to 7")
        try:
            spans[int(step)] = parse_span(span)
        except ValueError as error:
            raise ValueError(f"step {step} {error}") from None
    return spans


def _path(value: object, info: ValidationInfo) -> Path:
    folder: Path = (info.context or {}).get(FOLDER, Path())
    path = full_path(_text(value, "a path"), folder)
    if not path.is_absolute():
        raise ValueError("must be an absolute path")
    return path


def _inner_path(value: object) -> Path:
    return full_path(_text(value, "a path"), Path())


def _log_path(value: object) -> Path | None:
    return None if value == "" else _inner_path(value)


def _optional_path(value: object, info: ValidationInfo) -> Path | None:
    return None if value is None or value == "" else _path(value, info)


def _database_url(value: object) -> str:
    text = _text(value, "a URL or desservices:SECTION")
    if text == "" or re.fullmatch(r"desservices:[A-Za-z0-9_.-]+", text):
        return text
    # What is wrong is said without the text: it may hold a password.
    if not re.fullmatch(r"(postgresql|oracle|sqlite)(\+[a-z0-9]+)?://\S*", text):
        raise ValueError(
            'must be "", "desservices:SECTION", or a URL such as "postgresql+psycopg://USER@HOST:5432/NAME"'
            " (postgresql, oracle or sqlite)"
        )
    return text


def _word(value: object) -> str:
    text = _text(value, "a word")
    if any(c.isspace() for c in text.strip()):
        raise ValueError("must be one word, without blanks")
    check_word(text)
    return text


def _words(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        listed = ", ".join(f'"{word}"' for word in value.split())
        raise ValueError(f"must be a list of words: [{listed}]")
    if not isinstance(value, list | tuple):
        raise ValueError('must be a list of words, such as ["./program", "--flag"]')
    for word in value:
        if not isinstance(word, str):
            raise ValueError(f"must be a list of words in quotes, and {word!r} is none")
        if any(c.isspace() and c.isprintable() for c in word.strip()):
            raise ValueError(f"has a blank in the word {word!r}: each word stands on its own in the list")
        try:
            check_word(word)
        except ValueError as error:
            raise ValueError(f"has the word {word!r}, which {error}") from None
    return tuple(value)


def _command(value: object) -> tuple[str, ...]:
    words = _words(value)
    if not words:
        raise ValueError("must have at least one word: the program")
    return words


def _text(value: object, what: str) -> str:
    if isinstance(value, Path):
        return os.fspath(value)
    if not isinstance(value, str):
        raise ValueError(f"must be {what} in quotes")
    return value


#: A time span longer than zero.
Span = Annotated[timedelta, BeforeValidator(_span)]
#: A time span; zero has a meaning of its own.
SpanOrZero = Annotated[timedelta, BeforeValidator(_span_or_zero)]
#: A span for each of some steps of post-processing.
SpansOfSteps = Annotated[dict[int, timedelta], BeforeValidator(_spans_of_steps)]
#: An absolute path (relative ones in the file start at the file's folder).
FullPath = Annotated[Path, BeforeValidator(_path)]
#: A path that is relative to another one of the configuration, or absolute.
InnerPath = Annotated[Path, BeforeValidator(_inner_path)]
#: The same; an empty text is None.
OptionalInnerPath = Annotated[Path | None, BeforeValidator(_log_path)]
#: An absolute path; an empty text is None.
OptionalFullPath = Annotated[Path | None, BeforeValidator(_optional_path)]
#: How a database is reached: an SQLAlchemy URL, or `desservices:SECTION` of ~/.desservices.ini. Empty: not at all.
DatabaseUrl = Annotated[str, BeforeValidator(_database_url)]
#: One word of a command line.
Word = Annotated[str, BeforeValidator(_word)]
#: Words in front of a command; may be none.
Words = Annotated[tuple[str, ...], BeforeValidator(_words)]
#: A command with its arguments.
Command = Annotated[tuple[str, ...], BeforeValidator(_command)]
#: A finite number, zero or more.
Rate = Annotated[float, Field(ge=0, allow_inf_nan=False)]
#: A finite number from 0 to 1.
Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
