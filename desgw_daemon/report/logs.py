"""The log: readable lines on stderr, or records in systemd's journal where stderr is that, and JSON lines in a file.

Each record has a time (UTC), a level, an event of the catalogue, a sentence for people, and the exposure
it is about when one is bound. The log never stops the daemon: lines that cannot be written are counted,
and the count is written when the file can be written again.

structlog is imported here and nowhere else, so that reading commands do not pay for it.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self, TextIO

import structlog
from structlog.stdlib import ProcessorFormatter

from desgw_daemon.report.events import Event
from desgw_daemon.report.journal import Journal, is_for_journal
from desgw_daemon.report.logfile import LogFile
from desgw_daemon.report.logtext import as_json, as_line, describe, from_library

Level = Literal["DEBUG", "INFO", "WARNING", "ERROR"]
Field = str | int | float | bool | None | datetime | timedelta | Path | Sequence[str] | Sequence[int]

_OURS: Final = "desgw_daemon"


class Log:
    """The typed logger. Every call takes an event of the catalogue and a sentence for people; fields add
    what programs want to know. Use as a context manager, or call `close`.
    """

    def __init__(self, *, level: Level, file: Path | None, terminal: TextIO | None = None) -> None:
        """Log to `terminal` (stderr, or the journal where stderr is that) and, as JSON lines, to `file` (a full path;
        None: no file).

        Libraries that log by themselves (APScheduler, watchdog) are heard from WARNING on.
        """
        self._handlers: list[logging.Handler] = []
        if terminal is None and is_for_journal(os.environ):
            journal = Journal()
            journal.setFormatter(_formatter(as_json))
            self._handlers.append(journal)
        else:
            shown = logging.StreamHandler(sys.stderr if terminal is None else terminal)
            shown.setFormatter(_formatter(as_line))
            self._handlers.append(shown)
        if file is not None:
            written = LogFile(file)
            written.setFormatter(_formatter(as_json))
            self._handlers.append(written)
        root = logging.getLogger()
        root.setLevel(logging.WARNING)
        for handler in self._handlers:
            root.addHandler(handler)
        self._std = logging.getLogger(_OURS)
        self.set_level(level)
        self._log: structlog.stdlib.BoundLogger = structlog.wrap_logger(
            self._std,
            processors=[
                structlog.stdlib.filter_by_level,
                structlog.contextvars.merge_contextvars,
                ProcessorFormatter.wrap_for_formatter,
            ],
            wrapper_class=structlog.stdlib.BoundLogger,
        )

    def debug(self, event: Event, text: str, **fields: Field) -> None:
        """For the one who looks for a mistake."""
        self._log.debug(event, text=text, **fields)

    def info(self, event: Event, text: str, **fields: Field) -> None:
        """The ordinary course of a night."""
        self._log.info(event, text=text, **fields)

    def warning(self, event: Event, text: str, **fields: Field) -> None:
        """Something is not as it should be; the daemon goes on by itself."""
        self._log.warning(event, text=text, **fields)

    def error(self, event: Event, text: str, *, cause: BaseException | None = None, **fields: Field) -> None:
        """A person is wanted. cause: its traceback goes into the file, its one line onto the terminal."""
        self._log.error(event, text=text, exc_info=cause, **fields)

    def set_level(self, level: Level) -> None:
        """Take up a changed log.level."""
        self._std.setLevel(level)

    def close(self) -> None:
        """Let go of the file."""
        root = logging.getLogger()
        for handler in self._handlers:
            root.removeHandler(handler)
            handler.close()
        self._handlers.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@contextmanager
def bind_exposure(*, expnum: int | None, nite: str | None, season: int) -> Iterator[None]:
    """Every record logged inside (by this thread) is about this exposure, or about the season as a whole."""
    with structlog.contextvars.bound_contextvars(expnum=expnum, nite=nite, season=season):
        yield


def _formatter(renderer: structlog.typing.Processor) -> ProcessorFormatter:
    return ProcessorFormatter(processors=[describe, renderer], foreign_pre_chain=[from_library])
