"""Alerts about exposures that need a person: one for each reason, whatever the number of exposures.

Those whose cause has an alert of its own (a failed run, a host, a step, surplus or empty files) are in that one.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal, TypedDict

from desgw_daemon.decide.backoff import last_try
from desgw_daemon.decide.postproc_runs import failed_run_of
from desgw_daemon.decide.words import at, plural, some
from desgw_daemon.domain.actions import AlertWanted
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.snapshot import NO_TEMPLATE, Exposure, Snapshot
from desgw_daemon.domain.states import ExposureState, SubmissionState

Why = Literal["rejected", "no_templates", "making", "surplus", "ccds", "files", "other"]

#: A key is typed by people.
_LONGEST_NAME: Final = 40
_ODD: Final = re.compile(r"[^a-z0-9]+")
#: Exposures, times and sizes differ where the cause is the same; an exit code tells causes apart.
_NUMBER: Final = re.compile(r"(?<!exit code )(?<!signal )\b\d+")


def attention_alerts(snapshot: Snapshot, policy: Policy, explained: Mapping[int, int]) -> Iterator[AlertWanted]:
    """explained: how many CCDs of each exposure (by id) other alerts account for."""
    empty = {(left.exposure_id, left.kind): left.count for left in snapshot.facts.leftovers}
    groups: defaultdict[tuple[Why, str], list[Exposure]] = defaultdict(list)
    for exposure in snapshot.exposures:
        if exposure.state is not ExposureState.ATTENTION or failed_run_of(snapshot, exposure) is not None:
            continue
        why = why_in_attention(snapshot, exposure, policy)
        if why == "surplus" or (why == "files" and (exposure.id, "forcefile") in empty):
            continue
        told = explained.get(exposure.id, 0) + empty.get((exposure.id, "tarball"), 0)
        if why == "ccds" and snapshot.facts.complete.get(exposure.id, 0) + told >= policy.min_complete_ccds:
            # It would be ready but for what other alerts tell.
            continue
        groups[why, _group(snapshot, exposure, why)].append(exposure)
    for (why, name), exposures in groups.items():
        match why:
            case "rejected":
                yield _rejected(name, exposures)
            case "no_templates":
                yield _no_templates(name, exposures)
            case _:
                yield _others(name, exposures)


def why_in_attention(snapshot: Snapshot, exposure: Exposure, policy: Policy) -> Why:
    """Which kind of cause has brought an exposure to attention."""
    submission, making = exposure.own_submission, exposure.making
    if submission is not None and submission.state is SubmissionState.REJECTED:
        return "rejected"
    if submission is None and making is not None and making.attempt == exposure.attempt and not exposure.watch_only:
        return "no_templates" if NO_TEMPLATE in (making.reason or "") else "making"
    complete = snapshot.facts.complete.get(exposure.id)
    if complete is None:
        return "other"
    if complete < policy.min_complete_ccds:
        return "ccds"
    if exposure.forcefiles_surplus and policy.surplus == "hold":
        return "surplus"
    return "files" if exposure.forcefiles_found < exposure.forcefiles_expected else "other"


def _group(snapshot: Snapshot, exposure: Exposure, why: Why) -> str:
    """What tells one reason from another."""
    nite = f"{exposure.season}:{exposure.nite}"
    match why:
        case "rejected":
            submission = exposure.own_submission
            last = None if submission is None else last_try(snapshot, submission)
            return (last.cause if last else None) or "refused"
        case "no_templates":
            return nite
        case "making":
            reason = (exposure.making.reason if exposure.making else None) or "unknown"
            name = _ODD.sub("-", _NUMBER.sub("", reason.lower())).strip("-")
            return f"dagmaker:{name[:_LONGEST_NAME].strip('-')}"
        case "ccds" | "files":
            return f"{why}:{nite}"
    return str(exposure.id)


def _rejected(cause: str, exposures: Sequence[Exposure]) -> AlertWanted:
    first = exposures[0]
    return AlertWanted(
        key=f"submission_rejected:{cause}",
        rule="submission_rejected",
        **_about(exposures),
        text=f"{plural(len(exposures), 'DAG')} refused since {_since(exposures)} ({cause}): {_named(exposures)}."
        f" {first.expnum}: {first.reason}",
    )


def _no_templates(nite: str, exposures: Sequence[Exposure]) -> AlertWanted:
    first = exposures[0]
    return AlertWanted(
        key=f"no_templates:{nite}",
        rule="no_templates",
        **_about(exposures),
        text=f"no template for {plural(len(exposures), 'exposure')} since {_since(exposures)}: {_named(exposures)}."
        " Difference imaging would fail; none was submitted. When there are templates of the field, or dagmaker.rc"
        f" looks further back, `desgw-daemon queue retry {first.expnum}`; else `desgw-daemon queue remove"
        f" {first.expnum}`",
    )


def _others(name: str, exposures: Sequence[Exposure]) -> AlertWanted:
    first = exposures[0]
    if len(exposures) == 1:
        text = f"exposure {first.label} needs a person since {at(first.since)}: {first.reason}"
    else:
        text = (
            f"{plural(len(exposures), 'exposure')} need a person since {_since(exposures)}, all for the same cause:"
            f" {_named(exposures)}. The first, {first.label}: {first.reason}"
        )
    return AlertWanted(key=f"exposure_attention:{name}", rule="exposure_attention", **_about(exposures), text=text)


class _About(TypedDict):
    """What all of some exposures have in common."""

    season: int | None
    nite: str | None
    expnum: int | None


def _about(exposures: Sequence[Exposure]) -> _About:
    seasons, nites = {e.season for e in exposures}, {e.nite for e in exposures}
    return _About(
        season=seasons.pop() if len(seasons) == 1 else None,
        nite=nites.pop() if len(nites) == 1 else None,
        expnum=exposures[0].expnum if len(exposures) == 1 else None,
    )


def _since(exposures: Sequence[Exposure]) -> str:
    return at(min(exposure.since for exposure in exposures))


def _named(exposures: Sequence[Exposure]) -> str:
    return some(str(exposure.expnum) for exposure in exposures)
