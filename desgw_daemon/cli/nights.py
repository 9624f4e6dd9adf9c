"""The tables of `status`: one for each nite, a row for each exposure.

On a terminal an exposure that goes on by itself has one line, its reason cut; one that needs a person has its whole
reason. In a pipe every row is one line with everything, season and nite included.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Final, NamedTuple

from desgw_daemon.cli.dagwords import held_words, is_stuck, is_under_way, jobs_cell
from desgw_daemon.cli.screen import Screen
from desgw_daemon.report.statustypes import ExposureStatus, SubmissionStatus

#: A line and its rich style.
Line = tuple[str, str | None]

#: Colours with a meaning: red needs a person, green is ready, yellow is kept back or not seen.
_STYLES: Final = {"attention": "bold red", "ready": "green", "postprocessing": "cyan", "done": "dim", "removed": "dim"}
#: The order in which a heading counts them: what needs a person first, then the way of an exposure.
_ORDER: Final = (
    "attention",
    "queued",
    "making",
    "submitting",
    "processing",
    "ready",
    "postprocessing",
    "done",
    "removed",
)
#: States whose reason is a run, which is listed below the tables.
_SAID_BELOW: Final = frozenset({"postprocessing", "done", "removed"})
#: No CCD missing, broken or lost.
_NO_RARE: Final = "0/0/0"
_GAP: Final = "  "
#: A terminal that is narrower than this shows no jobs of DAGs in its tables.
ROOM_FOR_JOBS: Final = 150
#: A reason that has less room than this is put below its row.
_NARROWEST: Final = 32
_INDENT: Final = 4


class _Column(NamedTuple):
    header: str
    right: bool
    cell: Callable[[ExposureStatus], str]


def night_lines(exposures: Sequence[ExposureStatus], screen: Screen) -> list[Line]:
    """Headings and rows, in the order given, which is by season and nite."""
    lines: list[Line] = []
    for _, group in groupby(exposures, key=lambda exposure: (exposure["season"], exposure["nite"])):
        nite = list(group)
        lines.append((screen.wrapped(_heading(nite), indent=_INDENT), "bold"))
        lines += _table(nite, screen)
        lines.append(("", None))
    return lines


def _table(nite: Sequence[ExposureStatus], screen: Screen) -> list[Line]:
    columns = _columns(nite, screen)
    headers = [column.header for column in columns]
    cells = [[column.cell(exposure) for column in columns] for exposure in nite]
    widths = [max(map(len, column)) for column in zip(headers, *cells, strict=True)]

    def laid_out(row: Sequence[str]) -> str:
        padded = (
            cell.rjust(width) if column.right else cell.ljust(width)
            for cell, width, column in zip(row, widths, columns, strict=True)
        )
        return _GAP.join(padded) + _GAP

    header = laid_out(headers)
    beside = screen.width is None or screen.width - len(header) >= _NARROWEST
    lines: list[Line] = [(f"{header}REASON" if beside else header.rstrip(), "dim")]
    for exposure, row in zip(nite, cells, strict=True):
        lines.append((_with_reason(laid_out(row), exposure, screen), _style(exposure)))
    return lines


def state_words(exposure: ExposureStatus) -> str:
    """The state with what stands beside it: `ready partial`, `processing watched`, `queued held`."""
    words = [exposure["state"]]
    if exposure["ready"] == "partial" and exposure["state"] in ("ready", "postprocessing", "done"):
        words.append("partial")
    words += [word for word, is_so in (("watched", exposure["watch_only"]), ("held", exposure["held"])) if is_so]
    return " ".join(words)


def _columns(nite: Sequence[ExposureStatus], screen: Screen) -> list[_Column]:
    """Every column in a pipe; on a terminal those that have something to say for this nite."""
    pipe = screen.width is None

    def files(e: ExposureStatus) -> str:
        surplus = len(e["forcefiles"]["surplus"])
        return f"{e['forcefiles']['found']}/{e['forcefiles']['expected']}" + (f"+{surplus}" if surplus else "")

    def as_of(e: ExposureStatus) -> str:
        if pipe:
            return e["as_of"] or "-"
        return (screen.when(e["as_of"]) or "never") if e["stale"] else ""

    def jobs(e: ExposureStatus) -> str:
        """On a terminal those of DAGs that are under way only."""
        return jobs_cell(e["submission"]) if pipe or is_under_way(e["submission"]) else ""

    columns = [
        _Column("SEASON", True, lambda e: str(e["season"])),
        _Column("NITE", False, lambda e: e["nite"] or "unknown"),
    ]
    columns = [
        *(columns if pipe else []),
        _Column("EXPNUM", True, lambda e: str(e["expnum"])),
        _Column("BAND" if pipe else "B", False, lambda e: e["band"] or "?"),
        _Column("STATE", False, state_words),
        _Column("OK", True, lambda e: str(e["ccds"]["complete"])),
        _Column("FAIL", True, lambda e: str(e["ccds"]["failed"])),
        _Column("PEND", True, lambda e: str(e["ccds"]["pending"])),
    ]
    if pipe or any(_rare(e) != _NO_RARE for e in nite):
        columns.append(_Column("M/B/L", False, lambda e: _rare(e) if pipe or _rare(e) != _NO_RARE else ""))
    if screen.width is None or (screen.width >= ROOM_FOR_JOBS and any(map(jobs, nite))):
        columns.append(_Column("W/R/D/F/H", False, jobs))
    if pipe:
        columns.append(_Column("JOB", False, lambda e: _job(e["submission"])))
    columns += [
        _Column("FILES", True, files),
        _Column("SINCE", False, lambda e: screen.when(e["since"])),
    ]
    if any(as_of(e) for e in nite):
        columns.append(_Column("AS_OF" if pipe else "AS OF", False, as_of))
    return columns


def _job(dag: SubmissionStatus | None) -> str:
    return "-" if dag is None else dag["job_id"] or "-"


def _rare(exposure: ExposureStatus) -> str:
    return f"{exposure['ccds']['missing']}/{exposure['ccds']['broken']}/{exposure['ccds']['lost']}"


def _heading(exposures: Sequence[ExposureStatus]) -> str:
    counts = Counter(exposure["state"] for exposure in exposures)
    held = sum(exposure["held"] for exposure in exposures)
    named = ", ".join(f"{counts[state]} {state}" for state in _ORDER if counts[state])
    season, nite = exposures[0]["season"], exposures[0]["nite"] or "unknown"
    number = f"{len(exposures)} exposure{'s' if len(exposures) > 1 else ''}"
    return f"season {season}  nite {nite}  {number}: {named}{f'; {held} held' if held else ''}"


def _with_reason(row: str, exposure: ExposureStatus, screen: Screen) -> str:
    reason = screen.said(exposure["reason"])
    if screen.width is None:
        return (row + reason).rstrip()
    room = screen.width - len(row)
    if exposure["state"] == "attention":
        if len(reason) <= room:
            return row + reason
        return f"{row.rstrip()}\n{screen.wrapped(reason, first=' ' * _INDENT, indent=_INDENT)}"
    # A tree that is silent as a whole stands above the tables.
    own_problem = exposure["problem"] if exposure["stale_because"] != "pnfs" else None
    if own_problem is not None and exposure["unseen_since"] is not None:
        reason = f"not seen since {screen.when(exposure['unseen_since'])}: {screen.said(own_problem)}"
    elif (dag := exposure["submission"]) and is_stuck(dag) and (held := held_words(dag, screen)):
        reason = f"its DAG: {screen.said(held)}"
    elif len(reason) > room:
        reason = _without_counts(reason, exposure)
    if len(reason) <= room or room >= _NARROWEST:
        return (row + screen.cut(reason, room)).rstrip()
    if exposure["state"] in _SAID_BELOW:
        return row.rstrip()
    return f"{row.rstrip()}\n{' ' * _INDENT}{screen.cut(reason, screen.width - _INDENT)}"


def _without_counts(reason: str, exposure: ExposureStatus) -> str:
    """The reason without the CCD counts that it begins with: they stand in the columns."""
    counts, semicolon, rest = reason.partition("; ")
    counted = counts.startswith(f"{exposure['ccds']['complete']} of {exposure['ccds']['expected']} CCDs complete")
    return rest if counted and semicolon else reason


def _style(exposure: ExposureStatus) -> str | None:
    doubtful = exposure["problem"] is not None or exposure["disagreement"] is not None
    if exposure["state"] != "attention" and (exposure["held"] or doubtful or is_stuck(exposure["submission"])):
        return "yellow"
    return _STYLES.get(exposure["state"])
