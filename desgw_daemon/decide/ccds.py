"""What the signs on /pnfs say of each CCD and forcefile of an exposure.

The rules are those of facts about the pipeline's copy-back order: tarball, FAIL files, forcephoto files, stamps, one
after another. A CCD that was caught between the tarball and its FAIL looks complete and is not: hence *settled*.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from desgw_daemon.decide.words import at, span
from desgw_daemon.domain.decam import SEARCH_CCDS
from desgw_daemon.domain.facts import (
    CcdSeen,
    FoldersSeen,
    ForcefilesSeen,
    LookRequest,
    SeenFail,
    Sighting,
    Unseen,
)
from desgw_daemon.domain.names import ExposureKey, first_fail, parse_forcefile
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.snapshot import Ccd, Exposure, Forcefile
from desgw_daemon.domain.states import CCD_FINAL, ENDED, CcdState, SubmissionState


def assess(
    exposure: Exposure, request: LookRequest, sightings: Sequence[Sighting], policy: Policy, now: datetime
) -> Exposure:
    """The exposure as it stands after a look. What could not be seen stays as it was, with its age."""
    key = exposure.key
    if key is None:
        raise ValueError(f"{exposure.label} has no place on /pnfs yet")
    problems = [sight.problem for sight in sightings if isinstance(sight, Unseen)]
    before = exposure
    for sight in sightings:
        if isinstance(sight, ForcefilesSeen):
            if doubt := _doubt_forcefiles(exposure, sight, policy, now):
                problems.append(doubt)
            else:
                exposure = _with_forcefiles(exposure, key, sight)
    folders = next((sight for sight in sightings if isinstance(sight, FoldersSeen)), None)
    if folders is not None and not folders.there and exposure.folders_at is not None:
        problems.append(f"{key.exp_folder()} was there at {at(exposure.folders_at)} and is not now")
        if not _believed(exposure, policy, now):
            folders = None
    if folders is not None and folders.there:
        exposure = replace(exposure, folders_at=folders.at)
    seen = {sight.ccd: sight for sight in sightings if isinstance(sight, CcdSeen)}
    ccds, doubts = _assess_ccds(exposure, key, folders, seen, policy, now)
    problems += doubts
    exposure = replace(exposure, ccds=ccds)
    if problems:
        return replace(
            exposure,
            unseen_since=before.unseen_since or now,
            unseen_problem=f"{problems[0]}" + (f" (and {len(problems) - 1} more)" if problems[1:] else ""),
            news_at=_news(before, exposure, now),
        )
    return replace(
        exposure,
        unseen_since=None,
        unseen_problem=None,
        as_of=now,
        full_look_at=now if request.full else exposure.full_look_at,
        news_at=_news(before, exposure, now),
    )


def made_since(exposure: Exposure) -> datetime | None:
    """The moment before which nothing on /pnfs belongs to the present attempt; None when anything may."""
    submission = exposure.submission
    return None if submission is None else submission.intent_at


def _news(before: Exposure, after: Exposure, now: datetime) -> datetime:
    """When something last changed: a state, a sign, a forcefile."""

    def told(exposure: Exposure) -> tuple[object, ...]:
        return (
            tuple((ccd.ccd, ccd.state, ccd.step, ccd.changed_at) for ccd in exposure.ccds),
            tuple((file.name, file.size) for file in exposure.forcefiles),
        )

    return now if told(before) != told(after) and before.ccds else after.news_at


def _believed(exposure: Exposure, policy: Policy, now: datetime) -> bool:
    """An emptiness that has lasted is believed: a door that lies does not lie for so long."""
    return exposure.unseen_since is not None and now - exposure.unseen_since >= max(
        2 * policy.settle, 2 * policy.poll_interval
    )


# --- forcefiles


def _doubt_forcefiles(exposure: Exposure, sight: ForcefilesSeen, policy: Policy, now: datetime) -> str | None:
    if sight.files or not exposure.forcefiles or _believed(exposure, policy, now):
        return None
    return f"the forcephoto folder held {len(exposure.forcefiles)} files and is shown empty"


def _with_forcefiles(exposure: Exposure, key: ExposureKey, sight: ForcefilesSeen) -> Exposure:
    known = {file.name: file for file in exposure.forcefiles}
    files = []
    for entry in sight.files:
        old = known.get(entry.name)
        if entry.size is not None and entry.mtime is not None:
            size, mtime = entry.size, entry.mtime
        elif old is not None:
            size, mtime = old.size, old.mtime
        else:  # not asked for its size although nobody knows it: wait for the next look
            continue
        name = parse_forcefile(entry.name, key.expnum)
        rewritten = old is None or (old.size, old.mtime) != (size, mtime)
        whole = None if size == 0 else sight.at if rewritten or old is None else old.whole_at
        files.append(
            Forcefile(
                exposure_id=exposure.id,
                name=entry.name,
                ccd=name.ccd if name else None,
                band=name.band if name else None,
                kind=name.kind if name else None,
                size=size,
                mtime=mtime,
                first_seen=old.first_seen if old else sight.at,
                whole_at=whole,
                as_of=sight.at,
            )
        )
    return replace(
        exposure,
        forcefiles=tuple(sorted(files, key=lambda file: file.name)),
        forcefiles_at=sight.at if sight.there else exposure.forcefiles_at,
    )


def fresh_forcefiles(exposure: Exposure) -> Iterable[Forcefile]:
    """The files that the present attempt wrote; those of an earlier one are overwritten sooner or later."""
    since = made_since(exposure)
    return (file for file in exposure.forcefiles if since is None or file.mtime >= since.timestamp())


def _pairs(exposure: Exposure, key: ExposureKey) -> dict[int, datetime]:
    """For each CCD with a whole .fits and .psf: since when both have been seen."""
    halves: dict[int, dict[str, datetime]] = {}
    for file in fresh_forcefiles(exposure):
        if file.ccd is not None and file.kind is not None and file.band == key.band and file.whole_at:
            halves.setdefault(file.ccd, {})[file.kind] = file.whole_at
    return {ccd: max(kinds.values()) for ccd, kinds in halves.items() if len(kinds) == 2}


# --- CCDs


def _assess_ccds(
    exposure: Exposure,
    key: ExposureKey,
    folders: FoldersSeen | None,
    seen: dict[int, CcdSeen],
    policy: Policy,
    now: datetime,
) -> tuple[tuple[Ccd, ...], list[str]]:
    known = {ccd.ccd: ccd for ccd in exposure.ccds}
    pairs = _pairs(exposure, key)
    has_others = folders is None or len(folders.ccds) > 0
    ccds, doubts = [], []
    for number in SEARCH_CCDS:
        ccd = known.get(number) or Ccd(exposure_id=exposure.id, ccd=number)
        ccd = replace(ccd, pair_at=pairs.get(number))
        look = seen.get(number)
        no_folder = (look is not None and not look.there) or (
            folders is not None and folders.there and number not in folders.ccds
        )
        if no_folder:
            moment = look.at if look is not None else folders.at if folders is not None else now
            ccd = _without_folder(ccd, moment, has_others, policy)
        elif look is not None:
            if doubt := _doubt_ccd(ccd, look, exposure, policy, now):
                doubts.append(doubt)
            else:
                ccd = _with_look(exposure, key, ccd, look, policy, now)
        ccds.append(ccd)
    return tuple(ccds), doubts


def _doubt_ccd(ccd: Ccd, look: CcdSeen, exposure: Exposure, policy: Policy, now: datetime) -> str | None:
    had_signs = ccd.tarball_size is not None or bool(ccd.fails)
    if not had_signs or look.tarballs or look.fails or _believed(exposure, policy, now):
        return None
    return f"the folder of CCD {ccd.ccd:02d} held results and is shown empty"


def _without_folder(ccd: Ccd, moment: datetime, has_others: bool, policy: Policy) -> Ccd:
    """No folder although the others have one: missing, when two looks and a settle time agree."""
    same = ccd.reason == _NO_FOLDER
    changed_at = ccd.changed_at if same and ccd.changed_at else moment
    looks = ccd.looks + 1 if same else 1
    missing = has_others and looks >= 2 and moment - changed_at >= policy.settle
    return Ccd(
        exposure_id=ccd.exposure_id,
        ccd=ccd.ccd,
        state=CcdState.MISSING if missing else CcdState.PENDING,
        pair_at=ccd.pair_at,
        changed_at=changed_at,
        looks=looks,
        settled_at=(ccd.settled_at or moment) if missing else None,
        reason=_NO_FOLDER,
        as_of=moment,
    )


_NO_FOLDER = "it has no folder on /pnfs"


def _with_look(exposure: Exposure, key: ExposureKey, ccd: Ccd, look: CcdSeen, policy: Policy, now: datetime) -> Ccd:
    own = next((file for file in look.tarballs if file.name == key.tarball(ccd.ccd)), None)
    size = mtime = None
    if own is not None:
        size = own.size if own.size is not None else ccd.tarball_size
        mtime = own.mtime if own.mtime is not None else ccd.tarball_mtime
    foreign = tuple(sorted(file.name for file in look.tarballs if file.name != key.tarball(ccd.ccd)))
    stats = {fail.name: (fail.size, fail.mtime) for fail in look.fails}
    same = (ccd.tarball_size, ccd.tarball_mtime, ccd.foreign, dict(ccd.fail_stats)) == (
        size,
        mtime,
        foreign,
        stats,
    ) and ccd.reason != _NO_FOLDER
    changed_at = ccd.changed_at if same and ccd.changed_at else look.at
    fresh, stale = _split_fails(exposure, look.fails, mtime, policy)
    job, host = _whose(fresh, ccd)
    after = replace(
        ccd,
        tarball_size=size,
        tarball_mtime=mtime,
        foreign=foreign,
        fail_stats=stats,
        fails=tuple(sorted(fail.name for fail in fresh)),
        stale=tuple(sorted(fail.name for fail in stale)),
        job=job,
        host=host,
        changed_at=changed_at,
        looks=ccd.looks + 1 if same else 1,
        as_of=look.at,
    )
    return _judge(exposure, after, look.at, policy)


def _split_fails(
    exposure: Exposure, fails: Sequence[SeenFail], tarball_mtime: float | None, policy: Policy
) -> tuple[list[SeenFail], list[SeenFail]]:
    """FAILs that count, and those of an earlier attempt: nothing removes them when a CCD is done again.

    A FAIL is copied after its tarball. One that is older than the attempt, or older than its CCD's tarball by more
    than the settle time, belongs to an earlier one.
    """
    since = made_since(exposure)
    oldest = float("-inf") if since is None else since.timestamp()
    if tarball_mtime is not None:
        oldest = max(oldest, tarball_mtime - max(policy.settle, timedelta(seconds=2)).total_seconds())
    fresh = [fail for fail in fails if fail.mtime >= oldest]
    return fresh, [fail for fail in fails if fail.mtime < oldest]


def _whose(fails: Sequence[SeenFail], ccd: Ccd) -> tuple[str | None, str | None]:
    """Job id and host from the line that the job appended: ``JOBSUBJOBID [PARENTJOBID] host``."""
    for fail in sorted(fails, key=lambda fail: fail.name):
        lines = [line.split() for line in (fail.body or "").splitlines() if line.strip()]
        if lines and len(lines[-1]) in (2, 3) and "@" in lines[-1][0]:
            return lines[-1][0][:200], lines[-1][-1][:200]
    return (ccd.job, ccd.host) if fails else (None, None)


def _judge(exposure: Exposure, ccd: Ccd, moment: datetime, policy: Policy) -> Ccd:
    """State, reason and settling of a CCD whose folder has just been seen."""
    since = made_since(exposure)
    old_tarball = since is not None and ccd.tarball_mtime is not None and ccd.tarball_mtime < since.timestamp()
    step, reason = None, None
    quiet = moment - (ccd.changed_at or moment)
    if ccd.fails:
        state, step = CcdState.FAILED, first_fail(ccd.fails)
        reason = f"failed at {step}" if step != "NOOVERLAPS.FAIL" else "no template overlaps it"
    elif ccd.tarball_size and not old_tarball:
        state = CcdState.COMPLETE
        if ccd.stale:
            reason = f"{', '.join(ccd.stale)} is older than this attempt's tarball: it does not count"
    elif ccd.tarball_size == 0 and not old_tarball:
        if quiet >= policy.zero_size_after:
            state, reason = CcdState.BROKEN, f"its tarball is empty since {at(ccd.changed_at)}"
        else:
            state, reason = CcdState.PENDING, "its tarball is still empty"
    elif ccd.foreign and quiet >= policy.zero_size_after:
        state, reason = CcdState.BROKEN, f"only a foreign tarball is there: {ccd.foreign[0]}"
    elif gone := _deadline_passed(exposure, ccd, moment, policy):
        state, reason = CcdState.LOST, gone
    else:
        state = CcdState.PENDING
        if old_tarball:
            reason = "its tarball is of an earlier attempt"
    settled = state in CCD_FINAL
    if state in (CcdState.COMPLETE, CcdState.FAILED):
        pair_first = ccd.pair_at is not None and ccd.pair_at <= moment
        settled = pair_first or (ccd.looks >= 2 and quiet >= policy.settle)
    return replace(
        ccd,
        state=state,
        step=step,
        reason=reason,
        settled_at=(ccd.settled_at or moment) if settled else None,
    )


def _deadline_passed(exposure: Exposure, ccd: Ccd, moment: datetime, policy: Policy) -> str | None:
    """Why a CCD without a sign has nothing more to wait for; None while it has."""
    submission = exposure.submission
    if submission is not None:
        ended = submission.ended_at if submission.state in ENDED else None
        if ended is not None:
            if submission.state is SubmissionState.REJECTED or moment - ended < policy.grace_after_dag:
                return None
            return f"its DAG ended at {at(ended)} ({submission.state}) and left no sign"
        if moment - submission.intent_at >= policy.dag_deadline:
            return f"no sign {span(policy.dag_deadline)} after its DAG was submitted"
        return None
    quiet_since = max(exposure.news_at, ccd.changed_at or exposure.news_at)
    if exposure.watch_only and moment - quiet_since >= policy.adopted_deadline:
        return f"nothing new for this exposure since {at(quiet_since)}"
    return None
