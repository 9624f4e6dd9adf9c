"""Alerts about CCDs that fail or are lost in numbers: on one host, at one step, with the end of their DAG.

A bigger cause swallows a smaller one: the same CCDs are in one alert only. A host on which everything dies makes its
step fail, and a step that fails everywhere fails on each host.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, TypeVar

from desgw_daemon.decide.words import at, plural, some, tally
from desgw_daemon.domain.actions import AlertWanted
from desgw_daemon.domain.names import NOOVERLAPS
from desgw_daemon.domain.nightfacts import Failures
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.snapshot import Exposure, Snapshot
from desgw_daemon.domain.states import CcdState, ExposureState

#: No failure for so long, and a host or a step is no alert any more.
QUIET: Final = timedelta(hours=6)
#: With less than this part of a step's failures on its worst host the step is to blame, not the host.
_ONE_HOST: Final = 0.5

#: A nite of a season.
_Nite = tuple[int, str | None]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Explained:
    """Alerts, and for how many CCDs of each exposure (by id) they account."""

    alerts: tuple[AlertWanted, ...] = ()
    ccds: Mapping[int, int] = field(default_factory=dict)


def failure_alerts(snapshot: Snapshot, policy: Policy, now: datetime) -> Explained:
    """One alert for each host, for each step of a nite, and for what else is lost of a nite."""

    def many(limit: int) -> Callable[[Sequence[Failures]], bool]:
        return lambda group: _count(group) >= limit and now - _newest(group) < QUIET

    # That no template overlaps a CCD is no fault of anything.
    failures = [failure for failure in snapshot.facts.failures if failure.step != NOOVERLAPS]
    few_hosts = many(policy.alerts.step_failures)
    everywhere, rest = _split(failures, _step, lambda group: few_hosts(group) and not _on_one_host(group))
    hosts, rest = _split(rest, _host, many(policy.alerts.host_failures))
    steps, rest = _split(rest, _step, many(policy.alerts.step_failures))
    lost, _ = _split(rest, _lost, lambda group: not all(failure.over for failure in group))
    waiting = _too_few(snapshot, policy)
    explained: Counter[int] = Counter()
    for groups in (hosts, everywhere, steps, lost):
        for failure in (failure for group in groups.values() for failure in group):
            explained[failure.exposure_id] += failure.count
    return Explained(
        (
            *(_host_alert(host, group, waiting) for host, group in hosts.items()),
            *(_step_alert(*key, group, waiting) for key, group in (everywhere | steps).items()),
            *(_lost_alert(key, group, waiting) for key, group in lost.items()),
        ),
        explained,
    )


def _too_few(snapshot: Snapshot, policy: Policy) -> list[Exposure]:
    """The exposures in attention that have too few complete CCDs."""
    complete = snapshot.facts.complete
    return [
        exposure
        for exposure in snapshot.exposures
        if exposure.state is ExposureState.ATTENTION
        and complete.get(exposure.id, policy.min_complete_ccds) < policy.min_complete_ccds
    ]


def _split(
    failures: Iterable[Failures], key: Callable[[Failures], T | None], wanted: Callable[[Sequence[Failures]], bool]
) -> tuple[dict[T, list[Failures]], list[Failures]]:
    """The groups that are wanted, by their keys, and all other failures. Without a key one is in no group."""
    groups: defaultdict[T | None, list[Failures]] = defaultdict(list)
    for failure in failures:
        groups[key(failure)].append(failure)
    found = {name: group for name, group in groups.items() if name is not None and wanted(group)}
    return found, [failure for name, group in groups.items() if name not in found for failure in group]


def _step(failure: Failures) -> tuple[_Nite, str] | None:
    if failure.state is not CcdState.FAILED or failure.step is None:
        return None
    return (failure.season, failure.nite), failure.step


def _host(failure: Failures) -> str | None:
    """The machine, without the slot of it."""
    return failure.host.rpartition("@")[2] if failure.host else None


def _lost(failure: Failures) -> _Nite | None:
    return (failure.season, failure.nite) if failure.state is CcdState.LOST else None


def _count(group: Iterable[Failures]) -> int:
    return sum(failure.count for failure in group)


def _newest(group: Iterable[Failures]) -> datetime:
    return max(failure.newest for failure in group)


def _on_one_host(group: Iterable[Failures]) -> bool:
    """Whether the worst host has a large part of them."""
    hosts: Counter[str] = Counter()
    everything = 0
    for failure in group:
        everything += failure.count
        if host := _host(failure):
            hosts[host] += failure.count
    return max(hosts.values(), default=0) >= _ONE_HOST * everything


def _host_alert(host: str, group: Sequence[Failures], waiting: Sequence[Exposure]) -> AlertWanted:
    what = tally(_spelt(group))
    return AlertWanted(
        key=f"host_failures:{host}",
        rule="host_failures",
        text=f"{plural(_count(group), 'CCD')} of {_whose(group)} failed or were lost on the host {host} ({what}), the"
        f" last at {at(_newest(group))}: it may be a black hole. Tell the people of the grid its name, and exclude it"
        f" in dagmaker.rc{_in_attention(group, waiting)}",
    )


def _step_alert(nite: _Nite, step: str, group: Sequence[Failures], waiting: Sequence[Exposure]) -> AlertWanted:
    name = step.removesuffix(".FAIL")
    return AlertWanted(
        key=f"step_failures:{nite[0]}:{nite[1]}:{name}",
        rule="step_failures",
        season=nite[0],
        nite=nite[1],
        text=f"{plural(_count(group), 'CCD')} of nite {nite[1] or 'unknown'} failed at {name} ({_whose(group)}), the"
        f" last at {at(_newest(group))}. Read one of their logs: a template, a parameter or a program is wrong"
        f"{_in_attention(group, waiting)}",
    )


def _lost_alert(nite: _Nite, group: Sequence[Failures], waiting: Sequence[Exposure]) -> AlertWanted:
    first = min(failure.expnum for failure in group)
    return AlertWanted(
        key=f"ccds_lost:{nite[0]}:{nite[1]}",
        rule="ccds_lost",
        season=nite[0],
        nite=nite[1],
        text=f"{plural(_count(group), 'CCD')} of nite {nite[1] or 'unknown'} left no sign ({_whose(group)}):"
        f" `desgw-daemon status {first}` names the job, the host and the exit code of each. Where enough CCDs are"
        f" complete it goes on without them{_in_attention(group, waiting)}",
    )


def _spelt(group: Iterable[Failures]) -> list[str]:
    """Where each of them ended."""
    return [failure.step or "no step" for failure in group for _ in range(failure.count)]


def _whose(group: Iterable[Failures]) -> str:
    """The exposures, by number."""
    expnums = sorted({failure.expnum for failure in group})
    return f"{plural(len(expnums), 'exposure')}: {some(map(str, expnums))}"


def _in_attention(group: Iterable[Failures], waiting: Iterable[Exposure]) -> str:
    """Which of their exposures need a person because of it."""
    ids = {failure.exposure_id for failure in group}
    mine = [exposure for exposure in waiting if exposure.id in ids]
    if not mine:
        return ""
    return (
        f". Too few are complete of {plural(len(mine), 'exposure')}, for a person to decide"
        f" ({some(str(e.expnum) for e in mine)}): `desgw-daemon queue retry {mine[0].expnum}` when the cause is mended"
    )
