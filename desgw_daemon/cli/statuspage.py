"""The page that `status` shows: the tables of the nites, and below them what is up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Final

from desgw_daemon.cli.agewords import in_brackets
from desgw_daemon.cli.nights import ROOM_FOR_JOBS, Line, night_lines
from desgw_daemon.cli.screen import Screen
from desgw_daemon.report.status import Nite
from desgw_daemon.report.statustypes import AlertStatus, Cycle, ExposureStatus, RunStatus, Silence, Status

#: So many runs of a season are listed on a terminal; a run a night makes a long season.
_RUNS_SHOWN: Final = 4
_RUN_STYLES: Final = {"failed": "bold red", "lost": "bold red", "running": "cyan", "done": "dim"}
_LEGEND: Final = (
    "OK, FAIL, PEND(ing), M/B/L (missing/broken/lost): of 59 CCDs.{jobs} FILES: forcephoto files found/expected."
    " Times: UTC."
    " Whole reasons: `desgw-daemon explain EXPNUM`."
)
_SILENT: Final = {
    "pnfs": "/pnfs",
    "engine": "The queue of the grid",
    "workflow": "gw_workflow",
    "postprocessing": "Post-Processing",
    "making": "The set-up script of DAGMaker",
}


def status_lines(status: Status, screen: Screen, interval: timedelta, *, finished: Mapping[Nite, int]) -> list[Line]:
    """The whole page. finished: nites that are left out, with their numbers of exposures."""
    lines = silence_lines(status["silent"], screen)
    lines += night_lines(status["exposures"], screen)
    if status["exposures"] and screen.width is not None:
        jobs = " W/R/D/F/H: jobs of its DAG waiting/running/done/failed/held." if screen.width >= ROOM_FOR_JOBS else ""
        lines += [(screen.wrapped(_LEGEND.format(jobs=jobs)), "dim"), ("", None)]
    if not status["exposures"] and not finished:
        lines.append(("no exposures yet: `desgw-daemon queue add FILE --season N` queues some", None))
    if finished:
        number = f"{sum(finished.values())} exposures of {len(finished)} earlier nites are done"
        lines += [(f"{number} (--season N or --nite N shows them)", "dim"), ("", None)]
    lines += _disagreement_lines(status, screen)
    lines += _run_lines(status, screen)
    lines += _alert_lines(status["alerts"], screen)
    lines += daemon_lines(status, screen, interval)
    return lines


def daemon_lines(status: Status, screen: Screen, interval: timedelta) -> list[Line]:
    """Whether the daemon works, and is paused."""
    lines: list[Line] = []
    pause = status["pause"]
    if pause is not None:
        words = (
            f"PAUSED since {screen.when(pause['since'])} ({screen.ago(pause['since'])}) by {pause['who']}:"
            f" {pause['reason']}. Nothing new is made, submitted or started; `desgw-daemon resume` goes on."
        )
        lines.append((screen.wrapped(screen.said(words)), "bold yellow"))
    lines.append(cycle_line(status["last_cycle"], pause is not None, screen, interval))
    return lines


def cycle_line(cycle: Cycle | None, paused: bool, screen: Screen, interval: timedelta) -> Line:
    """When the newest cycle began, and whether another was due."""
    now = f"now {screen.now:%H:%M:%S} UTC"
    if cycle is None:
        return f"The daemon has not run yet: `desgw-daemon run` (or its service) starts it; {now}.", "bold red"
    begun = f"{screen.when(cycle['started_at'])} ({screen.ago(cycle['started_at'])} ago)"
    if cycle["overdue"]:
        goes_on = "" if cycle["ended_at"] else " and has not ended: it was cut off, or something it asks hangs"
        words = (
            f"The daemon seems NOT TO RUN: its last cycle began at {begun}{goes_on}; one every"
            f" {interval.total_seconds():g} s is expected. Everything here is as of then. `desgw-daemon run` (or its"
            f" service) starts it; {now}."
        )
        return screen.wrapped(words), "bold red"
    took = "goes on" if cycle["ended_at"] is None else f"{cycle['listings']} listings on /pnfs"
    error = "" if cycle["error"] is None else f"; an action failed: {cycle['error']}"
    words = f"Daemon: last cycle {begun}, {took}{error}; {'paused' if paused else 'not paused'}; {now}."
    return screen.wrapped(screen.said(words)), "bold red" if error else None


def silence_lines(silent: Iterable[Silence], screen: Screen) -> list[Line]:
    """What does not answer, since when, why, and what that means for all that stands below it."""
    lines: list[Line] = [(_silence(silence, screen), "bold red") for silence in silent]
    return [*lines, ("", None)] if lines else []


def _silence(silence: Silence, screen: Screen) -> str:
    since = f"{screen.when(silence['since'])}{'' if screen.width is None else 'Z'}, for {screen.ago(silence['since'])}"
    words = f"{_SILENT[silence['what']]} has been silent since {since} ({silence['problem']}): {silence['means']}."
    return screen.wrapped(screen.said(words))


def disagreement_line(exposure: ExposureStatus, screen: Screen, *, first: str) -> list[Line]:
    """In what the queue and /pnfs do not say the same of an exposure; nothing where they do."""
    if exposure["disagreement"] is None or exposure["disagreement_since"] is None:
        return []
    since = f"{screen.when(exposure['disagreement_since'])} ({screen.ago(exposure['disagreement_since'])})"
    words = f"the queue and /pnfs disagree since {since}: {exposure['disagreement']}{in_brackets(exposure, screen)}"
    return [(screen.wrapped(screen.said(words), first=first, indent=len(first)), "yellow")]


def _disagreement_lines(status: Status, screen: Screen) -> list[Line]:
    lines = [
        line
        for exposure in status["exposures"]
        for line in disagreement_line(exposure, screen, first=f"  {exposure['expnum']}  ")
    ]
    return [*lines, ("", None)] if lines else []


def _alert_lines(alerts: list[AlertStatus], screen: Screen) -> list[Line]:
    if not alerts:
        return [("No alert is up.", None)]
    grave = sum(alert["severity"] == "critical" for alert in alerts)
    number = f"{len(alerts)} alert{'s are' if len(alerts) > 1 else ' is'} up"
    critical = f", {grave} critical" if grave else ", none critical"
    lines: list[Line] = [(f"{number}{critical} (`desgw-daemon alerts list` says what to do):", "bold")]
    for alert in alerts:
        start = f"  {alert['severity']:<8}  {screen.when(alert['raised_at'])}  "
        mark = "" if alert["active"] else "(on trial) "
        mark += f"(seen to by {alert['acked_by']}) " if alert["acked_by"] else ""
        text = mark + screen.said(alert["text"])
        style = "bold red" if alert["severity"] == "critical" else "yellow"
        if alert["expnum"] is not None and screen.width is not None:
            # Its whole reason stands in its row.
            lines.append((start + screen.cut(text, screen.width - len(start)), style))
        else:
            lines.append((screen.wrapped(text, first=start, indent=len(start)), style))
    return [*lines, ("", None)]


def _run_lines(status: Status, screen: Screen) -> list[Line]:
    lines: list[Line] = []
    for season in sorted({run["season"] for run in status["runs"]}):
        runs = [run for run in status["runs"] if run["season"] == season]
        shown = runs if screen.width is None else runs[-_RUNS_SHOWN:]
        earlier = f" (the newest {len(shown)} of {len(runs)})" if len(shown) < len(runs) else ""
        lines.append((f"post-processing of season {season}{earlier}:", "bold"))
        lines += [run_line(run, screen) for run in shown]
    for request in status["requests"]:
        words = f"asked for by {request['asked_by']} since {screen.when(request['asked_at'])}"
        lines.append((f"  season {request['season']}: {words}; it starts after a last look", "cyan"))
    return [*lines, ("", None)] if lines else []


def run_line(run: RunStatus, screen: Screen) -> Line:
    """A run of post-processing in a line."""
    start = f"  run {run['number']:>2}  {run['state']:<7}  "
    number = f"{len(run['expnums'])} exposures in {','.join(run['bands'])}"
    began = f"SKIPTO {run['skipto']}, " if run["skipto"] else ""
    match run["state"]:
        case "intent":
            words = f"about to start since {screen.when(run['intent_at'])}"
        case "running":
            words = f"since {screen.when(run['started_at'])}"
            if run["step"] is not None:
                words += f", step {run['step']} since {screen.when(run['step_at'])}"
            words += in_brackets(run, screen)
        case _:
            words = f"ended {screen.when(run['ended_at'])}: {run['reason'] or ''}"
    return (
        screen.wrapped(screen.said(f"{number}; {began}{words}"), first=start, indent=len(start)),
        _RUN_STYLES.get(run["state"]),
    )
