"""What happens next to an exposure, by when, and whether a person is needed: in words for somebody who knows nothing.

The stored reason says why it is where it is; this says what follows, from its state and what stands around it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from desgw_daemon.cli.dagwords import is_stuck
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.states import ENDED, ExposureState
from desgw_daemon.domain.times import utc
from desgw_daemon.report.statustypes import ExposureStatus, Status, SubmissionStatus

#: Nothing more comes by itself for an exposure in these states, as post-processing sees it.
_SETTLED: Final = ("ready", "done", "attention", "postprocessing", "removed")
#: The daemon does nothing more to these.
_AT_REST: Final = ("done", "attention", "removed")
#: What the reasons of ready exposures say of what comes of them.
_LEFT_OUT: Final = "It is left out of post-processing:"
_AGAIN: Final = "It is tried again by itself"
_COMMAND: Final = re.compile("`(desgw-daemon [^`]*)`")


class Next(NamedTuple):
    """words: what happens next. by: when at the latest, where that is known. person: whether somebody must act.

    commands: what that person types.
    """

    words: str
    by: str | None = None
    person: bool = False
    commands: tuple[str, ...] = ()


def next_step(
    exposure: ExposureStatus,
    submissions: Sequence[SubmissionStatus],
    season: Sequence[ExposureStatus],
    status: Status,
    live: tuple[int, int] | None,
    policy: Policy,
) -> Next:
    """What happens next. season: all exposures of its season. live: season and number of the run that goes on."""
    cycle = status["last_cycle"]
    if (cycle is None or cycle["overdue"]) and exposure["state"] not in _AT_REST:
        return Next(
            "nothing before the daemon is started, since it seems not to run; what runs in the grid goes on meanwhile",
            person=True,
            commands=("desgw-daemon run",),
        )
    expnum = exposure["expnum"]
    release = (f"desgw-daemon queue release {expnum}",)
    pause = status["pause"]
    kept = None
    if exposure["held"]:
        kept = Next(
            "nothing new is started for it while it is held; it goes on when somebody releases it", None, False, release
        )
    elif pause is not None:
        words = f"nothing new is started while the daemon is paused (by {pause['who']}: {pause['reason']})"
        kept = Next(words, None, False, ("desgw-daemon resume",))
    match ExposureState(exposure["state"]):
        case ExposureState.QUEUED:
            return kept or _stopped(status, "making_blocked", "credential") or _queued(exposure, season, policy)
        case ExposureState.MAKING:
            return Next(
                "when DAGMaker ends (minutes to tens of minutes; it is ended after dagmaker.timeout), its DAG is"
                " checked, and submitted as soon as fewer than"
                f" {policy.submit_max_in_flight} DAGs are in flight; if DAGMaker fails, a person is asked"
            )
        case ExposureState.SUBMITTING:
            return _submitting(exposure, submissions, kept or _stopped(status, "credential"), policy)
        case ExposureState.PROCESSING:
            return _processing(exposure, submissions, policy)
        case ExposureState.READY:
            return kept or _ready(exposure, season, status, live, policy)
        case ExposureState.POSTPROCESSING:
            return Next(
                "when its run of post-processing ends well it is done (hours); if the run fails, a person is asked"
            )
        case ExposureState.DONE:
            return Next(
                "nothing more: it has been through post-processing. When further exposures of its season become ready,"
                " their run takes it along"
            )
        case ExposureState.ATTENTION:
            commands = tuple(_COMMAND.findall(exposure["reason"]))
            if commands:
                return Next("nothing, unless files on /pnfs change or a person has acted", None, True, commands)
            usual = (f"desgw-daemon queue retry {expnum}", f"desgw-daemon queue remove {expnum}")
            return Next("nothing before a person has done what stands in Why, or typed one of these", None, True, usual)
        case ExposureState.REMOVED:
            return Next("nothing: it was taken out", None, False, (f"desgw-daemon queue retry {expnum}",))


def _stopped(status: Status, *keys: str) -> Next | None:
    """Something that everybody in the queue waits for, and that has an alert: a person is wanted."""
    up = next((alert for alert in status["alerts"] if alert["key"] in keys), None)
    if up is None:
        return None
    return Next(f"nothing before the cause of the alert is mended: {up['text']}", None, True)


def _queued(exposure: ExposureStatus, season: Sequence[ExposureStatus], policy: Policy) -> Next:
    if exposure["nite"] is None or exposure["band"] is None or exposure["unlisted_since"] is not None:
        return Next(
            "its DAG is made as soon as exposures.list in the workflow folder has a line for it; the file is looked at"
            " whenever it changes"
        )
    turn = (-exposure["priority"], exposure["queued_at"], exposure["exposure_id"])
    before = sum(
        (-e["priority"], e["queued_at"], e["exposure_id"]) < turn
        for e in season
        if e["state"] == "queued" and not e["held"] and e["nite"] is not None
    )
    line = f"before it of its season: {before}" if before else "it is the first of its season"
    return Next(
        f"DAGMaker makes its DAG when its turn comes ({line}; {policy.dagmaker_max_at_once} are made at a time), then"
        " the DAG is checked and submitted"
    )


def _submitting(
    exposure: ExposureStatus, submissions: Sequence[SubmissionStatus], kept: Next | None, policy: Policy
) -> Next:
    own = next((submission for submission in submissions if submission["attempt"] == exposure["attempt"]), None)
    if own is not None and own["state"] == "intent":
        return kept or Next("its DAG is handed to the queue again, in the next cycle that may: see its reason")
    if own is not None:
        resolve = f"desgw-daemon queue resolve {exposure['expnum']}"
        return Next(
            "the queue is asked for its DAG in every cycle until its answer is sure; it is not submitted a second time"
            " before that. Somebody who knows better may say what became of it",
            None,
            False,
            (f"{resolve} --adopt ID", f"{resolve} --absent") if own["state"] == "unknown" else (),
        )
    return kept or Next(
        f"its DAG is submitted in the next cycle in which fewer than {policy.submit_max_in_flight} DAGs are in flight"
    )


def _processing(exposure: ExposureStatus, submissions: Sequence[SubmissionStatus], policy: Policy) -> Next:
    verdict = (
        f"when every CCD has come to an end, at least {policy.min_complete_ccds} complete ones and more than"
        f" {policy.min_forcefile_fraction:.0%} of their forcephoto files make it ready; otherwise a person is asked"
    )
    if exposure["stale_because"] == "pnfs":
        # No time: a CCD is given up only when a look shows that it has left nothing.
        return Next(f"it is looked at when /pnfs answers again, and nothing is given up for lost before; {verdict}")
    if exposure["problem"] is not None:
        verdict = f"what cannot be seen now is looked at again in every cycle, and counts as unknown; {verdict}"
    if not exposure["ccds"]["pending"]:
        return Next(f"its last CCDs and files settle; {verdict}")
    if exposure["watch_only"]:
        by = _later(exposure["news_at"], policy.adopted_deadline)
        return Next(f"it is only watched, never submitted; a CCD without a sign is lost by then; {verdict}", by)
    last = submissions[-1] if submissions else None
    if last is None:
        return Next(verdict)
    if last["state"] in ENDED and last["ended_at"] is not None:
        return Next(
            f"its DAG has ended, and what has left no sign is lost by then; {verdict}",
            _later(last["ended_at"], policy.grace_after_dag),
        )
    by = _later(last["intent_at"], policy.dag_deadline)
    if is_stuck(last):
        return Next(
            "nothing more of its DAG runs before the cause of the hold is mended and it is released in the queue"
            f" (condor_release, jobsub_release); meanwhile it is looked at; {verdict}",
            by,
            True,
            (f"desgw-daemon queue remove --dag {exposure['expnum']}",),
        )
    return Next(f"each cycle looks at what its CCDs have left (1 to 5 h each, once they run); {verdict}", by)


def _ready(
    exposure: ExposureStatus,
    season: Sequence[ExposureStatus],
    status: Status,
    live: tuple[int, int] | None,
    policy: Policy,
) -> Next:
    number = exposure["season"]
    ask = (f"desgw-daemon postproc run --season {number}",)
    into = f"it goes into the next run of post-processing of season {number}"
    if _LEFT_OUT in exposure["reason"]:
        # The rules have said what keeps it out, and what lets it in.
        return Next(
            "runs of its season start without it; it goes into the next one when what keeps it out has gone, which is"
            " looked at in every cycle (the blacklist) or in the slow recheck (folders)",
            None,
            True,
            tuple(_COMMAND.findall(exposure["reason"])),
        )
    if _AGAIN in exposure["reason"]:
        return Next(
            "its run is tried again by itself, with the same exposures, when its reason says; a person is asked if that"
            " fails as well and comes no further",
            None,
            False,
            ask,
        )
    if live is not None:
        return Next(f"{into}, after run {live[1]} of season {live[0]} has ended")
    if any(request["season"] == number for request in status["requests"]):
        return Next(f"{into}, which was asked for and starts after a last look at its exposures")
    if not policy.postproc_auto:
        return Next(f"{into}, which somebody must start: postproc.auto is off", None, True, ask)
    open_ones = [e for e in season if e["state"] not in _SETTLED and not e["held"]]
    if not open_ones:
        return Next(f"{into}, which starts after a last look at its exposures: all of the season are settled")
    news = max(max(e["news_at"], e["since"]) for e in season if e["state"] != "removed")
    first = min(e["since"] for e in season if e["state"] == "ready" and not e["held"])
    return Next(
        f"{into}, which starts when nothing of the season is open any more ({len(open_ones)} now), or earlier, if"
        " nothing new comes for a while; a season that was run a short while ago waits for its turn",
        min(_later(news, policy.postproc_quiet_for), _later(first, policy.postproc_first_within)),
        False,
        ask,
    )


def _later(time: str, span: timedelta) -> str:
    return utc(datetime.fromisoformat(time) + span)
