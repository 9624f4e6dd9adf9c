"""docs/drill.md, as `make drill` writes it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from .verdict import Outcome

PAGE: Final = Path(__file__).parents[2] / "docs" / "drill.md"

_HEAD: Final = """\
# The fault drill

Written by `make drill`, which lets each of these faults happen in the middle of a night of its own: the real daemon at
work in a small sandbox, where a minute is a second and a poll half of one. When it happens one exposure is under way,
and another comes in afterwards. What can be mended is mended after a few polls. The night must end as it would have
without the fault: the sandbox's own independent check (that of `desgw-daemon demo`) finds every decision as planned,
nothing submitted twice, every CCD counted as it is on disk, and post-processing run once with the right list.

**Page-worthy** is an alert of severity `warning` or `critical` that people are told as raised. One that waits for its
delay, is muted by its cause, or is on trial, is none. Each fault must give exactly one: its root cause. Faults that
need nobody must give none; they are in a list of their own, with the reason. Where the database itself is what fails, a
channel counts the messages as well: there must be as many as alerts.

`python -m tests.drill --only NAME` tries one of them. A short form of it is in `make test`.
"""


def line(outcome: Outcome) -> str:
    """For the terminal."""
    mark = "ok " if outcome.good else "BAD"
    wrong = f"; {'; '.join(outcome.wrong)}" if outcome.wrong else ""
    return f"{mark} {outcome.fault.name}: {', '.join(outcome.pages) or 'no page'} ({_when(outcome)}){wrong}"


def page(outcomes: Sequence[Outcome]) -> str:
    """The whole page."""
    paged = [outcome for outcome in outcomes if outcome.fault.alert is not None]
    quiet = [outcome for outcome in outcomes if outcome.fault.alert is None]
    good = sum(outcome.good for outcome in outcomes)
    rows = [
        f"| {o.fault.what} | {_pages(o)} | {_raised(o)} | {_cleared(o)} | {len(o.pages)} | {_result(o)} |"
        for o in paged
    ]
    lines = [
        _HEAD,
        f"{good} of {len(outcomes)} passed.",
        "",
        "## Faults that somebody must know of",
        "",
        "| fault | alert | raised after | cleared after its mending | pages | the night |",
        "|---|---|---|---|---|---|",
        *rows,
        "",
        "## Faults that nobody must know of",
        "",
        "| fault | why nobody | pages | the night |",
        "|---|---|---|---|",
        *(f"| {o.fault.what} | {o.fault.why} | {len(o.pages)} | {_result(o)} |" for o in quiet),
        "",
    ]
    return "\n".join(lines)


def _pages(outcome: Outcome) -> str:
    wanted = f"[`{outcome.fault.alert}`](runbook.md#{outcome.fault.alert})"
    if outcome.one_page:
        return wanted
    return f"{', '.join(f'`{rule}`' for rule in outcome.pages) or 'none'} instead of {wanted}"


def _raised(outcome: Outcome) -> str:
    if outcome.raised_after is None:
        return "never"
    return f"{outcome.raised_after:.1f} s, {outcome.polls} polls"


def _cleared(outcome: Outcome) -> str:
    if outcome.cleared_after is not None:
        # What waited for it may have gone on before.
        return f"{outcome.cleared_after:.1f} s" if outcome.cleared_after >= 0 else "at once"
    return "stays for a person" if outcome.still_up else "with the exposure"


def _result(outcome: Outcome) -> str:
    if outcome.wrong:
        return f"WRONG: {'; '.join(outcome.wrong)}"
    return "right"


def _when(outcome: Outcome) -> str:
    return f"raised: {_raised(outcome)}, cleared: {_cleared(outcome)}"
