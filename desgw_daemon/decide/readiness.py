"""Whether an exposure may go on to post-processing: the decisions of the old automation, its traps mended.

Kept: at least 50 complete CCDs, and more than half of the forcephoto files of the complete CCDs. Mended: it
waits until the other CCDs are settled; surplus files of failed CCDs are ignored, since a CCD that fails at step 28
has already copied its files; the .psf half is really looked at.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from desgw_daemon.decide.attempt import gives_up_at
from desgw_daemon.decide.forcefiles import fresh_forcefiles
from desgw_daemon.decide.held import held_words
from desgw_daemon.decide.words import at, plural, some, span, tally
from desgw_daemon.domain.decam import EXPECTED_CCDS
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.snapshot import Exposure, Forcefile
from desgw_daemon.domain.states import ENDED, CcdState, Ready
from desgw_daemon.domain.submissions import Submission


@dataclass(frozen=True, slots=True, kw_only=True)
class Forcefiles:
    """The count of an exposure's forcephoto files.

    expected: two for each complete CCD. found: those of them that are there and not empty. missing: what each
    complete CCD lacks (``i_05 .psf``, with ``(empty)`` for one of size 0). surplus: files that belong to no complete
    and no failed CCD, or stand twice. ignored: files of failed CCDs.
    """

    expected: int
    found: int
    missing: tuple[str, ...]
    surplus: tuple[str, ...]
    ignored: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """The verdict on one exposure. person: somebody must act, or it stays where it is."""

    ready: Ready
    settled: bool
    person: bool
    forcefiles: Forcefiles
    reason: str


def count_forcefiles(exposure: Exposure) -> Forcefiles:
    """Which forcephoto files are there, which are missing, which are too many."""
    states = {ccd.ccd: ccd.state for ccd in exposure.ccds}
    there: dict[tuple[int, str], Forcefile] = {}
    surplus, ignored = [], []
    # Of two that stand for the same, the one with something in it counts.
    for file in sorted(fresh_forcefiles(exposure), key=lambda file: (file.size == 0, file.name)):
        if file.ccd is None or file.kind is None:
            # Whatever else lies there (a .part, a log) is no forcephoto file and was none for the old check.
            continue
        slot = (file.ccd, file.kind)
        state = states.get(file.ccd)
        if file.band != exposure.band or state is None:
            surplus.append(file.name)
        elif state is CcdState.FAILED:
            ignored.append(file.name)
        elif state is CcdState.PENDING:
            # It will be judged when its CCD is: a job copies them after its tarball.
            continue
        elif state is not CcdState.COMPLETE or slot in there:
            surplus.append(file.name)
        else:
            there[slot] = file
    expected = [
        (ccd, kind) for ccd, state in sorted(states.items()) if state is CcdState.COMPLETE for kind in ("fits", "psf")
    ]
    missing = [
        f"{exposure.band}_{ccd:02d} .{kind}" + (" (empty)" if (ccd, kind) in there else "")
        for ccd, kind in expected
        if (ccd, kind) not in there or there[ccd, kind].size == 0
    ]
    return Forcefiles(
        expected=len(expected),
        found=len(expected) - len(missing),
        missing=tuple(missing),
        surplus=tuple(surplus),
        ignored=tuple(ignored),
    )


def judge(exposure: Exposure, policy: Policy, now: datetime) -> Readiness:
    """Whether the exposure may go on, and if not, what it waits for, in numbers."""
    files = count_forcefiles(exposure)
    counts = Counter(ccd.state for ccd in exposure.ccds)
    settled = bool(exposure.ccds) and all(ccd.settled_at is not None for ccd in exposure.ccds)
    summary = _summary(exposure, counts)

    def verdict(ready: Ready, reason: str, *, person: bool = False) -> Readiness:
        return Readiness(ready=ready, settled=settled, person=person, forcefiles=files, reason=reason)

    def stopped(reason: str, what_to_do: str) -> Readiness:
        """It does not go on by itself. Nothing is given up that may only be out of sight."""
        if exposure.unseen_since is not None:
            return verdict(Ready.NO, f"{summary}; {reason}. It is judged when all of it can be seen again")
        looked = f"every {span(policy.recheck)} a look tells" if policy.recheck else "a look before a retry tells"
        return verdict(
            Ready.NO,
            f"{summary}; {reason}. Unless files on /pnfs change ({looked}), you decide: {what_to_do}",
            person=True,
        )

    if not settled:
        return verdict(Ready.NO, _waiting(exposure, counts, summary, policy))
    again = (
        f"see `desgw-daemon status {exposure.expnum}`, then `desgw-daemon queue retry {exposure.expnum}` for a new"
        f" attempt, or `desgw-daemon queue remove {exposure.expnum}`"
    )
    if counts[CcdState.COMPLETE] < policy.min_complete_ccds:
        return stopped(f"{policy.min_complete_ccds} complete ones are needed", again)
    if files.surplus and policy.surplus == "hold":
        return stopped(
            f"{plural(len(files.surplus), 'forcephoto file')} more than expected, of no complete CCD or twice:"
            f" {some(files.surplus)}",
            "move them away on /pnfs"
            + (f" and it goes on within {span(policy.recheck)}" if policy.recheck else "")
            + ', or set readiness.surplus = "ignore"',
        )
    if files.found == files.expected:
        extra = f"; {plural(len(files.ignored), 'file')} of failed CCDs ignored" if files.ignored else ""
        return verdict(Ready.FULL, f"{summary}; all {files.expected} forcephoto files of the complete CCDs{extra}")
    lacking = f"{files.found} of {files.expected} forcephoto files; missing: {some(files.missing)}"
    filled_by = _filled_by(exposure, policy, now)
    if files.found > policy.min_forcefile_fraction * files.expected:
        if filled_by is not None:
            return verdict(
                Ready.NO, f"{summary}; {lacking}. It waits until {at(filled_by)} for empty ones to be filled"
            )
        return verdict(Ready.PARTIAL, f"{summary}; {lacking}")
    need = f"{lacking}. More than {policy.min_forcefile_fraction:.0%} are needed"
    until = max(exposure.news_at + policy.grace_after_dag, filled_by or exposure.news_at)
    if now < until:
        return verdict(Ready.NO, f"{summary}; {need}; it waits for them until {at(until)}")
    return stopped(f"{need}, and nothing new came since {at(exposure.news_at)}", again)


def _filled_by(exposure: Exposure, policy: Policy, now: datetime) -> datetime | None:
    """Until when empty files of complete CCDs may still be filled (dCache shows one that is being written so)."""
    complete = {ccd.ccd for ccd in exposure.ccds if ccd.state is CcdState.COMPLETE}
    ends = [
        file.first_seen + policy.zero_size_after
        for file in fresh_forcefiles(exposure)
        if file.size == 0 and file.ccd in complete and file.kind is not None and file.band == exposure.band
    ]
    return max((end for end in ends if end > now), default=None)


def _summary(exposure: Exposure, counts: Counter[CcdState]) -> str:
    """``55 of 59 CCDs complete, 3 failed (2 at RUN18_x, 1 at RUN05_y), 1 lost``."""
    parts = [f"{counts[CcdState.COMPLETE]} of {EXPECTED_CCDS} CCDs complete"]
    if counts[CcdState.FAILED]:
        steps = tally(ccd.step or "?" for ccd in exposure.ccds if ccd.state is CcdState.FAILED)
        parts.append(f"{counts[CcdState.FAILED]} failed ({steps})")
    for state, words in (
        (CcdState.LOST, "lost"),
        (CcdState.BROKEN, "broken"),
        (CcdState.MISSING, "without a folder (likely broken)"),
    ):
        if counts[state]:
            which = some(f"{exposure.band}_{ccd.ccd:02d}" for ccd in exposure.ccds if ccd.state is state)
            parts.append(f"{counts[state]} {words} ({which})")
    return ", ".join(parts)


def _waiting(exposure: Exposure, counts: Counter[CcdState], summary: str, policy: Policy) -> str:
    """What an exposure that is not settled waits for, how far it is, and until when."""
    if not exposure.ccds:
        return f"not looked at yet; {_dag(exposure, policy)}"
    pending = counts[CcdState.PENDING]
    settling = sum(ccd.settled_at is None for ccd in exposure.ccds) - pending
    waits = []
    if pending:
        waits.append(f"{plural(pending, 'CCD')} still to come")
    if settling:
        waits.append(f"{plural(settling, 'CCD')} settling (no change for {span(policy.settle)})")
    return f"{summary}; waits for {' and '.join(waits)}, newest change {at(exposure.news_at)}; {_dag(exposure, policy)}"


def _dag(exposure: Exposure, policy: Policy) -> str:
    """What the queue says of its DAG, and when the waiting ends at the latest."""
    submission = exposure.own_submission
    until, _ = gives_up_at(exposure, policy)
    if submission is None:
        return f"submitted by somebody else: what has left no sign counts as lost at {at(until)} if nothing new comes"
    if submission.state in ENDED:
        return f"its DAG {submission.state} at {at(submission.ended_at)}: what has left no sign at {at(until)} is lost"
    held = f", {words}" if (words := held_words(submission)) else ""
    state = "in the queue" if held else submission.state
    since = at(submission.submitted_at or submission.intent_at)
    return (
        f"its DAG is {state}{held}{_jobs(submission)}, submitted at {since};"
        f" what has left no sign at {at(until)} is lost"
    )


def _jobs(submission: Submission) -> str:
    """How far its jobs are, and what keeps them."""
    if not submission.nodes_total or submission.nodes_done is None:
        return ""
    words = f", {submission.nodes_done} of {submission.nodes_total} jobs done"
    for number, what in ((submission.nodes_failed, "failed"), (submission.nodes_running, "running")):
        words += f", {number} {what}" if number else ""
    if not submission.nodes_held:
        return words
    # Why stands before it where nothing else of it can run.
    why = "" if submission.held_since else f" ({submission.hold_reason or 'the queue does not say why'})"
    return f"{words}, {submission.nodes_held} held{why}"
