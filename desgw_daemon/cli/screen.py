"""How times and sentences are shown on a terminal of some width, and in a pipe, where nothing is shortened or cut."""

from __future__ import annotations

import os
import re
import textwrap
from datetime import datetime, timedelta
from shutil import get_terminal_size
from typing import Final, NamedTuple

from desgw_daemon.domain.times import age
from desgw_daemon.errors import one_line

_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_COMMAND: Final = re.compile("`[^`]{1,60}`")
#: A blank that textwrap does not break at.
_GLUE: Final = "\N{NO-BREAK SPACE}"
#: A time of day without its date is one within the last day.
_DAY: Final = timedelta(hours=24)


class Screen(NamedTuple):
    """Where something is shown. width: characters; None in a pipe."""

    now: datetime
    width: int | None

    def when(self, time: str | None) -> str:
        """A time: whole in a pipe; on a terminal ``02:14``, with its day when that is more than 24 h away."""
        if time is None or self.width is None:
            return time or ""
        moment = datetime.fromisoformat(time)
        if abs(self.now - moment) < _DAY:
            return f"{moment:%H:%M}"
        return f"{moment:%m-%d %H:%M}" if moment.year == self.now.year else f"{moment:%Y-%m-%d}"

    def ago(self, time: str) -> str:
        """How long ago a time was."""
        return age(self.now - datetime.fromisoformat(time))

    def said(self, text: str) -> str:
        """A sentence on one line, its times as `when` shows them."""
        return one_line(_TIME.sub(lambda found: self.when(found[0]), text))

    def cut(self, text: str, room: int) -> str:
        """The beginning of a text, with an ellipsis when that is not all. Whole in a pipe."""
        return text if self.width is None or len(text) <= room else f"{text[: room - 1].rstrip()}…"

    def wrapped(self, text: str, *, first: str = "", indent: int = 0) -> str:
        """A text behind `first`, its further lines indented. A command in back quotes stays on one line, so that it
        can be copied. One line in a pipe.
        """
        if self.width is None:
            return first + text
        filled = textwrap.fill(
            _COMMAND.sub(lambda found: found[0].replace(" ", _GLUE), text),
            max(self.width, 40),
            initial_indent=first,
            subsequent_indent=" " * indent,
            break_on_hyphens=False,
        )
        return filled.replace(_GLUE, " ")


def this_screen(now: datetime) -> Screen:
    """Where standard output goes."""
    return Screen(now=now, width=get_terminal_size().columns if os.isatty(1) else None)
