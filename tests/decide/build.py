"""Small values for the tests of the rules: exposures in any state, and what the daemon writes down of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from desgw_daemon.decide.alerts import wanted_alerts
from desgw_daemon.decide.raising import alert_changes
from desgw_daemon.domain.actions import AlertWanted
from desgw_daemon.domain.decam import SEARCH_CCDS
from desgw_daemon.domain.policy import Policy
from desgw_daemon.domain.runs import PostprocRequest, PostprocRun
from desgw_daemon.domain.snapshot import Ccd, Exposure, Forcefile, Snapshot
from desgw_daemon.domain.states import CcdState, ExposureState, MakingState, Ready, RunState, SubmissionState
from desgw_daemon.domain.submissions import ForeignDag, Making, Submission, SubmitTry

POLICY: Final = Policy()
SEASON: Final = 2206
NITE: Final = "20261121"
EXPNUM: Final = 1200201
BAND: Final = "i"
#: The evening on which everything began.
START: Final = datetime(2026, 11, 22, 0, 0, tzinfo=UTC)


def raised_of(snapshot: Snapshot, policy: Policy, now: datetime) -> list[AlertWanted]:
    """The alerts that are raised at that moment, those of which a cause holds left out."""
    changes = alert_changes(wanted_alerts(snapshot, policy, now), (), (), policy, now)
    return [raised.wanted for raised in changes.raised]


def after(**span: float) -> datetime:
    """A moment so long after the start."""
    return START + timedelta(**span)


def fits(ccd: int, *, expnum: int = EXPNUM, band: str = BAND, kind: str = "fits") -> str:
    """Name of a forcephoto file."""
    return f"WS{SEASON}_{expnum}_WS3345-380_tile1_combined_{band}_{ccd:02d}+fakeSN_diff.{kind}"


def psf(ccd: int) -> str:
    """Name of the PSF beside it."""
    return fits(ccd, kind="psf")


def exposure(number: int = 1, **values: Any) -> Exposure:
    """An exposure in the queue; its expnum goes with its number."""
    known: dict[str, Any] = {
        "id": number,
        "season": SEASON,
        "expnum": EXPNUM + number - 1,
        "nite": NITE,
        "band": BAND,
        "state": ExposureState.QUEUED,
        "reason": "added from a list",
        "since": START,
        "queued_at": START + timedelta(seconds=number),
        "news_at": START,
    }
    return Exposure(**(known | values))


def making(number: int = 1, state: MakingState = MakingState.MADE, **values: Any) -> Making:
    """One run of DAGMaker for the exposure of that number."""
    known: dict[str, Any] = {
        "id": number,
        "exposure_id": number,
        "attempt": 1,
        "state": state,
        "folder": f"attempts/{number}",
        "intent_at": START,
        "dag_sha256": "0" * 64,
        "reason": None,
    }
    return Making(**(known | values))


def submission(number: int = 1, state: SubmissionState = SubmissionState.RUNNING, **values: Any) -> Submission:
    """One attempt to run the DAG of the exposure of that number."""
    known: dict[str, Any] = {
        "id": number,
        "exposure_id": number,
        "attempt": 1,
        "tag": f"dp{SEASON}_{number}_a1",
        "engine": "local",
        "state": state,
        "dag_path": "desgw_pipeline.dag",
        "dag_sha256": "0" * 64,
        "intent_at": START,
        "job_id": f"local.{number}",
        "submitted_at": START,
        "as_of": START,
    }
    return Submission(**(known | values))


def submitted(number: int = 1, dag: SubmissionState = SubmissionState.RUNNING, **values: Any) -> Exposure:
    """An exposure in processing, with its DAG in that state."""
    ended = {"ended_at": START} if dag in (SubmissionState.DONE, SubmissionState.FAILED) else {}
    known: dict[str, Any] = {
        "state": ExposureState.PROCESSING,
        "makings": (making(number),),
        "submissions": (submission(number, dag, **ended),),
    }
    return exposure(number, **(known | values))


def forcefile(name: str, ccd: int | None, kind: str | None = "fits", **values: Any) -> Forcefile:
    """A forcephoto file as it is written down: whole since the start."""
    known: dict[str, Any] = {
        "exposure_id": 1,
        "name": name,
        "ccd": ccd,
        "band": None if ccd is None else BAND,
        "kind": kind,
        "size": 4_000_000,
        "mtime": START.timestamp(),
        "first_seen": START,
        "whole_at": START,
        "as_of": START,
    }
    return Forcefile(**(known | values))


def settled_ccds(states: Mapping[int, CcdState] | None = None, **values: Any) -> tuple[Ccd, ...]:
    """All CCDs, settled and complete but for `states`."""
    ccds = []
    for number in SEARCH_CCDS:
        state = (states or {}).get(number, CcdState.COMPLETE)
        pending = state is CcdState.PENDING
        known: dict[str, Any] = {
            "exposure_id": 1,
            "ccd": number,
            "state": state,
            "step": "RUN18_combined+expose_hotpants.FAIL" if state is CcdState.FAILED else None,
            "tarball_size": 10_000_000 if state is CcdState.COMPLETE else None,
            "tarball_mtime": START.timestamp() if state is CcdState.COMPLETE else None,
            "pair_at": START if state is CcdState.COMPLETE else None,
            "changed_at": START,
            "looks": 2,
            "settled_at": None if pending else START,
            "as_of": START,
        }
        ccds.append(Ccd(**(known | values)))
    return tuple(ccds)


def states_of(count: int, state: CcdState, *, first: int = 0) -> dict[int, CcdState]:
    """So many CCDs in that state, from the `first` on."""
    return dict.fromkeys(SEARCH_CCDS[first : first + count], state)


def finished(
    states: Mapping[int, CcdState] | None = None,
    *,
    number: int = 1,
    without: Iterable[str] = (),
    more: Iterable[Forcefile] = (),
    **values: Any,
) -> Exposure:
    """An exposure whose DAG has ended, whose CCDs are settled and have both their files, but for those `without`."""
    ccds = settled_ccds(states)
    lacking = set(without)
    files = [
        forcefile(name, ccd.ccd, kind)
        for ccd in ccds
        if ccd.state is CcdState.COMPLETE
        for kind in ("fits", "psf")
        if (name := fits(ccd.ccd, kind=kind)) not in lacking
    ]
    known: dict[str, Any] = {
        "state": ExposureState.PROCESSING,
        "ccds": ccds,
        "forcefiles": (*files, *more),
        "makings": (making(number),),
        "submissions": (submission(number, SubmissionState.DONE, ended_at=START),),
        "folders_at": START,
        "forcefiles_at": START,
        "full_look_at": START,
        "as_of": START,
    }
    return exposure(number, **(known | values))


def ready(number: int = 1, **values: Any) -> Exposure:
    """An exposure that is ready, and was looked at once more since."""
    known: dict[str, Any] = {
        "state": ExposureState.READY,
        "ready": Ready.FULL,
        "since": START,
        "full_look_at": START + timedelta(seconds=1),
    }
    return finished(number=number, **(known | values))


def run(
    number: int = 1, state: RunState = RunState.RUNNING, *, of: Iterable[Exposure] = (), **values: Any
) -> PostprocRun:
    """A run of post-processing with these exposures."""
    members = tuple(of)
    known: dict[str, Any] = {
        "id": number,
        "season": SEASON,
        "number": number,
        "state": state,
        "exposures": tuple(e.id for e in members),
        "expnums": tuple(e.expnum for e in members),
        "bands": (BAND,),
        "fingerprint": "f",
        "skipto": 0,
        "folder": f"runs/S{SEASON}_{number}",
        "intent_at": START,
        "started_at": None if state is RunState.INTENT else START,
        "ended_at": None if state in (RunState.INTENT, RunState.RUNNING) else after(hours=3),
        "reason": None,
    }
    return PostprocRun(**(known | values))


def snapshot(*exposures: Exposure, **values: Any) -> Snapshot:
    """These exposures, as written down."""
    return Snapshot(exposures=exposures, **values)


def request(season: int = SEASON, **values: Any) -> dict[int, PostprocRequest]:
    """A person's wish for post-processing, as a snapshot has it."""
    return {season: PostprocRequest(id=7, season=season, asked_at=START, by="observer", **values)}


