"""Nights on mounts that hang: the daemon as a process of its own, in real time or compressed, and what is counted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from desgw_daemon.sandbox.judge import judge
from desgw_daemon.sandbox.scenario import Postproc, Scenario
from tests.hanging import SlowMount, slow_mount
from tests.night.house import TREES, House, night_of, planned

#: The keys that the sandbox sets to compress time.
_COMPRESSED: Final = (
    "interval|inbox_settle|timeout|max_at_once|max_in_flight|confirm_absent|query_timeout|retry_after|local_slots|settle"
    "|grace_after_dag|zero_size_after|quiet_for|min_interval|retries|refresh_every|rules"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast a night goes.

    settings: of daemon.toml; None are the defaults. poll: from cycle to cycle. hang: for how many of them it lasts.
    job: milliseconds of a job. deadline: seconds, for what is waited for.
    """

    settings: dict[str, str] | None
    poll: timedelta
    hang: int
    job: int
    deadline: float


#: A minute is a second. The machine may be busy: a call hangs only after a whole poll.
COMPRESSED: Final = Pace(
    settings={
        "poll.interval": '"1 s"',
        "poll.answer_within": '"1 s"',
        "poll.look_deadline": '"5 s"',
        "alerts.rules": '{ pnfs_silent = { after = "1 s" }, workflow_silent = { after = "1 s" },'
        ' postprocessing_silent = { after = "1 s" }, exposures_unseen = { after = "2 s" } }',
    },
    poll=timedelta(seconds=1),
    hang=8,
    job=150,
    deadline=60,
)
#: In real time, with the default settings.
DEFAULT: Final = Pace(settings=None, poll=timedelta(seconds=60), hang=11, job=5000, deadline=600)


def house_of(folder: Path, pace: Pace, scenario: Scenario) -> House:
    """A sandbox in which time passes at this pace."""
    house = House(folder, scenario, pace.settings or {}, deadline=pace.deadline, cold=True)
    if pace.settings is None:
        text = re.sub(rf"(?m)^({_COMPRESSED}) = .*\n", "", house.config.read_text())
        house.config.write_text(text)
    return house


def night(*expnums: int, pace: Pace, postproc: Postproc | None = None) -> Scenario:
    """A night of these exposures."""
    return night_of(*(planned(expnum) for expnum in expnums), job=pace.job, postproc=postproc)


@contextmanager
def behind_mount(house: House, mountpoint: Path, *keys: str) -> Iterator[SlowMount]:
    """The sandbox through a mount, with these trees (`pnfs`, ...) where the daemon looks for them from now on.

    At the end everything answers, the mount has gone, and nothing is left of what the daemon has started: also
    when the server of the mount has died.
    """
    with ExitStack() as ends:
        mount = ends.enter_context(slow_mount(house.root, mountpoint))
        ends.callback(house.close)
        ends.callback(mount.release)
        for key in keys:
            house.configure(f"paths.{key}", f'"{mount.root / TREES[key]}"')
        yield mount


def is_up(house: House, rule: str) -> bool:
    """Whether people see this alert now."""
    return any(alert["cleared_at"] is None for alert in house.alerts(rule))


def run_of(house: House, season: int) -> tuple[str, int]:
    """The state of a season's first run of post-processing, and the step it has come to."""
    query = "SELECT state, step FROM v_postproc WHERE season = ? ORDER BY number"
    rows = house.rows(query, season)
    return (str(rows[0]["state"]), int(rows[0]["step"] or 0)) if rows else ("", 0)


def told(house: House, since: datetime) -> set[str]:
    """The rules of which people were told as of something that wants them."""
    query = (
        "SELECT rule FROM alert WHERE severity IN ('warning', 'critical') AND times_told > 0 AND active"
        " AND raised_at > ?"
    )
    return {row["rule"] for row in house.rows(query, stamp(since))}


def polls_until(house: House, since: datetime, rule: str, column: str) -> int:
    """How many cycles began after `since`, up to the one in which the alert was raised_at or cleared_at (column)."""
    query = (
        "SELECT count(*) AS n FROM poll WHERE started_at > ? AND started_at <="
        f" (SELECT {column} FROM alert WHERE rule = ? ORDER BY id DESC LIMIT 1)"
    )
    (row,) = house.rows(query, stamp(since), rule)
    return int(row["n"])


def polls_since(house: House, since: datetime) -> list[dict[str, Any]]:
    """The cycles that began after `since` and have come to their end."""
    query = "SELECT * FROM poll WHERE started_at > ? AND ended_at IS NOT NULL ORDER BY id"
    return house.rows(query, stamp(since))


def stamp(at: datetime) -> str:
    """A time as the tables have it; the views have whole seconds only."""
    return f"{at:%Y-%m-%d %H:%M:%S.%f}"


def now() -> datetime:
    """The clock of the daemon."""
    return datetime.now(UTC)


def complaints(house: House, folder: Path, *, without: int, season: int) -> list[str]:
    """What the independent check has to say against the night. It knows one season: an exposure of another season, and
    the programs that ran for that season, are left out.

    folder: to lay the evidence out in.
    """
    for name in TREES.values():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(house.root / name)
    plan = json.loads((house.root / "scenario.json").read_text())
    plan["exposures"] = [exposure for exposure in plan["exposures"] if exposure["expnum"] != without]
    (folder / "scenario.json").write_text(json.dumps(plan))
    (folder / "logs").mkdir()
    entries = [json.loads(line) for line in house.sandbox.log.read_text().splitlines()]
    others = {entry["run"] for entry in entries if str(season) in (*entry.get("argv", ()), entry.get("season"))}
    kept = "".join(json.dumps(entry) + "\n" for entry in entries if entry["run"] not in others)
    (folder / "logs" / "standins.jsonl").write_text(kept)
    verdict = judge(folder, house.ok("status", "--json", "--season", str(house.season)))
    return [line.text for line in verdict.lines if not line.ok]
