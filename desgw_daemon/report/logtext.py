"""How a record of the log is written: one line of JSON, or one line for people."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import MutableMapping
from datetime import UTC, datetime, timedelta
from pathlib import PurePath
from typing import Any, Final

from desgw_daemon.domain.times import utc
from desgw_daemon.errors import one_line
from desgw_daemon.report.events import Event

_Record = MutableMapping[str, Any]

#: In front of all other fields, in this order.
_FIRST: Final = ("time", "level", "event", "text", "season", "nite", "expnum")


def from_library(logger: Any, name: str, record: _Record) -> _Record:
    """The record of a library that logs by itself: its words are the text."""
    return {
        **record,
        "event": Event.LIBRARY_WARNING,
        "text": record["event"],
        "library": record["_record"].name,
    }


def describe(logger: Any, name: str, record: _Record) -> _Record:
    """Time, level and event first; an exception as one line (`error`) and as a `traceback`."""
    std: logging.LogRecord = record["_record"]
    told = {key: value for key, value in record.items() if not key.startswith("_") and key != "exc_info"}
    told["time"] = datetime.fromtimestamp(std.created, UTC)
    told["level"] = std.levelname
    cause = record.get("exc_info")
    error = cause[1] if isinstance(cause, tuple) else cause
    if isinstance(error, BaseException):
        told["error"] = f"{type(error).__name__}: {error}"
        told["traceback"] = "".join(traceback.format_exception(error))
    order = (*(key for key in _FIRST if key in told), *(key for key in told if key not in _FIRST))
    return {key: _plain(told[key]) for key in order if told[key] is not None}


def as_json(logger: Any, name: str, record: _Record) -> str:
    """One line of JSON, ASCII only: a file name that is not UTF-8 is no trouble."""
    return json.dumps(record)


def as_line(logger: Any, name: str, record: _Record) -> str:
    """One line for people: time, level, exposure, the sentence, then the other fields and the event."""
    rest = {key: value for key, value in record.items() if key not in _FIRST and key != "traceback"}
    for key in ("nite", "season"):
        if key in record:
            rest[key] = record[key]
    who = f"{record['expnum']} " if "expnum" in record else ""
    fields = "".join(f" {key}={_short(value)}" for key, value in rest.items())
    return one_line(f"{record['time']} {record['level']:<7} {who}{record['text']} [{record['event']}]{fields}")


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return json.dumps(text) if not text or " " in text else text


def _plain(value: Any) -> Any:
    """A value that JSON knows: times as elsewhere, spans in seconds, everything else as its text."""
    if isinstance(value, datetime):
        return utc(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return str(value)