def claimed(number: int = 1, **values: Any) -> Exposure:
    """An exposure whose DAG is made and claimed, and not taken yet."""
    intent = submission(number, SubmissionState.INTENT, job_id=None, submitted_at=None, as_of=None)
    known: dict[str, Any] = {
        "state": ExposureState.SUBMITTING,
        "makings": (making(number),),
        "submissions": (intent,),
    }
    return exposure(number, **(known | values))


def tried(
    number: int = 1, outcome: str | None = "transient", *, of: int = 1, ended_at: datetime = START, **values: Any
) -> SubmitTry:
    """A hand-over of the submission `of`, which has ended unless it has no outcome."""
    known: dict[str, Any] = {
        "id": 100 * of + number,
        "submission_id": of,
        "number": number,
        "started_at": ended_at - timedelta(seconds=5),
        "ended_at": None if outcome is None else ended_at,
        "outcome": outcome,
        "cause": None if outcome in (None, "accepted") else "no_schedd",
        "text": None if outcome is None else "No schedds satisfying the constraint were found",
    }
    return SubmitTry(**(known | values))


def foreign(expnum: int | None = EXPNUM, **values: Any) -> ForeignDag:
    """A DAG in the queue that somebody else has submitted."""
    known: dict[str, Any] = {
        "tag": f"dp2299_{expnum}_a1",
        "job_id": "163.0@schedd",
        "expnum": expnum,
        "state": "running",
        "owner": "desgw",
        "first_seen": START,
        "as_of": START,
    }
    return ForeignDag(**(known | values))
