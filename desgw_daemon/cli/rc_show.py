"""`rc show`: the parameters in dagmaker.rc, or those that an exposure was made with."""

from __future__ import annotations

import argparse
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from desgw_daemon.errors import Refused, UsageError

if TYPE_CHECKING:
    from desgw_daemon.domain.rcfile import RcFile

WITHOUT_EFFECT: Final = "without effect today: DAGMaker does not look at it"
BY_THE_DAEMON: Final = "set by the daemon before each DAGMaker, to the season of its exposure"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownKey:
    """One key. raw: its value as it stands in the file. value: as bash reads it; None when not set, or not to be told.

    A key that is commented out is not set; its line is where it would be set.
    """

    key: str
    set: bool
    line: int | None
    value: str | None
    raw: str | None
    refers_to: tuple[str, ...]
    known: bool
    without_effect: bool
    note: str


def show(args: argparse.Namespace) -> int:
    """Print the parameters. Raises Refused, UsageError, ConfigError, SchemaError."""
    from desgw_daemon.cli.output import print_json, print_table
    from desgw_daemon.domain.rcfile import RcFile

    head: dict[str, Any]
    if args.expnum is not None:
        head, text = _read_by(args)
        title, rc = _title(head), RcFile(text)
    else:
        if args.season or args.nite or args.attempt is not None:
            raise UsageError("--season, --nite and --attempt say which exposure is meant: name it with --exposure")
        title, rc = _on_disk(args)
        head = {"path": title}
    keys = shown_keys(rc)
    if args.json:
        odd = [{"line": each.line, "last_line": each.last_line, "text": each.text, "why": each.why} for each in rc.odd]
        print_json({**head, "keys": keys, "other_lines": odd})
        return 0
    print(title)
    print_table(
        ["line", "key", "value", "note"],
        [["-" if key.line is None else str(key.line), key.key, _value(key), key.note] for key in keys],
        right=["line"],
    )
    for each in rc.odd:
        why = "more than an assignment" if each.why is None else each.why
        print(f"{each.where}: {why}. What it sets is neither shown nor edited")
    return 0


def shown_keys(rc: RcFile) -> list[ShownKey]:
    """Every key that is set or known, in the order of the file."""
    from desgw_daemon.domain.rckeys import KEYS, SEASON

    off = {each.key: each.line for each in rc.commented if each.key in KEYS}
    names = sorted({*rc.settings, *off, *KEYS}, key=lambda name: _place(rc, off, name))
    shown = []
    for name in names:
        setting, key = rc.settings.get(name), KEYS.get(name)
        notes = []
        if setting is None:
            notes.append("commented out" if name in off else "not in the file")
        else:
            if setting.refers_to:
                notes.append(f"refers to {', '.join(setting.refers_to)}")
            if setting.why is not None:
                notes.append(f"not told: {setting.why}")
            if key is not None and setting.value is not None and (problem := key.problem(setting.value)):
                notes.append(f"wrong: {problem}")
        if key is None:
            notes.append("DAGMaker knows no such key")
        elif key.without_effect:
            notes.append(WITHOUT_EFFECT)
        if name == SEASON:
            notes.append(BY_THE_DAEMON)
        shown.append(
            ShownKey(
                key=name,
                set=setting is not None,
                line=off.get(name) if setting is None else setting.line,
                value=None if setting is None else setting.value,
                raw=None if setting is None else setting.raw,
                refers_to=() if setting is None else setting.refers_to,
                known=key is not None,
                without_effect=key is not None and key.without_effect,
                note="; ".join(notes),
            )
        )
    return shown


def _place(rc: RcFile, off: dict[str, int], name: str) -> tuple[float, str]:
    if (setting := rc.settings.get(name)) is not None:
        return setting.line, name
    return off.get(name, float("inf")), name


def _value(key: ShownKey) -> str:
    if not key.set:
        return "-"
    return key.raw or "" if key.value is None else key.value or '""'


def _on_disk(args: argparse.Namespace) -> tuple[str, RcFile]:
    from desgw_daemon.cli.opening import open_config
    from desgw_daemon.wiring import parameters_of

    config = open_config(args).config
    return str(config.dagmaker_rc), parameters_of(config).taken_apart()


def _read_by(args: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """What an exposure's DAGMaker has read, and which one that was."""
    from desgw_daemon.cli.reading import find_place, label, read, scope_of, the_one
    from desgw_daemon.report.ages import read_watch
    from desgw_daemon.report.status import read_exposures

    scope, place = scope_of(args), find_place(args)
    now = datetime.now(UTC).replace(microsecond=0)

    def ask(db: sqlite3.Connection) -> tuple[dict[str, Any], str]:
        watch = read_watch(db, now=now, interval=place.policy.poll_interval)
        exposure = the_one(read_exposures(db, scope, watch), scope)
        db.row_factory = sqlite3.Row
        found = db.execute(
            "SELECT m.attempt, m.intent_at, m.state, m.rc_sha256, v.text FROM v_dagmaker m"
            " LEFT JOIN v_rc_version v ON v.sha256 = m.rc_sha256"
            " WHERE m.exposure_id = ?1 AND (?2 IS NULL OR m.attempt = ?2) ORDER BY m.run_id DESC LIMIT 1",
            [exposure["exposure_id"], args.attempt],
        ).fetchone()
        which = "" if args.attempt is None else f" as attempt {args.attempt}"
        if found is None:
            raise Refused(f"{label(exposure)} has not been made{which}: no DAGMaker has read anything for it")
        row = dict(found)
        text = row.pop("text")
        if text is None:
            raise Refused(
                f"{label(exposure)}: what its DAGMaker of {row['intent_at']} read is not known: it was not started to"
                " its end, or by an older version of this program"
            )
        return {"exposure": exposure, "made": row}, text

    return read(place.database, ask)


def _title(head: dict[str, Any]) -> str:
    from desgw_daemon.cli.reading import label

    made = head["made"]
    return f"{label(head['exposure'])}, attempt {made['attempt']}: what its DAGMaker of {made['intent_at']} read"
