"""What people do to the queue, each in one transaction: the daemon sees it in its next cycle."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, update

from desgw_daemon.domain.snapshot import Exposure
from desgw_daemon.domain.states import IN_FLIGHT, MAKING_LIVE, ExposureState, Ready, SubmissionState
from desgw_daemon.domain.submissions import Submission
from desgw_daemon.errors import Refused, UsageError
from desgw_daemon.store.journal import move_exposure, move_submission, note
from desgw_daemon.store.looks import forget_looks
from desgw_daemon.store.tables import ExposureRow, table


def pick(exposures: Iterable[Exposure], expnum: int, *, season: int | None, nite: str | None) -> Exposure:
    """The one exposure that a command means.

    Raises Refused when nothing fits, UsageError when several do: it names them, for --season and --nite.
    """
    found = [
        e
        for e in exposures
        if e.expnum == expnum and (season is None or e.season == season) and (nite is None or e.nite == nite)
    ]
    if not found:
        where = "".join([f" in season {season}" if season else "", f" of nite {nite}" if nite else ""])
        raise Refused(f"exposure {expnum} is not known{where}; `desgw-daemon status` shows what is")
    if len(found) > 1:
        raise UsageError(
            f"exposure {expnum} is known {len(found)} times: {'; '.join(e.label for e in found)};"
            f" say which with {_choices(found)}"
        )
    return found[0]


def _choices(exposures: Iterable[Exposure]) -> str:
    """The options that tell exposures of one number apart, ready to type."""
    return " or ".join(f"--season {e.season}" + (f" --nite {e.nite}" if e.nite else "") for e in exposures)


def hold(connection: Connection, exposure: Exposure, *, who: str, why: str | None, at: datetime) -> bool:
    """Start nothing new for an exposure. What runs goes on. False when it was held already."""
    if exposure.held:
        return False
    _flag(connection, exposure, at=at, who=who, after="held", why=why or "held by hand", held=True, hold_reason=why)
    return True


def release(connection: Connection, exposure: Exposure, *, who: str, at: datetime) -> bool:
    """Let a held exposure go on. False when it was not held."""
    if not exposure.held:
        return False
    _flag(connection, exposure, at=at, who=who, after="released", why="released", held=False, hold_reason=None)
    return True


def _flag(
    connection: Connection, exposure: Exposure, *, at: datetime, who: str, after: str, why: str, **values: object
) -> None:
    rows = table(ExposureRow)
    connection.execute(update(rows).where(rows.c.id == exposure.id).values(news_at=at, **values))
    note(
        connection,
        at=at,
        kind="exposure",
        subject=exposure.label,
        before=exposure.state.value,
        after=after,
        why=why,
        who=who,
        exposure_id=exposure.id,
        season=exposure.season,
    )


def live_reason(exposure: Exposure) -> str | None:
    """Why an exposure may not be started anew: something of it may still run. None when nothing can."""
    for making in exposure.makings:
        if making.state in MAKING_LIVE:
            return f"its DAGMaker runs since {making.intent_at:%Y-%m-%dT%H:%M:%SZ}"
    for submission in exposure.submissions:
        if submission.state in IN_FLIGHT:
            return (
                f"its DAG {submission.tag} is {submission.state} and may still run"
                f" (`desgw-daemon queue remove --dag {exposure.expnum}` ends it)"
            )
    if exposure.state is ExposureState.POSTPROCESSING:
        return "it is in a run of post-processing"
    return None


def submission_in_flight(exposure: Exposure) -> Submission:
    """The submission that may still run. Raises Refused when there is none."""
    found = next((s for s in reversed(exposure.submissions) if s.state in IN_FLIGHT), None)
    if found is None:
        raise Refused(f"{exposure.label}: no DAG of it may still run; `desgw-daemon queue remove {exposure.expnum}`")
    return found


def give_up(connection: Connection, exposure: Exposure, submission: Submission, *, who: str, at: datetime) -> None:
    """Do not submit a DAG that was refused so far, or waits to be submitted.

    Raises Refused when it is being submitted meanwhile.
    """
    why = f"given up by hand before it was taken ({submission.reason or 'no answer yet'})"
    values = {"ended_at": at}
    if not move_submission(connection, submission, SubmissionState.REMOVED, at=at, why=why, who=who, values=values):
        raise Refused(f"{exposure.label}: its DAG {submission.tag} is being submitted just now; try again")


def note_removal(connection: Connection, submission: Submission, *, who: str, at: datetime) -> None:
    """Leave in the history that a person ordered the end of a DAG. Its state changes when the engine says so."""
    note(
        connection,
        at=at,
        kind="submission",
        subject=submission.tag,
        before=submission.state.value,
        after=submission.state.value,
        why="its end was ordered by hand",
        who=who,
        exposure_id=submission.exposure_id,
    )


def remove(connection: Connection, exposure: Exposure, *, who: str, at: datetime) -> bool:
    """Take an exposure out. Raises Refused while something of it may still run. False when it was out."""
    if exposure.state is ExposureState.REMOVED:
        return False
    if reason := live_reason(exposure):
        raise Refused(f"{exposure.label} is not removed: {reason}. `queue hold` keeps anything new from starting")
    return move_exposure(connection, exposure, ExposureState.REMOVED, at=at, why="removed by hand", who=who)


def retry(connection: Connection, exposure: Exposure, *, who: str, at: datetime) -> str:
    """Start an exposure anew, as a new attempt with a new tag; or, after a failed run, make it ready again.

    Returns what was done, in words. Raises Refused while the last attempt may still live, or when it needs no retry.
    """
    if reason := live_reason(exposure):
        raise Refused(f"{exposure.label} is not tried again: {reason}")
    if exposure.state not in (ExposureState.ATTENTION, ExposureState.REMOVED, ExposureState.DONE):
        raise Refused(
            f"{exposure.label} is {exposure.state}: it goes on by itself; only one that needs attention, is done or was"
            " removed can be tried again"
        )
    if exposure.state is ExposureState.ATTENTION and exposure.ready is not Ready.NO:
        move_exposure(connection, exposure, ExposureState.READY, at=at, why="ready again, by hand", who=who)
        return "ready for post-processing again"
    attempt = begin_again(
        connection,
        exposure,
        at=at,
        who=who,
        why="tried again by hand",
        watch_only=exposure.watch_only,
        priority=exposure.priority,
    )
    return "watched anew" if exposure.watch_only else f"queued as attempt {attempt}"


def begin_again(
    connection: Connection,
    exposure: Exposure,
    *,
    at: datetime,
    who: str,
    why: str,
    watch_only: bool,
    priority: int,
) -> int:
    """Begin a new attempt of an exposure; its number. What was seen of the old one is forgotten."""
    attempt = exposure.attempt + 1
    forget_looks(connection, exposure.id)
    move_exposure(
        connection,
        exposure,
        ExposureState.PROCESSING if watch_only else ExposureState.QUEUED,
        at=at,
        why=f"{why}: attempt {attempt}",
        who=who,
        attempt=attempt,
        ready=Ready.NO.value,
        queued_at=at,
        priority=priority,
        watch_only=watch_only,
        held=False,
        hold_reason=None,
        folders_at=None,
        forcefiles_at=None,
        full_look_at=None,
        as_of=None,
        unseen_since=None,
        unseen_problem=None,
        hung_at=None,
        unlisted_since=None,
        forcefiles_expected=0,
        forcefiles_found=0,
        forcefiles_missing=[],
        forcefiles_surplus=[],
    )
    return attempt
