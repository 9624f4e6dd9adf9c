"""What the signs in one CCD's folder say.

A job copies back its tarball, then a FAIL if a step failed, then its forcephoto files, one after another. So a FAIL
beats the tarball, and a CCD that was caught between the two looks complete and is not: hence *settled*.
Must not look at other CCDs than the one that it is given.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from desgw_daemon.decide.attempt import gives_up_at, made_since
from desgw_daemon.decide.forcefiles import Pair
from desgw_daemon.decide.jobs import NOT_SAID, job_of, job_words
from desgw_daemon.decide.words import at
from desgw_daemon.domain.facts import CcdSeen, SeenFail
from desgw_daemon.domain.names import NOOVERLAPS, ExposureKey, fail_step, first_fail
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.snapshot import NO_FOLDER, Ccd, Exposure
from desgw_daemon.domain.states import CCD_FINAL, CcdState


def has_results(ccd: Ccd) -> bool:
    """Whether anything was seen in its folder that a job had copied back."""
    return ccd.tarball_size is not None or bool(ccd.fails)


def has_folder(ccd: Ccd) -> bool:
    """Whether its folder was there when it was last seen."""
    return ccd.as_of is not None and not (ccd.reason or "").startswith(NO_FOLDER)


def without_folder(ccd: Ccd, moment: datetime, instead: str | None) -> Ccd:
    """The CCD when its folder was not there at that moment; still to be judged.

    instead: what is at its place, in words.
    """
    again = ccd.as_of is not None and not has_folder(ccd)
    given_up = again and ccd.state is CcdState.LOST
    return Ccd(
        exposure_id=ccd.exposure_id,
        ccd=ccd.ccd,
        state=ccd.state,
        pair_at=ccd.pair_at,
        changed_at=ccd.changed_at if again else moment,
        looks=ccd.looks + 1 if again else 1,
        settled_at=ccd.settled_at if again else None,
        reason=ccd.reason if given_up else f"{NO_FOLDER} ({instead})" if instead else NO_FOLDER,
        as_of=moment,
    )


def with_signs(exposure: Exposure, key: ExposureKey, ccd: Ccd, look: CcdSeen, policy: Policy) -> Ccd:
    """The CCD with what a listing of its folder shows; still to be judged."""
    own = next((file for file in look.tarballs if file.name == key.tarball(ccd.ccd)), None)
    size = mtime = None
    if own is not None:
        size = own.size if own.size is not None else ccd.tarball_size
        mtime = own.mtime if own.mtime is not None else ccd.tarball_mtime
    foreign = (*look.odd, *sorted(file.name for file in look.tarballs if file.name != key.tarball(ccd.ccd)))
    stats = {fail.name: (fail.size, fail.mtime) for fail in look.fails}
    signs = (size, mtime, foreign, stats)
    same = has_folder(ccd) and signs == (ccd.tarball_size, ccd.tarball_mtime, ccd.foreign, dict(ccd.fail_stats))
    oldest = _oldest_fail(exposure, mtime, policy)
    fresh = [fail for fail in look.fails if fail.mtime >= oldest]
    job, host = _whose(fresh, ccd)
    return replace(
        ccd,
        tarball_size=size,
        tarball_mtime=mtime,
        foreign=foreign,
        fail_stats=stats,
        fails=_by_step(fail.name for fail in fresh),
        stale=_by_step(fail.name for fail in look.fails if fail.mtime < oldest),
        job=job,
        host=host,
        changed_at=ccd.changed_at if same and ccd.changed_at else look.at,
        looks=ccd.looks + 1 if same else 1,
        reason=ccd.reason if same else None,
        as_of=look.at,
    )


def with_pair(ccd: Ccd, pair: Pair | None) -> Ccd:
    """The CCD with its forcephoto pair. One that is older than the tarball was written by an earlier attempt."""
    own = pair is not None and (ccd.tarball_mtime is None or pair.oldest >= ccd.tarball_mtime)
    return replace(ccd, pair_at=pair.since if pair is not None and own else None)


def judge_ccd(exposure: Exposure, ccd: Ccd, policy: Policy, *, others_have_one: bool) -> Ccd:
    """State, reason and settling of a CCD whose folder has just been looked at (`as_of`).

    others_have_one: whether other CCDs of the exposure have a folder.
    """
    moment = ccd.as_of
    assert moment is not None
    quiet = moment - (ccd.changed_at or moment)
    twice = ccd.looks >= 2 and quiet >= policy.settle
    state, step, reason = _state(exposure, ccd, moment, policy, missing=others_have_one and twice)
    settled = state in CCD_FINAL
    if state in (CcdState.COMPLETE, CcdState.FAILED):
        settled = twice or (ccd.pair_at is not None and ccd.pair_at <= moment)
    job = job_of(exposure, ccd.ccd) if state is CcdState.LOST else None
    return replace(
        ccd,
        state=state,
        step=step,
        reason=reason,
        host=ccd.host or (None if job is None else job.host),
        settled_at=_settled_since(ccd, moment) if settled else None,
    )


def _settled_since(ccd: Ccd, moment: datetime) -> datetime:
    """Since when it is settled: from now on, if its signs have changed since it last was."""
    known = ccd.settled_at
    return moment if known is None or (ccd.changed_at is not None and ccd.changed_at > known) else known


def _state(
    exposure: Exposure, ccd: Ccd, moment: datetime, policy: Policy, *, missing: bool
) -> tuple[CcdState, str | None, str | None]:
    """State, step and reason."""
    until, gone = gives_up_at(exposure, policy)
    told = job_words(exposure, ccd.ccd)
    # What was given up stays so until there is a sign: other news of the exposure move the deadline.
    # Nothing is lost of a DAG that was not taken, as far as we know: it is looked at only for what should not be there.
    submission = exposure.own_submission
    taken = submission is None or submission.job_id is not None
    over = taken and (moment >= until or ccd.state is CcdState.LOST)
    if not has_folder(ccd):
        if missing:
            return CcdState.MISSING, None, ccd.reason
        if over:
            return CcdState.LOST, None, _kept(ccd, _joined((ccd.reason or "").partition("; ")[0], gone, told))
        return CcdState.PENDING, None, ccd.reason
    if ccd.state is CcdState.MISSING and not over:
        # An empty folder, made late by whomever, is no sign.
        over, gone = True, "its folder came after it was given up, and is empty"
    if ccd.fails:
        step = first_fail(ccd.fails)
        return CcdState.FAILED, step, "no template overlaps it" if step == NOOVERLAPS else f"failed at {step}"
    fresh = ccd.tarball_mtime is not None and ccd.tarball_mtime >= made_since(exposure)
    if ccd.tarball_size and fresh:
        return CcdState.COMPLETE, None, _of_earlier(ccd.stale)
    if ccd.tarball_size == 0 and fresh:
        if moment - (ccd.changed_at or moment) >= policy.zero_size_after:
            return CcdState.BROKEN, None, f"its tarball is empty since {at(ccd.changed_at)}"
        return CcdState.PENDING, None, "its tarball is still empty"
    if ccd.foreign:
        # Its own may still come; what another exposure left there proves nothing before that.
        remark = f"instead of its tarball there is {ccd.foreign[0]}"
        if over or ccd.state is CcdState.BROKEN:
            return CcdState.BROKEN, None, _kept(ccd, f"{remark}; {gone}")
        return CcdState.PENDING, None, remark
    old = _of_earlier((*ccd.stale, "its tarball") if ccd.tarball_size is not None else ccd.stale)
    if over:
        return CcdState.LOST, None, _kept(ccd, _joined(gone, told, old))
    return CcdState.PENDING, None, old


def _kept(ccd: Ccd, reason: str) -> str:
    """The reason for which it was given up, not that of a later look, unless the queue has said more since."""
    given_up = ccd.state in (CcdState.LOST, CcdState.BROKEN)
    return ccd.reason if given_up and ccd.reason and NOT_SAID not in ccd.reason else reason


def _joined(*parts: str | None) -> str:
    """What is known of it, as one reason."""
    return "; ".join(part for part in parts if part)


def _of_earlier(names: Sequence[str]) -> str | None:
    return f"left by an earlier attempt, does not count: {', '.join(names)}" if names else None


def _oldest_fail(exposure: Exposure, tarball_mtime: float | None, policy: Policy) -> float:
    """The mtime before which a FAIL is of an earlier attempt: nothing removes it when a CCD is done again.

    A FAIL is copied after its tarball. So one that is older than the attempt is stale, and so is one that is much
    older than its CCD's tarball. Not one that is only a little older: a tarball may show as empty for a while and
    take its last mtime after the FAIL has come, and a job takes longer than that to be done again.
    """
    since = made_since(exposure)
    if tarball_mtime is None:
        return since
    return max(since, tarball_mtime - max(policy.settle, policy.zero_size_after).total_seconds())


def _by_step(names: Iterable[str]) -> tuple[str, ...]:
    """Lowest step first; NOOVERLAPS, which has none, last."""
    return tuple(sorted(names, key=lambda name: (fail_step(name) or 100, name)))


def _whose(fails: Sequence[SeenFail], ccd: Ccd) -> tuple[str | None, str | None]:
    """Job id and host from the line that the job appended: ``JOBSUBJOBID [PARENTJOBID] host``."""
    for fail in sorted(fails, key=lambda fail: fail.name):
        lines = [line.split() for line in (fail.body or "").splitlines() if line.strip()]
        if lines and len(lines[-1]) in (2, 3) and "@" in lines[-1][0]:
            return lines[-1][0][:200], lines[-1][-1][:200]
    return (ccd.job, ccd.host) if fails else (None, None)
