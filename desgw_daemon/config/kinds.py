"""The kinds of values that daemon.toml holds, and the words with which a wrong one is refused."""

from __future__ import annotations

import os
import re
from datetime import time, timedelta
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


def _name(value: object) -> str:
    text = _text(value, "a name")
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}", text) is None:
        raise ValueError(f"{text!r} is no name: letters, digits, - and _ only")
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


_UNITS: Final = {"MB": 1000**2, "GB": 1000**3, "TB": 1000**4, "MiB": 1024**2, "GiB": 1024**3, "TiB": 1024**4}


def _size(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?(\w+)", value) if isinstance(value, str) else None
    if found is None or found[2] not in _UNITS:
        raise ValueError(f'must be a size such as "5 GiB" (units: {", ".join(_UNITS)})')
    return round(float(found[1]) * _UNITS[found[2]])


def _time_of_day(value: object) -> time | None:
    if value is None or value == "":
        return None
    found = re.fullmatch(r"([01][0-9]|2[0-3]):([0-5][0-9])", value) if isinstance(value, str) else None
    if found is None:
        raise ValueError('must be a time of the day in UTC, such as "11:30", or ""')
    return time(int(found[1]), int(found[2]))


def _loopback(value: object) -> str:
    text = _text(value, "an address")
    if text == "":
        return text
    host, _, port = text.rpartition(":")
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError('must be "HOST:PORT", such as "127.0.0.1:9417", or ""')
    if host not in ("127.0.0.1", "localhost", "[::1]"):
        raise ValueError(f"must be on this host (127.0.0.1, localhost or [::1]), and {host!r} is not")
    return text


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
#: A name that may be part of a file's.
Name = Annotated[str, BeforeValidator(_name)]
#: Words in front of a command; may be none.
Words = Annotated[tuple[str, ...], BeforeValidator(_words)]
#: A command with its arguments.
Command = Annotated[tuple[str, ...], BeforeValidator(_command)]
#: A finite number, zero or more.
Rate = Annotated[float, Field(ge=0, allow_inf_nan=False)]
#: A finite number from 0 to 1.
Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
#: Bytes, as a number or as text with a unit.
Size = Annotated[int, BeforeValidator(_size), Field(ge=0)]
#: A time of the day in UTC; an empty text is None.
TimeOfDay = Annotated[time | None, BeforeValidator(_time_of_day)]
#: HOST:PORT on this host alone, or nothing.
LoopbackAddress = Annotated[str, BeforeValidator(_loopback)]
