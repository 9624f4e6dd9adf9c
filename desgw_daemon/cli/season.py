"""`season check|new|event|list`: is it used; a free one, taken at once; its event; those that are taken."""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
from typing import TYPE_CHECKING, Any, Final

from desgw_daemon.cli.taking import (
    Permission,
    accepted_sources,
    add_asking,
    ask_elsewhere,
    choose_free,
    none_is_free,
    verdict_on,
)
from desgw_daemon.domain.event import EVENT_KEYS, Event
from desgw_daemon.domain.seasons import LAST_SEASON, TESTING_RANGE, USUAL_RANGE, Known, Source, Verdict
from desgw_daemon.errors import DesgwError, Refused, UsageError

if TYPE_CHECKING:
    from desgw_daemon.config.loading import Loaded

#: Also those that have only exposures: they are older than the table.
_QUERY: Final = """
SELECT season, exposures, taken_at, taken_by, how, answers, unverified, reused_at, reused_by,
  ligoid, triggerid, propid, triggermjd
FROM v_season
UNION ALL
SELECT season, sum(state <> 'removed'), NULL, NULL, NULL, '{}', '[]', NULL, NULL, NULL, NULL, NULL, NULL
FROM v_exposure WHERE season NOT IN (SELECT season FROM v_season) GROUP BY season
ORDER BY season
"""


def add(sub: argparse._SubParsersAction[Any]) -> None:
    """Describe the commands."""
    parser = sub.add_parser("season", help="whether a season is used; take a free one; those that are taken")
    what = parser.add_subparsers(metavar="check|new|event|list", dest="what", required=True)
    check = what.add_parser(
        "check",
        help="ask every source whether a season is used",
        description="Ask whether a season is used: the number itself (`reserved`), the DES database (`des`), the dp\n"
        "folders on /pnfs (`pnfs`), this daemon's own database (`own`). Exit code 0: free; 1: used, or\n"
        "a source gave no answer.",
    )
    check.add_argument("season", metavar="N")
    add_asking(check)
    check.add_argument("--json", action="store_true", help="print JSON, for programs")
    check.set_defaults(run=_check)
    new = what.add_parser(
        "new",
        help="take a season that nobody has used, and print it",
        description="Choose a season at random that no source knows, take it at once, and print its number, alone on\n"
        f"stdout: N=$(desgw-daemon season new). From {USUAL_RANGE[0]}-{USUAL_RANGE[1]} without the reserved ones,"
        f" unless --range says\nelse ({TESTING_RANGE[0]}-{TESTING_RANGE[1]} with --testing).",
    )
    new.add_argument("--range", metavar="A-B", help="from A to B, both included")
    add_asking(new)
    new.add_argument("--json", action="store_true", help="print JSON, for programs")
    new.set_defaults(run=_new)
    event = what.add_parser(
        "event",
        help="note for which event a season is",
        description="Note the event of a season: the next ini of post-processing has these values instead of the\n"
        "template's. What is not given stays as it is.",
    )
    event.add_argument("season", metavar="N")
    for key, meaning in EVENT_KEYS.items():
        event.add_argument(f"--{key}", metavar="VALUE", help=meaning)
    event.set_defaults(run=_event)
    listing = what.add_parser("list", help="the seasons that are taken, and the event that each is for")
    listing.add_argument("--json", action="store_true", help="print JSON, for programs")
    listing.set_defaults(run=_list)


def run(args: argparse.Namespace) -> int:
    """Never called: each command has a function of its own."""
    raise NotImplementedError(args.command)


def _check(args: argparse.Namespace) -> int:
    from desgw_daemon.cli.opening import open_config
    from desgw_daemon.cli.output import print_json, print_table

    season = _number(args.season)
    loaded = open_config(args)
    known = {**ask_elsewhere(loaded), Source.OWN: _own(loaded)}
    verdict = verdict_on(season, known, testing=args.testing, accepted=accepted_sources(args))
    if args.json:
        print_json({"season": season, "free": verdict.free, "says": _summary(season, verdict), **_as_values(verdict)})
    else:
        rows = [(answer.source.value, answer.standing.value, answer.words) for answer in verdict.answers]
        print_table(("SOURCE", "ANSWER", "WHY"), rows)
        print(_summary(season, verdict))
    return 0 if verdict.free else 1


def _new(args: argparse.Namespace) -> int:
    from desgw_daemon.cli.opening import changing, open_config, utc_now, who
    from desgw_daemon.cli.output import print_json
    from desgw_daemon.store.seasons import take_one

    first, last = _range(args)
    loaded = open_config(args)
    chosen = choose_free(loaded, first, last, Permission(testing=args.testing, accepted=accepted_sources(args)))
    verdict = chosen.verdict
    with changing(loaded) as connection:
        season = take_one(connection, chosen.free, chosen.taking, who=who(), at=utc_now())
    if season is None:
        raise Refused(none_is_free(first, last))
    for answer in verdict.answers:
        if answer.source in verdict.accepted:
            print(f"season {season}: {answer.source} gave no answer ({answer.words})", file=sys.stderr)
    if args.json:
        print_json({"season": season, **_as_values(verdict)})
    else:
        print(season)
    return 0


