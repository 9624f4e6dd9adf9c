"""The hand-over as markdown that can be read in a terminal as it is: what needs somebody first, details last."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from desgw_daemon.decide.words import plural, some, span
from desgw_daemon.report.postproc import STEP_NAMES

#: Fits a terminal of 120 columns beside whatever stands there.
_WIDTH: Final = 110
_SAID: Final = {
    "missing": "without a folder",
    "broken": "with an empty or foreign tarball",
    "lost": "without a sign when their DAG had ended",
}


def as_markdown(handover: Mapping[str, Any]) -> str:
    """The whole text."""
    parts = (_head(handover), _person(handover), _exposures(handover), _runs(handover), _failures(handover))
    lines = [line for part in parts for line in part]
    kept = (line for before, line in zip(["", *lines], lines, strict=False) if line or before)
    return "\n".join(kept).rstrip() + "\n"


def _head(handover: Mapping[str, Any]) -> Iterator[str]:
    count, season = handover["summary"], handover["season"]
    yield f"# Season {season}: post-processing, as of {handover['as_of']}"
    yield ""
    nites = handover["nites"]
    where = f" of {plural(len(nites), 'nite')} ({some(nites)})" if nites else ""
    good = count["last_good_run"]
    said = [f"{plural(count['exposures'], 'exposure')}{where}"]
    if good is None:
        said.append("no run has ended well yet")
    else:
        run = next(run for run in handover["runs"] if run["number"] == good)
        result = f" ({run['result'].replace('_', ' ')})" if run["result"] else ""
        said.append(f"{count['in_last_good_run']} in run {good}, which ended well at {run['ended_at']}{result}")
    newest = handover["runs"][-1] if handover["runs"] else None
    if newest is not None and newest["number"] != good:
        said.append(f"run {newest['number']} is {newest['state']}")
    for name, words in (
        ("postprocessing", "in a run that goes on"),
        ("ready", "ready and in no run"),
        ("still_to_come", "still to come"),
        ("attention", "in attention"),
        ("held", "held"),
    ):
        if count[name]:
            said.append(f"{count[name]} {words}")
    yield from _wrapped("; ".join(said) + ".", "")
    yield f"The daemon's last cycle began at {handover['last_cycle'] or '(never)'}."
    yield ""


def _person(handover: Mapping[str, Any]) -> Iterator[str]:
    wanted = handover["needs_person"]
    yield f"## What needs a person ({len(wanted)})"
    yield ""
    if not wanted:
        yield "Nothing."
    for number, one in enumerate(wanted, start=1):
        whose = f" {one['expnum']} {one['band'] or '?'}" if one["expnum"] else ""
        yield from _wrapped(f"**{one['what']}**{whose}, since {one['since']}: {one['why']}", f"{number}. ")
        if one["commands"]:
            yield ""
            yield from (f"       {command}" for command in one["commands"])
            yield ""
    yield ""


def _exposures(handover: Mapping[str, Any]) -> Iterator[str]:
    exposures, good = handover["exposures"], handover["summary"]["last_good_run"]
    yield "## What went in"
    yield ""
    yield from _table(
        ["expnum", "band", "nite", "state", "complete", "failed", "other", "forcefiles", "runs"],
        [
            [
                e["expnum"],
                e["band"] or "?",
                e["nite"] or "?",
                e["state"] + (", held" if e["held"] else ""),
                e["ccds"]["complete"],
                e["ccds"]["failed"],
                sum(e["ccds"][name] for name in ("missing", "broken", "lost", "pending")),
                f"{e['forcefiles']['found']} of {e['forcefiles']['expected']}",
                ", ".join(map(str, e["runs"])) or "none",
            ]
            for e in exposures
        ],
    )
    yield ""
    yield (f"## What is not in run {good}, and why" if good is not None else "## Why each is in no run that ended well")
    yield ""
    out = [e for e in exposures if e["left_out"] is not None]
    if not out:
        yield "Nothing."
    for e in out:
        yield from _wrapped(f"{e['expnum']} {e['band'] or '?'}, {e['state']} since {e['since']}: {e['left_out']}", "- ")
    yield ""


def _runs(handover: Mapping[str, Any]) -> Iterator[str]:
    runs = handover["runs"]
    yield "## Runs"
    yield ""
    if not runs:
        yield "None yet."
        yield ""
        return
    yield from _table(
        ["run", "state", "result", "exposures", "left out", "SKIPTO", "step", "started", "took", "begun"],
        [
            [
                run["number"],
                run["state"],
                run["result"] or "-",
                run["exposures"],
                len(run["left_out"]),
                run["skipto"],
                "-" if run["step"] is None else run["step"],
                run["started_at"] or "-",
                _took(run),
                _begun_by(run, runs),
            ]
            for run in runs
        ],
    )
    yield ""
    for run in runs:
        if run["reason"] and run["state"] in ("failed", "lost"):
            yield from _wrapped(f"run {run['number']}: {run['reason']}", "- ")
    yield ""
    steps = sorted({step["step"] for run in runs for step in run["steps"]})
    if steps:
        yield "### Time of each step"
        yield ""
        seconds = {(run["number"], s["step"]): s["seconds"] for run in runs for s in run["steps"]}
        yield from _table(
            ["step", *(f"run {run['number']}" for run in runs)],
            [
                [f"{step} {STEP_NAMES.get(step, '?')}", *(_span(seconds.get((run["number"], step))) for run in runs)]
                for step in steps
            ],
        )
        yield ""


def _failures(handover: Mapping[str, Any]) -> Iterator[str]:
    failures = handover["failures"]
    yield "## CCD failures"
    yield ""
    if not any(failures.values()):
        yield "None."
        return
    if failures["by_step"]:
        yield from _table(
            ["step", "CCDs", "exposures", "hosts"],
            [[f["step"] or "?", f["ccds"], f["exposures"], f["hosts"]] for f in failures["by_step"]],
        )
        yield ""
        yield from _table(
            ["host", "CCDs", "exposures", "steps"],
            [[f["host"] or "not known", f["ccds"], f["exposures"], f["steps"]] for f in failures["by_host"]],
        )
        yield ""
    for f in failures["without_result"]:
        yield f"- {plural(f['ccds'], 'CCD')} of {plural(f['exposures'], 'exposure')} {_SAID[f['state']]}"


def _begun_by(run: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> str:
    if run["asked_by"]:
        return f"by {run['asked_by']}"
    of = next((other["number"] for other in runs if other["run_id"] == run["retry_of"]), None)
    return f"run {of} tried again" if of is not None else "by itself"


def _took(run: Mapping[str, Any]) -> str:
    if not run["started_at"] or not run["ended_at"]:
        return "-"
    return span(datetime.fromisoformat(run["ended_at"]) - datetime.fromisoformat(run["started_at"]))


def _span(seconds: int | None) -> str:
    return "-" if seconds is None else span(timedelta(seconds=seconds))


def _table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    """A table that is straight in a terminal, too."""
    cells = [list(headers), *([str(cell).replace("|", "/") for cell in row] for row in rows)]
    widths = [max(len(row[n]) for row in cells) for n in range(len(headers))]
    for index, row in enumerate(cells):
        yield "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        if index == 0:
            yield "|" + "|".join("-" * (width + 2) for width in widths) + "|"


def _wrapped(text: str, bullet: str) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=bullet,
        subsequent_indent=" " * len(bullet),
        break_on_hyphens=False,
        break_long_words=False,
    )
