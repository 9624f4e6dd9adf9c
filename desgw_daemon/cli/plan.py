"""`plan`: what a tick would do now and why, from the database alone, doing nothing."""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from desgw_daemon.errors import UsageError

if TYPE_CHECKING:
    from desgw_daemon.cli.nights import Line
    from desgw_daemon.cli.screen import Screen
    from desgw_daemon.domain.actions import Action, Wait
    from desgw_daemon.domain.snapshot import Snapshot

#: Numbers, times and CCDs: what may differ between reasons that are alike.
_NUMBER: Final = re.compile(r"\d[\dTZ:-]*")
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
    from desgw_daemon.config.policies import policy_of
    from desgw_daemon.decide.plan import plan
    from desgw_daemon.store.circumstances import with_circumstances
    from desgw_daemon.store.load import load_snapshot

    loaded = open_config(args)
    with looking(loaded) as connection:
        snapshot = with_circumstances(connection, load_snapshot(connection))
    actions = plan(snapshot, policy_of(loaded.config), at)
    if args.json:
        print_json({"at": at, "as_of": now, "actions": [_as_json(action, snapshot) for action in actions]})
    else:
        print_lines(plan_lines(actions, snapshot, at, this_screen(now)))
    return 0


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


def plan_lines(actions: Sequence[Action], snapshot: Snapshot, at: datetime, screen: Screen) -> list[Line]:
    """The plan in words: what acts, then what waits, put together where the reason is alike."""
    from desgw_daemon.domain.actions import Wait, WaitSeason
    from desgw_daemon.domain.times import age, utc

    acting = [action for action in actions if not isinstance(action, Wait | WaitSeason)]
    waits = [action for action in actions if isinstance(action, Wait)]
    seasons = [action for action in actions if isinstance(action, WaitSeason)]
    later = f" (in {age(at - screen.now)}, if nothing new is seen until then)" if at > screen.now else ""
    lines: list[Line] = [
        (f"A cycle at {utc(at)}{later} would", "bold"),
        *(_line(_what(action, snapshot), action.reason, screen, "green") for action in acting),
    ]
    if not acting:
        lines.append(("  start, move and submit nothing", None))
    if waits:
        lines += [("", None), (f"{len(waits)} exposures would wait:", "bold")]
    lines += [_line(who, why, screen, None) for who, why in _grouped(waits, snapshot, apart=screen.width is None)]
    if seasons:
        lines += [("", None), ("post-processing would wait:", "bold")]
    return lines + [_line(f"season {wait.season}", wait.reason, screen, None) for wait in seasons]


def _grouped(waits: Sequence[Wait], snapshot: Snapshot, *, apart: bool) -> Iterator[tuple[str, str]]:
    """Exposures and their reason; those whose reasons differ in numbers only stand together, unless `apart`.

    Who waits for whom is no such number.
    """
    known = Counter(exposure.expnum for exposure in snapshot.exposures)
    names = {e.id: e.label if known[e.expnum] > 1 else f"{e.expnum} {e.band or '?'}" for e in snapshot.exposures}
    groups: dict[tuple[str, tuple[int, ...]], list[Wait]] = {}
    for wait in waits:
        alike_in = wait.reason if apart else _NUMBER.sub("#", wait.reason)
        groups.setdefault((alike_in, wait.waits_for), []).append(wait)
    for group in groups.values():
        alike = len({wait.reason for wait in group}) == 1
        such_as = "" if alike else "each with its own numbers, such as: "
        yield ", ".join(names[wait.exposure_id] for wait in group), f"{such_as}{group[0].reason}"


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


def _as_json(action: Action, snapshot: Snapshot) -> dict[str, Any]:
    """The action with its kind (`wait`, `make`, `postproc`...) and the exposure it is about."""
    exposures = {exposure.id: exposure for exposure in snapshot.exposures}
    values = asdict(action)
    exposure = exposures.get(values.get("exposure_id", -1))
    if exposure is not None:
        values |= {"season": exposure.season, "nite": exposure.nite, "band": exposure.band}
    return {"kind": _KINDS[type(action).__name__], **values}