def _event(args: argparse.Namespace) -> int:
    from desgw_daemon.cli.opening import changing, open_config, utc_now, who
    from desgw_daemon.store.seasons import event_of, record_event

    season, event = _number(args.season), Event()
    for key in EVENT_KEYS:
        if (text := getattr(args, key)) is not None:
            try:
                event = event.with_value(key, text)
            except ValueError as error:
                raise UsageError(str(error)) from None
    if not event.for_ini():
        raise UsageError(f"season event needs at least one of {', '.join(f'--{key}' for key in EVENT_KEYS)}")
    with changing(open_config(args)) as connection:
        before = event_of(connection, season).for_ini()
        record_event(connection, season, event, who=who(), at=utc_now())
        known = event_of(connection, season)
    changed = {key: text for key, text in known.for_ini().items() if before.get(key, text) != text}
    for key, text in changed.items():
        print(f"{key}: {before[key]} -> {text}")
    print(f"season {season}: {', '.join(f'{key} {value}' for key, value in known.for_ini().items())}")
    if unknown := known.unknown():
        print(f"not known: {', '.join(unknown)}; the ini keeps the template's")
    return 0


def _list(args: argparse.Namespace) -> int:
    from desgw_daemon.cli.output import print_json, print_table
    from desgw_daemon.cli.reading import find_place, read

    rows = read(find_place(args).database, _rows)
    if args.json:
        print_json(rows)
        return 0
    if not rows:
        print("no season is taken yet; `desgw-daemon season new` takes one")
        return 0
    print_table(
        ("SEASON", "EXPOSURES", "TAKEN", "BY", "HOW", "REMARKS"),
        [
            (
                str(row["season"]),
                str(row["exposures"]),
                row["taken_at"] or "",
                row["taken_by"] or "",
                row["how"] or "",
                "; ".join(_remarks(row)),
            )
            for row in rows
        ],
        right=("SEASON", "EXPOSURES"),
    )
    return 0


def _rows(db: sqlite3.Connection) -> list[dict[str, Any]]:
    db.row_factory = sqlite3.Row
    texts = ("answers", "unverified")
    return [{**dict(row), **{key: json.loads(row[key]) for key in texts}} for row in db.execute(_QUERY)]


def _remarks(row: dict[str, Any]) -> list[str]:
    event = [f"{key} {row[key]}" for key in ("ligoid", "triggerid", "propid", "triggermjd") if row[key] is not None]
    reused = [f"used again by {row['reused_by']} at {row['reused_at']}"] if row["reused_at"] else []
    unverified = [f"not verified: {', '.join(row['unverified'])}"] if row["unverified"] else []
    return [*([" ".join(event)] if event else []), *reused, *unverified]


def _own(loaded: Loaded) -> Known:
    """What our own database knows. One that cannot be read is unknown, too."""
    from desgw_daemon.cli.opening import looking
    from desgw_daemon.store.seasons import known_seasons

    if not loaded.config.database.exists():
        return Known(free="there is no database here yet")
    try:
        with looking(loaded) as connection:
            return known_seasons(connection)
    except DesgwError as problem:
        return Known(problem=str(problem))


def _summary(season: int, verdict: Verdict) -> str:
    if any(answer.source is Source.RESERVED for answer in verdict.used):
        return f"season {season} may not be taken"
    if verdict.used:
        return f"season {season} is used"
    if verdict.unknown:
        options = " ".join(
            f"--accept-unverified {answer.source}" for answer in verdict.unknown if answer.source is not Source.OWN
        )
        advice = f" ({options} goes on without)" if options else ""
        return f"whether season {season} is free is not known{advice}"
    if verdict.accepted:
        return f"season {season} is free, as far as was answered: nothing is known of {', '.join(verdict.accepted)}"
    return f"season {season} is free"


def _as_values(verdict: Verdict) -> dict[str, Any]:
    answers = {a.source.value: {"answer": a.standing.value, "why": a.words} for a in verdict.answers}
    return {"answers": answers, "accepted": [source.value for source in verdict.accepted]}


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(LAST_SEASON)) and int(text) > 0):
        raise UsageError(f"{text!r} is no season: a season is a whole number from 1 to {LAST_SEASON}, such as 2206")
    return int(text)


def _range(args: argparse.Namespace) -> tuple[int, int]:
    """The numbers to choose from. Raises UsageError."""
    if args.range is None:
        return TESTING_RANGE if args.testing else USUAL_RANGE
    first, dash, last = args.range.partition("-")
    if not dash:
        raise UsageError(f"--range {args.range!r}: two seasons with a dash, such as 2000-2999")
    numbers = _number(first.strip()), _number(last.strip())
    if numbers[0] > numbers[1]:
        raise UsageError(f"--range {args.range}: the first is larger than the last")
    return numbers
