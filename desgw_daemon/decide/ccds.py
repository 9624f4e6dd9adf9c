"""An exposure after a look at /pnfs: each CCD and forcephoto file as it now stands.

What could not be seen stays as it was, with its age. A folder that held results and is shown empty is doubted: it
counts as not seen, until it has been shown so for a while.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from desgw_daemon.decide.forcefiles import pairs, with_forcefiles
from desgw_daemon.decide.signs import has_folder, has_results, judge_ccd, with_pair, with_signs, without_folder
from desgw_daemon.decide.words import at, span
from desgw_daemon.domain.decam import SEARCH_CCDS
from desgw_daemon.domain.facts import CcdSeen, FoldersSeen, ForcefilesSeen, LookRequest, Sighting, Unseen
from desgw_daemon.domain.names import ExposureKey
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.snapshot import Ccd, Exposure

#: A problem that is a doubt begins so: it tells how long the doubt has lasted.
_DOUBT: Final = "doubted: "


def assess(
    exposure: Exposure, request: LookRequest, sightings: Sequence[Sighting], policy: Policy, now: datetime
) -> Exposure:
    """The exposure as it stands after a look. Raises ValueError when its place on /pnfs is not known yet."""
    key = exposure.key
    if key is None:
        raise ValueError(f"{exposure.label} has no place on /pnfs yet")
    before = exposure
    believed = _believes_emptiness(before, policy, now)
    doubts: list[str] = []
    for sight in sightings:
        if isinstance(sight, ForcefilesSeen):
            if exposure.forcefiles and not sight.files and not believed:
                doubts.append(f"the forcephoto folder held {len(exposure.forcefiles)} files and is shown empty")
            else:
                exposure = with_forcefiles(exposure, key, sight)
    folders = next((sight for sight in sightings if isinstance(sight, FoldersSeen)), None)
    if folders is not None and not folders.there and exposure.folders_at is not None and not believed:
        doubts.append(f"{key.exp_folder()} was there at {at(exposure.folders_at)} and is not now")
        folders = None
    if folders is not None:
        exposure = replace(exposure, folders_at=folders.at if folders.there else None)

    seen = {sight.ccd: sight for sight in sightings if isinstance(sight, CcdSeen)}
    known = {ccd.ccd: ccd for ccd in exposure.ccds}
    pair_of = pairs(exposure)
    ccds: dict[int, Ccd] = {}
    looked_at: set[int] = set()
    for number in SEARCH_CCDS:
        ccd = known.get(number) or Ccd(exposure_id=exposure.id, ccd=number)
        look = seen.get(number)
        gone_at = _gone_at(number, look, folders)
        shown_empty = gone_at is not None or (look is not None and not (look.tarballs or look.fails))
        if shown_empty and has_results(ccd) and not believed:
            doubts.append(f"the folder of {key.band}_{number:02d} held results and is shown empty")
        elif gone_at is not None:
            ccd = without_folder(ccd, gone_at, _instead(key, number, look, folders))
            looked_at.add(number)
        elif look is not None:
            ccd = with_signs(exposure, key, ccd, look, policy)
            looked_at.add(number)
        ccds[number] = with_pair(ccd, pair_of.get(number))

    # Signs first, then judgement: one CCD that has moved shows that the others may still.
    exposure = _with_news(before, replace(exposure, ccds=tuple(ccds.values())), now)
    others_have_one = _any_folder(ccds.values(), folders)
    judged = [
        judge_ccd(exposure, ccd, policy, others_have_one=others_have_one) if number in looked_at else ccd
        for number, ccd in ccds.items()
    ]
    exposure = _with_news(before, replace(exposure, ccds=tuple(judged)), now)
    problems = [f"{_DOUBT}{doubt}" for doubt in doubts]
    problems += [sight.problem for sight in sightings if isinstance(sight, Unseen)]
    if problems:
        hung = any(isinstance(sight, Unseen) and sight.hung for sight in sightings)
        exposure = replace(exposure, hung_at=now if hung else None)
        return _with_problems(before, exposure, problems, policy, now)
    return replace(
        exposure,
        unseen_since=None,
        unseen_problem=None,
        hung_at=None,
        as_of=now,
        full_look_at=now if request.full else exposure.full_look_at,
    )


def _gone_at(number: int, look: CcdSeen | None, folders: FoldersSeen | None) -> datetime | None:
    """When a CCD's folder was seen not to be there; None when it was not."""
    if look is not None:
        return None if look.there else look.at
    return folders.at if folders is not None and number not in folders.ccds else None


def _instead(key: ExposureKey, number: int, look: CcdSeen | None, folders: FoldersSeen | None) -> str | None:
    """What is at the place of a CCD's folder, in words."""
    path = key.ccd_folder(number)
    in_the_way = look.odd if look is not None else folders is not None and path.rpartition("/")[2] in folders.odd
    return f"{path} is no folder" if in_the_way else None


def _any_folder(ccds: Iterable[Ccd], folders: FoldersSeen | None) -> bool:
    """Whether any CCD has a folder, as far as is known."""
    return bool(folders is not None and folders.ccds) or any(has_folder(ccd) for ccd in ccds)


def _with_news(before: Exposure, after: Exposure, now: datetime) -> Exposure:
    """news_at is when something last changed: a state, a sign, a forcefile. The first look is no news."""

    def told(exposure: Exposure) -> tuple[object, ...]:
        return (
            tuple((ccd.ccd, ccd.state, ccd.step, ccd.changed_at) for ccd in exposure.ccds),
            tuple((file.name, file.size) for file in exposure.forcefiles),
        )

    return replace(after, news_at=now) if before.ccds and told(before) != told(after) else after


def _patience(policy: Policy) -> timedelta:
    """A door that lies does not lie for so long."""
    return max(2 * policy.settle, 2 * policy.poll_interval)


def _believes_emptiness(exposure: Exposure, policy: Policy, now: datetime) -> bool:
    doubted = exposure.unseen_since is not None and (exposure.unseen_problem or "").startswith(_DOUBT)
    return doubted and exposure.unseen_since is not None and now - exposure.unseen_since >= _patience(policy)


def _with_problems(
    before: Exposure, after: Exposure, problems: Sequence[str], policy: Policy, now: datetime
) -> Exposure:
    """What could not be seen, and since when. A doubt counts from its own beginning."""
    first = problems[0]
    fresh_doubt = first.startswith(_DOUBT) and not (before.unseen_problem or "").startswith(_DOUBT)
    words = [first]
    if problems[1:]:
        words.append(f"(and {len(problems) - 1} more)")
    if first.startswith(_DOUBT):
        words.append(f"- believed when it has stayed so for {span(_patience(policy))}")
    return replace(
        after,
        unseen_since=now if fresh_doubt or before.unseen_since is None else before.unseen_since,
        unseen_problem=" ".join(words),
    )
