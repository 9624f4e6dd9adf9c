"""`explain EXPNUM`: why an exposure is where it is, what happens next and by when, and whether a person is needed."""

from __future__ import annotations

import argparse
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from desgw_daemon.cli.filters import add_filters
from desgw_daemon.domain.times import age

if TYPE_CHECKING:
    from desgw_daemon.cli.nextstep import Next
    from desgw_daemon.cli.nights import Line
    from desgw_daemon.cli.screen import Screen
    from desgw_daemon.report.statustypes import ExposureStatus, Status, SubmissionStatus, SubmitTryStatus

#: So many changes of state are shown; `history` has all of them.
_CHANGES: Final = 5
_WIDE: Final = 10
#: States in which an exposure waits for others of its season.
_IN_LINE: Final = ("queued", "ready")


class _Story(NamedTuple):
    exposure: ExposureStatus
    status: Status
    season: list[ExposureStatus]
    makings: list[dict[str, Any]]
    submissions: list[SubmissionStatus]
    tries: list[SubmitTryStatus]
    changes: list[dict[str, Any]]
    live: tuple[int, int] | None


def add(sub: argparse._SubParsersAction[Any]) -> None:
    """Describe the command."""
    parser = sub.add_parser(
        "explain",
        help="one exposure: why it is where it is, what happens next, whether a person is needed",
        description="Tell where an exposure is, why, what happens next and by when, whether a person is needed and\n"
        "what to type then; its DAGMaker runs, submissions, runs of post-processing and last changes.",
    )
    add_filters(parser, expnum=None)


def run(args: argparse.Namespace) -> int:
    """Print the explanation. Raises Refused, UsageError, ConfigError, SchemaError."""
    from desgw_daemon.cli.nextstep import next_step
    from desgw_daemon.cli.oneexposure import runs_of
    from desgw_daemon.cli.output import print_json, print_lines
    from desgw_daemon.cli.reading import find_place, read, scope_of, the_one
    from desgw_daemon.cli.screen import this_screen
    from desgw_daemon.report.ages import read_watch
    from desgw_daemon.report.dags import submissions_of, tries_of
    from desgw_daemon.report.status import Scope, read_exposures, read_status

    scope, place = scope_of(args), find_place(args)
    now = datetime.now(UTC).replace(microsecond=0)

    def ask(db: sqlite3.Connection) -> _Story:
        status = read_status(db, scope, now=now, interval=place.policy.poll_interval)
        exposure = the_one(status["exposures"], scope)
        status["runs"] = runs_of(db, exposure, status["runs"])
        columns = "attempt, state, exit_code, reason, folder, intent_at, ended_at"
        makings = _rows(db, f"SELECT {columns} FROM v_dagmaker WHERE exposure_id = ? ORDER BY run_id", exposure)
        columns = "at, kind, subject, before, after, why, who"
        query = (
            f"SELECT {columns} FROM v_history WHERE exposure_id = ? AND kind <> 'ccd' ORDER BY id DESC LIMIT {_CHANGES}"
        )
        live = db.execute("SELECT season, number FROM v_postproc WHERE state IN ('intent', 'running')").fetchone()
        watch = read_watch(db, now=now, interval=place.policy.poll_interval)
        return _Story(
            exposure=exposure,
            status=status,
            # Thousands in a long season, and only these two states wait for the others.
            season=read_exposures(db, Scope(season=exposure["season"]), watch) if exposure["state"] in _IN_LINE else [],
            makings=makings,
            submissions=submissions_of(db, exposure["exposure_id"]),
            tries=tries_of(db, exposure["exposure_id"]),
            changes=_rows(db, query, exposure)[::-1],
            live=live,
        )

    story = read(place.database, ask)
    step = next_step(story.exposure, story.submissions, story.season, story.status, story.live, place.policy)
    if args.json:
        print_json(_as_json(story, step))
    else:
        print_lines(_lines(story, step, this_screen(now), place.policy.poll_interval))
    return 0


def _rows(db: sqlite3.Connection, query: str, exposure: ExposureStatus) -> list[dict[str, Any]]:
    cursor = db.cursor()
    cursor.row_factory = sqlite3.Row
    return [dict(row) for row in cursor.execute(query, [exposure["exposure_id"]])]


