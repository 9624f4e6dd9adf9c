"""`plan`: what a tick would do now and why, from the database alone, doing nothing."""

from __future__ import annotations

import argparse
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from desgw_daemon.errors import UsageError

if TYPE_CHECKING:
    from desgw_daemon.cli.nights import Line
    from desgw_daemon.cli.screen import Screen
    from desgw_daemon.domain.actions import Action, Wait
    from desgw_daemon.domain.snapshot import Exposure, Snapshot
    from desgw_daemon.report.ages import Watch
    from desgw_daemon.report.statustypes import Age

#: Numbers, times and CCDs: what may differ between reasons that are alike.
_NUMBER: Final = re.compile(r"\d[\dTZ:-]*")
#: So a reason says that its numbers are old.
_UNSEEN: Final = "; not seen since "
#: The kinds of `--json`, by class.
_KINDS: Final = {
    "Wait": "wait",
    "Move": "move",
    "MakeDag": "make",
    "SubmitDag": "submit",
    "Reconcile": "reconcile",
    "Recheck": "recheck",
    "RefreshExposures": "refresh",
    "StartPostproc": "postproc",
    "LaunchPostproc": "launch",
    "WaitSeason": "wait_season",
}


def add(sub: argparse._SubParsersAction[Any]) -> None:
    """Describe the command."""
    parser = sub.add_parser(
        "plan",
        help="what a cycle would do now, or later, and why; it does nothing",
        description="Say what the daemon's next cycle would do from what stands in the database, and why; nothing is\n"
        "looked at and nothing is done. What acts comes first, then what waits, by its reason.",
    )
    parser.add_argument(
        "--at",
        metavar="TIME",
        help="at 2026-11-22T02:14:05Z, or in +30min, +2h, if nothing new is seen until then",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")


def run(args: argparse.Namespace) -> int:
    """Print the plan. Raises Refused, UsageError, ConfigError, SchemaError."""
    now = datetime.now(UTC).replace(microsecond=0)
    at = moment(args.at, now) if args.at is not None else now

    from desgw_daemon.cli.opening import looking, open_config
    from desgw_daemon.cli.output import print_json, print_lines
    from desgw_daemon.cli.screen import this_screen
    from desgw_daemon.cli.statuspage import cycle_line, silence_lines
    from desgw_daemon.config.policies import policy_of
    from desgw_daemon.decide.plan import plan
    from desgw_daemon.report.ages import read_watch
    from desgw_daemon.store.circumstances import with_circumstances
    from desgw_daemon.store.load import load_snapshot

    loaded = open_config(args)
    with looking(loaded) as connection:
        snapshot = with_circumstances(connection, load_snapshot(connection))
        # The views, in the same transaction.
        db = connection.connection.driver_connection
        assert isinstance(db, sqlite3.Connection)
        watch = read_watch(db, now=now, interval=loaded.config.poll.interval)
    actions = plan(snapshot, policy_of(loaded.config), at)
    ages = {exposure.id: _age(exposure, watch) for exposure in snapshot.exposures} | _ages_in_runs(snapshot, watch)
    if args.json:
        said = [_as_json(action, snapshot, ages) for action in actions]
        print_json({"at": at, "as_of": now, "silent": watch.silent, "last_cycle": watch.last_cycle, "actions": said})
    else:
        screen = this_screen(now)
        lines = silence_lines(watch.silent, screen)
        if watch.last_cycle is None or watch.last_cycle["overdue"]:
            lines += [cycle_line(watch.last_cycle, False, screen, watch.interval), ("", None)]
        print_lines([*lines, *plan_lines(actions, snapshot, at, screen, ages)])
    return 0


def _age(exposure: Exposure, watch: Watch) -> Age:
    """Of what is planned on the numbers of an exposure."""
    from desgw_daemon.domain.decam import EXPECTED_CCDS
    from desgw_daemon.domain.states import CcdState
    from desgw_daemon.domain.times import utc
    from desgw_daemon.report.ages import exposure_age, may_change

    changing = may_change(
        pending=EXPECTED_CCDS - sum(ccd.state is not CcdState.PENDING for ccd in exposure.ccds),
        found=exposure.forcefiles_found,
        expected=exposure.forcefiles_expected,
        ready=exposure.ready,
        dag=None if exposure.submission is None else exposure.submission.state,
    )
    as_of, unseen = (None if time is None else utc(time) for time in (exposure.as_of, exposure.unseen_since))
    return exposure_age(exposure.state, as_of, unseen, watch, changing=changing)


def _ages_in_runs(snapshot: Snapshot, watch: Watch) -> dict[int, Age]:
    """Of what is planned on the step that a run has come to."""
    from desgw_daemon.domain.states import ExposureState, RunState
    from desgw_daemon.domain.times import utc
    from desgw_daemon.report.ages import run_age

    inside = {exposure.id for exposure in snapshot.exposures if exposure.state is ExposureState.POSTPROCESSING}
    return {
        exposure_id: run_age(run.state, None if run.started_at is None else utc(run.started_at), None, watch)
        for run in snapshot.runs
        if run.state is RunState.RUNNING
        for exposure_id in inside.intersection(run.exposures)
    }


def moment(text: str, now: datetime) -> datetime:
    """The time that `--at` means. Raises UsageError."""
    from desgw_daemon.config.spans import parse_span

    later = text.startswith("+")
    try:
        found = now + parse_span(text[1:].strip()) if later else datetime.fromisoformat(text)
    except ValueError as error:
        problem = f" ({error})" if later else ""
        raise UsageError(f"--at {text!r} is no time{problem}: write 2026-11-22T02:14:05Z, or +30min, +2h") from None
    if found.tzinfo is None:
        raise UsageError(f"--at {text!r} has no time zone: write {text}Z for UTC")
    return found.astimezone(UTC)


def plan_lines(
    actions: Sequence[Action], snapshot: Snapshot, at: datetime, screen: Screen, ages: Mapping[int, Age]
) -> list[Line]:
    """The plan in words: what acts, then what waits, put together where the reason is alike. ages: of exposures."""
    from desgw_daemon.domain.actions import Wait, WaitSeason
    from desgw_daemon.domain.times import age, utc

    acting = [action for action in actions if not isinstance(action, Wait | WaitSeason)]
    waits = [action for action in actions if isinstance(action, Wait)]
    seasons = [action for action in actions if isinstance(action, WaitSeason)]
    later = f" (in {age(at - screen.now)}, if nothing new is seen until then)" if at > screen.now else ""
    lines: list[Line] = [
        (f"A cycle at {utc(at)}{later} would", "bold"),
        *(_line(_what(action, snapshot), _aged(action, snapshot, ages, screen), screen, "green") for action in acting),
    ]
    if not acting:
        lines.append(("  start, move and submit nothing", None))
    if waits:
        lines += [("", None), (f"{len(waits)} exposures would wait:", "bold")]
    lines += [_line(who, why, screen, None) for who, why in _grouped(waits, snapshot, screen, ages)]
    if seasons:
        lines += [("", None), ("post-processing would wait:", "bold")]
    return lines + [
        _line(f"season {wait.season}", _aged(wait, snapshot, ages, screen), screen, None) for wait in seasons
    ]


def _aged(action: Action, snapshot: Snapshot, ages: Mapping[int, Age], screen: Screen) -> str:
    """The reason, with the age of the oldest numbers that it rests on, when that must be said."""
    from desgw_daemon.cli.agewords import oldest_in_brackets

    return f"{action.reason}{oldest_in_brackets(_rests_on(action, snapshot, ages), screen)}"


def _rests_on(action: Action, snapshot: Snapshot, ages: Mapping[int, Age]) -> list[Age]:
    """The ages of the exposures that an action is about; of a season, without those that it looks at seldom."""
    if (exposure_id := getattr(action, "exposure_id", None)) is not None:
        return [ages[exposure_id]] if exposure_id in ages else []
    season = getattr(action, "season", None)
    season_ages = [ages[exposure.id] for exposure in snapshot.exposures if exposure.season == season]
    return [age for age in season_ages if age["stale_because"] != "schedule"]


def _grouped(
    waits: Sequence[Wait], snapshot: Snapshot, screen: Screen, ages: Mapping[int, Age]
) -> Iterator[tuple[str, str]]:
    """Exposures and their reason; those whose reasons differ in numbers only stand together, except in a pipe.

    Who waits for whom is no such number.
    """
    from desgw_daemon.cli.agewords import oldest_in_brackets

    apart = screen.width is None
    known = Counter(exposure.expnum for exposure in snapshot.exposures)
    names = {e.id: e.label if known[e.expnum] > 1 else f"{e.expnum} {e.band or '?'}" for e in snapshot.exposures}
    groups: dict[tuple[str, tuple[int, ...]], list[Wait]] = {}
    for wait in waits:
        alike_in = wait.reason if apart else _NUMBER.sub("#", wait.reason)
        groups.setdefault((alike_in, wait.waits_for), []).append(wait)
    for group in groups.values():
        alike = len({wait.reason for wait in group}) == 1
        such_as = "" if alike else "each with its own numbers, such as: "
        # Those that the daemon has looked for in vain say so themselves.
        aged = oldest_in_brackets([ages[w.exposure_id] for w in group if _UNSEEN not in w.reason], screen)
        yield ", ".join(names[wait.exposure_id] for wait in group), f"{such_as}{group[0].reason}{aged}"


def _line(who: str, why: str, screen: Screen, style: str | None) -> Line:
    return screen.wrapped(screen.said(f"{who}: {why}"), first="  ", indent=4), style


def _what(action: Action, snapshot: Snapshot) -> str:
    from desgw_daemon.domain import actions

    names = {exposure.id: exposure.label for exposure in snapshot.exposures}
    match action:
        case actions.MakeDag():
            return f"make the DAG of {names[action.exposure_id]}"
        case actions.SubmitDag():
            return f"submit the DAG of {names[action.exposure_id]}"
        case actions.Reconcile():
            return f"ask the queue about {names[action.exposure_id]}"
        case actions.Recheck():
            return f"have every CCD looked at of {names[action.exposure_id]}"
        case actions.Move():
            return f"move {names[action.exposure_id]} from {action.before} to {action.after}"
        case actions.RefreshExposures():
            return "refresh exposures.list"
        case actions.StartPostproc():
            expnums = ", ".join(map(str, action.expnums))
            return f"start post-processing of season {action.season} with {expnums}"
        case actions.LaunchPostproc():
            return f"take up the start of run {action.number} of season {action.season}"
        case _:
            return str(action)


def _as_json(action: Action, snapshot: Snapshot, ages: Mapping[int, Age]) -> dict[str, Any]:
    """The action with its kind (`wait`, `make`...), the exposure it is about, and the age of its numbers."""
    from desgw_daemon.report.ages import oldest

    exposures = {exposure.id: exposure for exposure in snapshot.exposures}
    values = asdict(action)
    exposure = exposures.get(values.get("exposure_id", -1))
    if exposure is not None:
        values |= {"season": exposure.season, "nite": exposure.nite, "band": exposure.band}
    rests_on = _rests_on(action, snapshot, ages)
    age = rests_on[0] if exposure is not None else oldest(rests_on)
    return {"kind": _KINDS[type(action).__name__], **values, **(age or {})}
