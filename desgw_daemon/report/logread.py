"""Reading the log back: the file of JSON lines, or the journal of systemd, as the same records.

Must stay light (the standard library only). A record has what it was logged with: time, level,
event, text and the rest.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from desgw_daemon.domain.times import utc

Record = dict[str, Any]

LEVELS: Final = ("debug", "info", "warning", "error")
#: syslog's numbers, as the journal has them.
_LEVEL_OF: Final = {"7": "DEBUG", "6": "INFO", "5": "INFO", "4": "WARNING", "3": "ERROR", "2": "ERROR"}
_PRIORITY_OF: Final = {"debug": "debug", "info": "info", "warning": "warning", "error": "err"}
_PREFIX: Final = "DESGW_"
#: Between two looks at a file that is followed.
_LOOK_AGAIN: Final = timedelta(milliseconds=250)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which records; None is any. level: this one and graver ones."""

    expnum: int | None = None
    nite: str | None = None
    season: int | None = None
    since: datetime | None = None
    level: str = "debug"

    def takes(self, record: Record) -> bool:
        """Whether this is one of them."""
        named = (("expnum", self.expnum), ("nite", self.nite), ("season", self.season))
        if any(value is not None and record.get(name) != value for name, value in named):
            return False
        if LEVELS.index(str(record.get("level", "INFO")).lower()) < LEVELS.index(self.level):
            return False
        # Both are written alike, so that they sort as text.
        return self.since is None or str(record.get("time", "")) >= utc(self.since)


def from_file(path: Path, wanted: Wanted, *, follow: bool = False) -> Iterator[Record]:
    """The records of a log file that are wanted, oldest first; what is no record is passed over.

    follow: never ends; a file that logrotate has put in its place is taken up. Raises OSError.
    """
    for line in _lines(path, follow=follow):
        try:
            record = json.loads(line)
        except ValueError:
            continue  # cut by a full disk
        if isinstance(record, dict) and wanted.takes(record):
            yield record


def _lines(path: Path, *, follow: bool) -> Iterator[str]:
    while True:
        with path.open(encoding="utf-8", errors="replace") as file:
            rest = ""
            while True:
                rest += file.readline()
                if rest.endswith("\n"):
                    yield rest
                    rest = ""
                elif not follow:
                    return
                elif _is_replaced(path, os.fstat(file.fileno())):
                    break
                else:
                    time.sleep(_LOOK_AGAIN.total_seconds())


def _is_replaced(path: Path, info: os.stat_result) -> bool:
    try:
        now = path.stat()
    except OSError:
        return False
    return (now.st_dev, now.st_ino) != (info.st_dev, info.st_ino)


def journal_command(wanted: Wanted, *, user: bool, follow: bool = False) -> list[str]:
    """What asks the journal for them. user: the service of one's own systemd."""
    unit = ("--user-unit", "desgw-daemon.service") if user else ("--unit", "desgw-daemon.service")
    fields = (("EXPNUM", wanted.expnum), ("NITE", wanted.nite), ("SEASON", wanted.season))
    return [
        *("journalctl", "--quiet", "--no-pager", "--output=json", "--all", *unit),
        *("--priority", _PRIORITY_OF[wanted.level]),
        *(("--since", f"@{wanted.since.timestamp():.0f}") if wanted.since else ()),
        *(("--follow", "--no-tail") if follow else ()),
        *(f"{field}={value}" for field, value in fields if value is not None),
    ]


def from_journal(command: Sequence[str]) -> Iterator[Record]:
    """The records that the journal has, oldest first. Raises OSError when it cannot be asked or refuses."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as asked:
        assert asked.stdout is not None and asked.stderr is not None
        try:
            yield from _records(asked.stdout)
            words = asked.stderr.read().decode(errors="replace").strip()
            # Nothing found is 1 with filters, and no words.
            if asked.wait() and words:
                raise OSError(words.splitlines()[0])
        finally:
            asked.kill()


def _records(lines: Iterable[bytes]) -> Iterator[Record]:
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        yield _record(entry)


def _record(entry: Mapping[str, Any]) -> Record:
    at = datetime.fromtimestamp(int(entry["__REALTIME_TIMESTAMP"]) / 1e6, UTC)
    record: Record = {
        "time": utc(at),
        "level": _LEVEL_OF.get(_text(entry.get("PRIORITY", "6")), "ERROR"),
        # What systemd itself says of the service has none.
        "event": _text(entry.get("EVENT", entry.get("SYSLOG_IDENTIFIER", "?"))),
        "text": _text(entry.get("MESSAGE", "")),
    }
    for field, name in (("SEASON", "season"), ("NITE", "nite"), ("EXPNUM", "expnum")):
        if field in entry:
            record[name] = _text(entry[field]) if name == "nite" else int(entry[field])
    if "expnum" in record:
        record["text"] = record["text"].removeprefix(f"{record['expnum']} ")
    for field, value in entry.items():
        if field.startswith(_PREFIX):
            record[field.removeprefix(_PREFIX).lower()] = _value(_text(value))
    return record


def _text(value: Any) -> str:
    """A value of the journal; one that is no plain text comes as a list of bytes."""
    return bytes(value).decode(errors="replace") if isinstance(value, list) else str(value)


def _value(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return text if isinstance(value, str) else value