def _as_json(story: _Story, step: Next) -> dict[str, Any]:
    shown = ("as_of", "paused", "pause", "silent", "last_cycle", "alerts", "runs")
    return {
        **{name: value for name, value in story.status.items() if name in shown},
        "exposure": story.exposure,
        "next": step.words,
        "by": step.by,
        "person": step.person,
        "commands": step.commands,
        "dagmaker_runs": story.makings,
        "submissions": story.submissions,
        "submit_tries": story.tries,
        "changes": story.changes,
    }


def _lines(story: _Story, step: Next, screen: Screen, interval: timedelta) -> list[Line]:
    from desgw_daemon.cli.agewords import age_words
    from desgw_daemon.cli.dagwords import submission_lines
    from desgw_daemon.cli.history import change_line
    from desgw_daemon.cli.nights import state_words
    from desgw_daemon.cli.reading import label
    from desgw_daemon.cli.statuspage import daemon_lines, disagreement_line, run_line, silence_lines

    exposure = story.exposure
    since = f"since {screen.when(exposure['since'])} ({screen.ago(exposure['since'])})"
    attempt = f", attempt {exposure['attempt']}" if exposure["attempt"] > 1 else ""
    running = [run for run in story.status["runs"] if run["state"] == "running"]
    age = next((words for shown in (exposure, *running) if (words := age_words(shown, screen))), None)
    runs = [run_line(run, screen) for run in story.status["runs"]]
    dags = [
        (line, None)
        for row in story.submissions
        for line in submission_lines(row, screen, first=f"  attempt {row['attempt']}  ")
    ]
    return [
        *silence_lines(story.status["silent"], screen),
        (label(exposure), "bold"),
        _part("State", f"{state_words(exposure)} {since}{attempt}", screen, "bold"),
        _part("Why", exposure["reason"], screen),
        *([] if age is None else [_part("Seen", age, screen, "yellow")]),
        *disagreement_line(exposure, screen, first=f"  {'But':<{_WIDE}}"),
        _part("Next", step.words, screen),
        *([_part("By", _deadline(step.by, screen), screen)] if step.by else []),
        *_person(step, screen),
        *_section("DAGMaker", [(_making(making, screen), None) for making in story.makings]),
        *_section("Submissions", dags),
        *_section("Post-processing", runs),
        *_section("Last changes", [change_line(change, screen) for change in story.changes]),
        (f"  `desgw-daemon history {exposure['expnum']}` shows all", "dim"),
        ("", None),
        *daemon_lines(story.status, screen, interval),
    ]


def _part(name: str, text: str, screen: Screen, style: str | None = None) -> Line:
    return screen.wrapped(screen.said(text), first=f"  {name:<{_WIDE}}", indent=_WIDE + 2), style


def _deadline(by: str, screen: Screen) -> str:
    left = datetime.fromisoformat(by) - screen.now
    return f"{screen.when(by)} at the latest ({f'in {age(left)}' if left > timedelta(0) else 'in the next cycle'})"


def _person(step: Next, screen: Screen) -> list[Line]:
    if step.person:
        words = "NEEDED; to type, as it fits:" if step.commands else "NEEDED"
        lines = [_part("Person", words, screen, "bold red")]
    elif step.commands:
        lines = [_part("Person", "nobody is needed; whoever wants to may type:", screen)]
    else:
        lines = [_part("Person", "nobody is needed", screen)]
    return lines + [(f"{' ' * (_WIDE + 4)}{command}", "bold red" if step.person else None) for command in step.commands]


def _section(name: str, lines: Sequence[Line]) -> list[Line]:
    return [("", None), (f"{name}:", "bold"), *lines] if lines else []


def _making(making: dict[str, Any], screen: Screen) -> str:
    ended = f" to {screen.when(making['ended_at'])}" if making["ended_at"] else ""
    exit_code = "" if making["exit_code"] is None else f", exit code {making['exit_code']}"
    words = f"{making['state']} (from {screen.when(making['intent_at'])}{ended}{exit_code})"
    reason = f": {making['reason']}" if making["reason"] else ""
    return screen.wrapped(screen.said(words + reason), first=f"  attempt {making['attempt']}  ", indent=13)
