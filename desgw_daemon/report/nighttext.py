"""The report of a night as a message: what needs a person first, then what came of the night, in plain text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from desgw_daemon.decide.words import plural
from desgw_daemon.domain.alertrules import OF_EACH_EXPOSURE
from desgw_daemon.domain.messages import Message
from desgw_daemon.domain.times import age
from desgw_daemon.report.messages import host

#: So many of each kind are named.
_MOST: Final = 10
_LONGEST: Final = 300
#: A cycle that takes longer is told.
_SLOW_CYCLE: Final = 30.0


def night_message(night: Mapping[str, Any]) -> Message:
    """What is sent."""
    return Message(
        kind="report",
        severity="info",
        title=f"Night {night['nite']}: {summary(night)} ({host()})",
        body=night_text(night),
    )


def summary(night: Mapping[str, Any]) -> str:
    """In a few words."""
    person = len(_person(night))
    wanted = f", {person} {'needs' if person == 1 else 'need'} a person" if person else ""
    if not night["exposures"]:
        return f"nothing ran{wanted}"
    return f"{night['states'].get('done', 0)} of {plural(night['exposures'], 'exposure')} done{wanted}"


def night_text(night: Mapping[str, Any]) -> str:
    """The whole text."""
    lines = [f"From {night['since']} to {night['until']}", ""]
    person = _person(night)
    lines.append(f"What needs a person: {len(person) or 'nothing'}")
    lines += _some([f"- {line}" for line in person])
    lines.append("")
    lines += _work(night)
    lines += _runs(night)
    lines += _alerts(night)
    lines += _slow(night)
    lines += ["", "More: `desgw-daemon status`, `desgw-daemon alerts list`", f"desgw-daemon on {host()}"]
    return "\n".join(lines)


def _person(night: Mapping[str, Any]) -> list[str]:
    """Alerts that are up and nobody has acknowledged; exposures, each once."""
    up = [a for a in night["alerts"] if a["cleared_at"] is None and a["severity"] != "info"]
    lines = [
        f"{a['severity']}, {a['rule'].replace('_', ' ')}{', acknowledged' if a['acked_at'] else ''}: {a['text']}"
        for a in up
        if a["rule"] not in OF_EACH_EXPOSURE
    ]
    lines += [
        f"exposure {e['expnum']} {e['band'] or '?'} since {e['since']}: {e['reason']}" for e in night["attention"]
    ]
    return [line if len(line) <= _LONGEST else f"{line[:_LONGEST]} ..." for line in lines]


def _work(night: Mapping[str, Any]) -> Iterator[str]:
    if not night["exposures"]:
        yield "Nothing ran: no exposure was worked on, and none of this nite is in the queue."
        return
    states = ", ".join(f"{count} {state}" for state, count in sorted(night["states"].items()))
    yield f"Exposures: {night['exposures']} ({states})"
    yield "CCDs: " + ", ".join(f"{count} {state}" for state, count in night["ccds"].items() if count)
    yield from _some(
        [
            f"- {plural(f['ccds'], 'CCD')} of {plural(f['exposures'], 'exposure')} {f['state']}"
            + (f" at {f['step']}" if f["step"] else "")
            for f in night["failures"]
        ]
    )


def _runs(night: Mapping[str, Any]) -> Iterator[str]:
    yield f"Post-processing: {plural(len(night['runs']), 'run')}"
    for run in night["runs"][-_MOST:]:
        took = ""
        if run["started_at"] and run["ended_at"]:
            took = f", {age(datetime.fromisoformat(run['ended_at']) - datetime.fromisoformat(run['started_at']))}"
        result = f" ({run['result'].replace('_', ' ')})" if run["result"] else ""
        yield (
            f"- season {run['season']} run {run['number']}: {run['state']}{result},"
            f" {plural(run['exposures'], 'exposure')}{took}"
        )


def _alerts(night: Mapping[str, Any]) -> Iterator[str]:
    alerts = night["alerts"]
    up = sum(a["cleared_at"] is None for a in alerts)
    raised = sum(a["raised_at"] >= night["since"] for a in alerts)
    yield f"Alerts: {raised} raised, {len(alerts) - up} over, {up} still up"
    over = [f"- {a['key']}, {a['since']} to {a['cleared_at']}" for a in alerts if a["cleared_at"] is not None]
    yield from _some(over)


def _slow(night: Mapping[str, Any]) -> Iterator[str]:
    cycles = night["cycles"]
    for dag in night["slow_dags"][:1]:
        took = age(timedelta(seconds=dag["seconds"]))
        yield f"The slowest DAG: exposure {dag['expnum']} {dag['band'] or '?'}, {took}"
    slow = f", the longest took {cycles['longest']:.0f} s" if cycles["longest"] >= _SLOW_CYCLE else ""
    yield f"Cycles of the daemon: {cycles['count']}{slow}"
    yield from _some([f"- none from {gap['from']} to {gap['to']}" for gap in cycles["gaps"]])


def _some(lines: list[str]) -> list[str]:
    more = len(lines) - _MOST
    return [*lines[:_MOST], f"- ... and {more} more"] if more > 0 else lines
