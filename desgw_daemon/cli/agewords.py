"""How old numbers are, in words: ``as of 02:14, /pnfs silent for 6 min``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from desgw_daemon.cli.screen import Screen
from desgw_daemon.report.ages import oldest
from desgw_daemon.report.statustypes import Age

_BECAUSE: Final = {
    "pnfs": "/pnfs silent for {}",
    "postprocessing": "Post-Processing silent for {}",
    "exposure": "not seen for {}",
    "daemon": "nothing has looked for {}",
    "schedule": "{} ago",
}


def age_words(age: Age, screen: Screen) -> str | None:
    """When stale numbers were last seen, and what keeps them from being seen; None for those that are not stale."""
    if not age["stale"] or age["stale_because"] is None or age["stale_since"] is None:
        return None
    seen = "never seen" if age["as_of"] is None else f"as of {screen.when(age['as_of'])}"
    return f"{seen}, {_BECAUSE[age['stale_because']].format(screen.ago(age['stale_since']))}"


def in_brackets(age: Age, screen: Screen) -> str:
    """The same to be put behind a sentence; nothing for numbers that are not stale."""
    words = age_words(age, screen)
    return f" ({words})" if words else ""


def oldest_in_brackets(ages: Sequence[Age], screen: Screen) -> str:
    """The same for a sentence on several exposures."""
    worst = oldest(ages)
    if worst is None:
        return ""
    if len(ages) == 1:
        return in_brackets(worst, screen)
    number = f"{sum(age['stale'] for age in ages)} of {len(ages)} exposures not seen of late"
    return f" ({number}, the oldest {age_words(worst, screen)})"
