"""Alerts about files that should not be there, or not so: surplus forcephoto files, files of size 0 that stay."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime

from desgw_daemon.decide.words import at, plural, some
from desgw_daemon.domain.actions import AlertWanted
from desgw_daemon.domain.nightfacts import Leftover
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.snapshot import Snapshot
from desgw_daemon.domain.states import ExposureState


def leftover_alerts(snapshot: Snapshot, policy: Policy, now: datetime) -> Iterator[AlertWanted]:
    """One alert for each season of either kind. Files that keep an exposure from going on are told at once."""
    stopped = {exposure.id for exposure in snapshot.exposures if exposure.state is ExposureState.ATTENTION}
    surplus: defaultdict[int, list[Leftover]] = defaultdict(list)
    empty: defaultdict[int, list[Leftover]] = defaultdict(list)
    for leftover in snapshot.facts.leftovers:
        holds = leftover.kind != "surplus" or policy.surplus == "hold"
        if not (leftover.exposure_id in stopped and holds) and now - leftover.since < policy.alerts.leftovers_after:
            continue
        (surplus if leftover.kind == "surplus" else empty)[leftover.season].append(leftover)
    for season, found in surplus.items():
        yield AlertWanted(
            key=f"surplus_files:{season}",
            rule="surplus_files",
            season=season,
            text=f"{_files(found, 'surplus forcephoto file')}. They belong to no complete CCD, or stand twice."
            f' {_held(found, stopped)}Move them away on /pnfs, or set readiness.surplus = "ignore"'
            f" (`desgw-daemon status {found[0].expnum}` names them)",
        )
    for season, found in empty.items():
        yield AlertWanted(
            key=f"zero_size_files:{season}",
            rule="zero_size_files",
            season=season,
            text=f"{_files(found, 'file')} of size 0. A transfer was cut off: tell the storage service."
            f" {_held(found, stopped)}`desgw-daemon status {found[0].expnum}` names what is missing; a retry writes"
            " them anew",
        )


def _files(found: Sequence[Leftover], what: str) -> str:
    count = sum(leftover.count for leftover in found)
    expnums = sorted({leftover.expnum for leftover in found})
    return (
        f"{plural(count, what)} of {plural(len(expnums), 'exposure')} ({some(map(str, expnums))}) since"
        f" {at(min(leftover.since for leftover in found))}, such as {found[0].example}"
    )


def _held(found: Sequence[Leftover], stopped: set[int]) -> str:
    """Which exposures wait for a person because of them."""
    held = sorted({leftover.expnum for leftover in found if leftover.exposure_id in stopped})
    return f"Waiting for that: {plural(len(held), 'exposure')} ({some(map(str, held))}). " if held else ""
