"""What `status EXPNUM` shows: the focal plane with a mark for each CCD, what went wrong, the forcephoto files."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from datetime import timedelta
from typing import Final, TypedDict, cast

from desgw_daemon.cli.agewords import age_words, in_brackets
from desgw_daemon.cli.dagwords import submission_lines
from desgw_daemon.cli.nights import Line, state_words
from desgw_daemon.cli.reading import label
from desgw_daemon.cli.screen import Screen
from desgw_daemon.cli.statuspage import daemon_lines, disagreement_line, run_line, silence_lines
from desgw_daemon.domain.decam import ALL_CCDS, SKIPPED_CCDS
from desgw_daemon.report.focalplane import draw
from desgw_daemon.report.statustypes import ExposureStatus, RunStatus, Status

#: Letters, since colours alone do not tell everybody.
_MARKS: Final = {"complete": "C", "failed": "F", "pending": ".", "missing": "M", "broken": "B", "lost": "L"}
_SKIPPED: Final = "-"


class CcdStatus(TypedDict):
    """One CCD. settled_at: since when nothing more is waited for. stale: FAIL files of an earlier attempt."""

    ccd: int
    state: str
    step: str | None
    reason: str | None
    job: str | None
    host: str | None
    fails: list[str]
    stale: list[str]
    foreign_files: list[str]
    tarball_size: int | None
    changed_at: str | None
    settled_at: str | None
    as_of: str | None


def ccd_rows(db: sqlite3.Connection, exposure: ExposureStatus) -> list[CcdStatus]:
    """The CCDs that were looked at, in their order."""
    cursor = db.cursor()
    cursor.row_factory = sqlite3.Row
    columns = ", ".join(CcdStatus.__annotations__)
    query = f"SELECT {columns} FROM v_ccd WHERE exposure_id = ? ORDER BY ccd"
    rows = [dict(row) for row in cursor.execute(query, [exposure["exposure_id"]])]
    lists = ("fails", "stale", "foreign_files")
    return [cast(CcdStatus, row | {name: json.loads(row[name]) for name in lists}) for row in rows]


def runs_of(db: sqlite3.Connection, exposure: ExposureStatus, runs: Sequence[RunStatus]) -> list[RunStatus]:
    """Those of its season's runs that the exposure is in."""
    query = "SELECT number FROM v_postproc_exposure WHERE exposure_id = ?"
    numbers = {number for (number,) in db.execute(query, [exposure["exposure_id"]])}
    return [run for run in runs if run["number"] in numbers]


def exposure_lines(
    exposure: ExposureStatus, ccds: Sequence[CcdStatus], status: Status, screen: Screen, interval: timedelta
) -> list[Line]:
    """The whole page of one exposure."""
    seen = "never looked at" if exposure["as_of"] is None else f"as of {screen.when(exposure['as_of'])}"
    seen = age_words(exposure, screen) or seen
    state = f"{state_words(exposure)} since {screen.when(exposure['since'])} ({screen.ago(exposure['since'])})"
    dag = exposure["submission"]
    lines: list[Line] = [
        *silence_lines(status["silent"], screen),
        (f"{label(exposure)}: {state}", "bold red" if exposure["state"] == "attention" else "bold"),
        (screen.wrapped(screen.said(exposure["reason"]), first="  ", indent=2), None),
        *disagreement_line(exposure, screen, first="  "),
        *([] if dag is None else [(line, None) for line in submission_lines(dag, screen, first="  DAG: ")]),
        ("", None),
        (screen.wrapped(f"CCDs, {seen}: {_counts(exposure)}", indent=2), "bold"),
        *_plane(ccds),
        ("", None),
        *_troubles(exposure, ccds, screen),
        *_files(exposure, screen),
    ]
    by_itself = exposure["stale_because"] != "pnfs"
    if by_itself and exposure["problem"] is not None and exposure["unseen_since"] is not None:
        since = screen.when(exposure["unseen_since"])
        lines.append((screen.wrapped(screen.said(f"not seen since {since}: {exposure['problem']}")), "yellow"))
    if status["runs"]:
        lines += [("post-processing:", "bold"), *(run_line(run, screen) for run in status["runs"])]
    lines += daemon_lines(status, screen, interval)
    return [*lines, (f"`desgw-daemon explain {exposure['expnum']}` tells what happens next.", "dim")]


def _counts(exposure: ExposureStatus) -> str:
    counts = {name: number for name, number in exposure["ccds"].items() if name != "expected" and number}
    return ", ".join(f"{number} {name}" for name, number in counts.items()) + f" of {exposure['ccds']['expected']}"


def _plane(ccds: Sequence[CcdStatus]) -> list[Line]:
    marks = dict.fromkeys(ALL_CCDS, _MARKS["pending"]) | {ccd["ccd"]: _MARKS[ccd["state"]] for ccd in ccds}
    marks |= dict.fromkeys(SKIPPED_CCDS, _SKIPPED)
    legend = "  ".join(f"{mark} {name}" for name, mark in _MARKS.items()) + f"  {_SKIPPED} not processed"
    return [*((f"  {line}", None) for line in draw(marks)), (f"  {legend}", "dim")]


def _troubles(exposure: ExposureStatus, ccds: Sequence[CcdStatus], screen: Screen) -> list[Line]:
    """CCDs that came to a bad end, or of which there is something to say."""
    lines: list[Line] = []
    for ccd in ccds:
        bad = ccd["state"] not in ("complete", "pending")
        if not bad and ccd["reason"] is None:
            continue
        start = f"  {exposure['band']}_{ccd['ccd']:02d}  {ccd['state']:<8}  "
        # "failed at STEP" says no more than the state and the step.
        reason = None if ccd["step"] is not None and ccd["reason"] == f"failed at {ccd['step']}" else ccd["reason"]
        others = [name for name in ccd["fails"] if name != ccd["step"]]
        also = f"also {', '.join(others)}" if others else None
        where = [f"{name} {value}" for name, value in (("job", ccd["job"]), ("host", ccd["host"])) if value]
        words = "; ".join(part for part in (ccd["step"], reason, also, ", ".join(where)) if part)
        text = screen.wrapped(screen.said(words), first=start, indent=len(start))
        lines.append((text, "red" if bad else None))
    return [*lines, ("", None)] if lines else []


def _files(exposure: ExposureStatus, screen: Screen) -> list[Line]:
    files = exposure["forcefiles"]
    age, found = in_brackets(exposure, screen), f"{files['found']} of {files['expected']} found"
    lines: list[Line] = [(screen.wrapped(f"Forcephoto files of the complete CCDs{age}: {found}", indent=2), "bold")]
    for name, names, style in (("missing", files["missing"], "yellow"), ("too many", files["surplus"], "bold red")):
        if names:
            start = f"  {name} ({len(names)}): "
            lines.append((screen.wrapped(screen.said(", ".join(names)), first=start, indent=4), style))
    return [*lines, ("", None)]
